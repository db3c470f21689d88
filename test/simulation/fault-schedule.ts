/** Weather: what befalls a call on its way to AWS and back. */
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Limits } from './limits.ts';
import type { Dice } from './random.ts';
import type { Settings } from './settings.ts';

/** What befalls one call. */
export interface Fate {
  /** On the way there. */
  readonly beforeMs: number;
  /** It never happens, and fails so. */
  readonly error: OperatorError | undefined;
  /** It happens twice; the second answer is the one that arrives. */
  readonly twice: boolean;
  /** On the way back. */
  readonly afterMs: number;
  /** It happened, and fails all the same. */
  readonly lost: OperatorError | undefined;
  /** Where it answers in pages: it breaks off after the first. */
  readonly partial: boolean;
}

/** A poll is made every second by everyone: there, luck is spared. */
const isPoll = (operation: string) => operation.endsWith('.page') || operation.startsWith('leases.');

/** DynamoDB's transactions carry a token: one that arrives twice is carried out once, and answers the same. */
const isIdempotent = (operation: string) => operation === 'state.commit';

export class Weather {
  readonly limits: Limits;
  /** Ports that fail at every call now, e.g. `hosts`. */
  readonly outages = new Set<string>();
  /** Regions EC2 describes no host of by tag now. */
  readonly blind = new Set<string>();
  readonly #dice: Dice;
  readonly #settings: Settings;
  #calm = false;

  constructor(settings: Settings, dice: Dice, limits: Limits) {
    this.#settings = settings;
    this.#dice = dice;
    this.limits = limits;
  }

  /** Faults stop; calls still take their time. */
  clear(): void {
    this.#calm = true;
    this.outages.clear();
    this.blind.clear();
    this.limits.undrain();
  }

  draw(operation: string): Fate {
    const dice = this.#dice;
    const { faults, latencyMs } = this.#settings;
    const rare = isPoll(operation) ? 0.2 : 1;
    const has = (fault: Parameters<typeof faults.has>[0], probability: number) =>
      !this.#calm && faults.has(fault) && dice.chance(probability * rare);
    const slow = has('slowCalls', 0.01) ? dice.between(1_000, 30_000) : 0;
    const takes = dice.chance(isPoll(operation) ? 0.1 : 0.6) ? Math.min(2_000, dice.wait(latencyMs)) : 0;
    const there = dice.chance(0.5);
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
