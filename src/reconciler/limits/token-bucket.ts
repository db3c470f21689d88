/** Token bucket: a burst, a refill rate, and a queue. */
import type { Clock } from '../ports/index.ts';

export interface BucketLimits {
  /** Calls that may be made at once after a pause. */
  readonly burst: number;
  /** Calls a second in the long run. */
  readonly perSecond: number;
}

/** The share of a bucket's refill that is let through, in (0, 1], at a local time. */
export type Pace = (monotonicMs: number) => number;

interface Waiter {
  readonly admit: (admitted: boolean) => void;
  readonly cancelDeadline: () => void;
}

/** Rounding must not leave the last millionth of a token missing. */
const WHOLE = 1 - 1e-6;

/**
 * As AWS counts its callers: a bucket that begins full and refills steadily.
 *
 * *Guarantees*: within any `t` seconds at most `burst + t · perSecond` are admitted; who is urgent goes before who is
 * not, equals in the order they came; nobody waits longer than they said. *Assumes* a burst of one at least.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #limits: BucketLimits;
  readonly #pace: Pace;
  readonly #urgent = new Set<Waiter>();
  readonly #others = new Set<Waiter>();
  #tokens: number;
  #refilledAt: number;
  #paceThen: number;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, limits: BucketLimits, pace: Pace = () => 1) {
    this.#clock = clock;
    this.#limits = limits;
    this.#pace = pace;
    this.#tokens = limits.burst;
    this.#refilledAt = clock.monotonic();
    this.#paceThen = pace(this.#refilledAt);
  }

  /** Callers in line. */
  get waiting(): number {
    return this.#urgent.size + this.#others.size;
  }

  /** Calls that could be made at once. */
  get tokens(): number {
    this.refill();
    return Math.max(0, this.#tokens);
  }

  /** Calls that could be made at once reach `count`. */
  has(count: number): boolean {
    this.refill();
    return this.#tokens >= count * WHOLE;
  }

  /** Until `count` tokens are there, if none is taken, ms. */
  untilMs(count: number): number {
    if (this.has(count)) return 0;
    const rate = this.#limits.perSecond * this.#paceThen;
    return Math.max(1, Math.ceil(((count - this.#tokens) / rate) * 1_000));
  }

  /** Takes a token now, there or not: what was done is counted. */
  spend(): void {
    this.refill();
    this.#tokens -= 1;
  }

  /** Gives back a token that was spent on a call that was not made. */
  refund(): void {
    this.refill();
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + 1);
  }

  /** Takes one token: at once, or when it is its turn; false: not within `maxWaitMs`. Never rejects. */
  take(maxWaitMs: number, urgent = false): Promise<boolean> {
    this.refill();
    const line = urgent ? this.#urgent : this.#others;
    const nobodyBefore = this.#urgent.size + (urgent ? 0 : this.#others.size) === 0;
    if (nobodyBefore && this.#tokens >= WHOLE) {
      this.#tokens -= 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        admit: resolve,
        cancelDeadline: this.#clock.schedule(maxWaitMs, () => {
          line.delete(waiter);
          resolve(false);
        }),
      };
      line.add(waiter);
      this.#arm();
    });
  }

  /** Counts what has come in until now; whoever changes the pace calls it first. */
  refill(): void {
    const now = this.#clock.monotonic();
    const pace = this.#pace(now);
    // A pace that rose steadily in between: its mean.
    const came = ((now - this.#refilledAt) / 1_000) * this.#limits.perSecond * ((this.#paceThen + pace) / 2);
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + came);
    this.#refilledAt = now;
    this.#paceThen = pace;
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined || this.waiting === 0) return;
    this.#cancelTimer = this.#clock.schedule(Math.max(1, this.untilMs(1)), () => {
      this.#cancelTimer = undefined;
      this.refill();
      for (const line of [this.#urgent, this.#others]) {
        for (const waiter of line) {
          if (this.#tokens < WHOLE) break;
          this.#tokens -= 1;
          line.delete(waiter);
          waiter.cancelDeadline();
          waiter.admit(true);
        }
      }
      this.#arm();
    });
  }
}
