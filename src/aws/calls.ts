/** Calls: every attempt the SDK makes, told to whoever listens. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { AwsCode, AwsInstruments, AwsService } from '../reconciler/metrics/index.ts';
import { type Clock, OperatorError } from '../reconciler/ports/index.ts';
import { operatorError } from './errors.ts';

/** What all clients have; the commands that pass through are of no matter here. */
interface Client {
  readonly middlewareStack: unknown;
}

/** Clients are made before anybody can listen: until then, nobody is told. */
export class Calls {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #instruments: AwsInstruments | undefined;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  listen(instruments: AwsInstruments): void {
    this.#instruments = instruments;
  }

  /** The same client, heard from now on. */
  hear<C extends Client>(service: AwsService, client: C): C {
    const stack = client.middlewareStack as DynamoDBClient['middlewareStack'];
    // Behind the SDK's own retries: each attempt is one request to AWS' limits.
    stack.add(
      (next, context) => async (args) => {
        const began = this.#clock.monotonic();
        const tell = (code: AwsCode) => {
          const operation = String(context.commandName ?? '').replace(/Command$/, '');
          this.#instruments?.called(service, operation, code, (this.#clock.monotonic() - began) / 1_000);
        };
        try {
          const answer = await next(args);
          tell('ok');
          return answer;
        } catch (error) {
          tell(codeOf(error));
          throw error;
        }
      },
      { step: 'finalizeRequest', priority: 'low', name: 'tellCall' },
    );
    return client;
  }
}

function codeOf(error: unknown): AwsCode {
  const known = operatorError('', '', error);
  return known instanceof OperatorError ? known.class : 'Unexpected';
}
