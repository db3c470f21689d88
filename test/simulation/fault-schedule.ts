/** The fault schedule: which faults and delays each call to AWS meets. */
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Limits } from './limits.ts';
import type { SeededRandom } from './random.ts';
import type { Settings } from './settings.ts';

/** The faults and delays of one call. */
export interface CallFaults {
  /** Delay before the call takes effect. */
  readonly beforeMs: number;
  /** The call fails with this error and has no effect. */
  readonly error: OperatorError | undefined;
  /** The call takes effect twice; the caller gets the second reply. */
  readonly twice: boolean;
  /** Delay of the reply. */
  readonly afterMs: number;
  /** The call takes effect, but its reply is lost: the caller gets this error. */
  readonly lost: OperatorError | undefined;
  /** A paged call ends with an error after its first page. */
  readonly partial: boolean;
}

/** Every operator polls once a second, so polls meet faults less often than other calls. */
const isPoll = (operation: string) => operation.endsWith('.page') || operation.startsWith('leases.');

/** A DynamoDB transaction carries a token: a repeated one takes effect once and returns the same reply. */
const isIdempotent = (operation: string) => operation === 'state.commit';

export class FaultSchedule {
  readonly limits: Limits;
  /** Ports whose calls all fail now, e.g. `hosts`. */
  readonly outages = new Set<string>();
  /** Regions in which EC2 finds no host by tag now. */
  readonly blind = new Set<string>();
  readonly #random: SeededRandom;
  readonly #settings: Settings;
  #calm = false;

  constructor(settings: Settings, random: SeededRandom, limits: Limits) {
    this.#settings = settings;
    this.#random = random;
    this.limits = limits;
  }

  /** Ends all faults; latency stays. */
  clear(): void {
    this.#calm = true;
    this.outages.clear();
    this.blind.clear();
    this.limits.undrain();
  }

  draw(operation: string): CallFaults {
    const random = this.#random;
    const { faults, latencyMs } = this.#settings;
    const rare = isPoll(operation) ? 0.2 : 1;
    const has = (fault: Parameters<typeof faults.has>[0], probability: number) =>
      !this.#calm && faults.has(fault) && random.chance(probability * rare);
    const slow = has('slowCalls', 0.01) ? random.between(1_000, 30_000) : 0;
    const takes = random.chance(isPoll(operation) ? 0.1 : 0.6) ? Math.min(2_000, random.wait(latencyMs)) : 0;
    const there = random.chance(0.5);
    return {
      beforeMs: there ? slow + takes : 0,
      error:
        this.#refusal(operation) ?? (has('errors', 0.02) ? transient(operation, 'InternalServerError') : undefined),
      twice: has('duplicates', 0.02) && !isIdempotent(operation),
      afterMs: there ? 0 : slow + takes,
      lost: has('lostReplies', 0.02) ? transient(operation, 'the connection was closed') : undefined,
      partial: has('sweeps', 0.1),
    };
  }

  brokenOff(operation: string): OperatorError {
    return transient(operation, 'broken off after a page');
  }

  #refusal(operation: string): OperatorError | undefined {
    const port = operation.slice(0, operation.lastIndexOf('.'));
    if (this.outages.has(port)) return transient(operation, 'ServiceUnavailable');
    const family = this.limits.familyOf(operation);
    if (family === undefined || this.limits.take(family)) return undefined;
    return new OperatorError('Throttled', operation, 'RequestLimitExceeded');
  }
}

function transient(operation: string, message: string): OperatorError {
  return new OperatorError('Transient', operation, message);
}
