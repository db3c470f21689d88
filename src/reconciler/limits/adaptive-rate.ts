/** Adaptive rate limit: one factor for all rate limits, halved by throttling and regained slowly. */
import type { Clock } from '../ports/index.ts';

/** However often AWS says no, this share of the refill is still used: it must be asked to learn that it says yes. */
const SLOWEST = 1 / 32;
/** Answers to what was sent before the pace was halved say nothing about the new pace. */
const DEAF_MS = 1_000;
/** From standstill to full pace. */
const RECOVERY_MS = 120_000;

/**
 * Additive increase, multiplicative decrease, as TCP does: callers that share a limit converge to a fair share of it.
 *
 * *Guarantees*: the pace is in (0, 1]; it falls only by `throttled`, and rises steadily between.
 */
export class AdaptiveRateLimit {
  readonly #clock: Clock;
  #pace = 1;
  #since: number;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = Number.NEGATIVE_INFINITY;
  }

  /** How often it was told that a call was throttled. */
  get count(): number {
    return this.#count;
  }

  /** In (0, 1]; the share of every refill that is used. */
  readonly pace = (at: number): number =>
    this.#pace >= 1 ? 1 : Math.min(1, this.#pace + (at - this.#since) / RECOVERY_MS);

  /** A call was throttled; true where that slows down further. */
  throttled(): boolean {
    this.#count += 1;
    const now = this.#clock.monotonic();
    if (now - this.#since < DEAF_MS) return false;
    this.#pace = Math.max(SLOWEST, this.pace(now) / 2);
    this.#since = now;
    return true;
  }
}
