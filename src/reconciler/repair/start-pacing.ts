/** Start pacing: in one region, starts no more hosts than EC2 admits; the others wait for their turn. */

import { type BucketLimits, TokenBucket } from '../limits/token-bucket.ts';
import type { Clock } from '../ports/index.ts';

export interface StartPacingOptions {
  readonly clock: Clock;
  /** Undefined: no limit. */
  readonly limits: BucketLimits | undefined;
  /** A start older than this, in ms, no longer uses a token: after a restart the lifecycles name all past starts. */
  readonly settleMs: number;
  /** Called with an enclave whose turn has come. */
  readonly wake: (id: string) => void;
}

/** Between two turns, ms: the enclave that was woken takes its token before the tokens are counted again. */
const TURN_MS = 200;

/**
 * *Guarantees*: lets no repair begin with a start that EC2 would throttle, because a throttled start would count as a
 * failed repair. *Caveats*: a restart of the operator fills the bucket.
 */
export class StartPacing {
  readonly #options: StartPacingOptions;
  readonly #tokens: TokenBucket | undefined;
  readonly #waiting = new Set<string>();
  /** The last start of each host: each takes one token. */
  readonly #startedAt = new Map<string, string>();
  #cancelTurn: (() => void) | undefined;
  #isClosed = false;

  constructor(options: StartPacingOptions) {
    this.#options = options;
    this.#tokens = options.limits && new TokenBucket(options.clock, options.limits);
  }

  /** Wakes nobody from now on. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#cancelTurn?.();
  }

  /** Whether a host may be started now. Takes nothing. */
  get isFree(): boolean {
    return this.#tokens?.has(1) !== false;
  }

  /** Waits for its turn, and is woken then. */
  wait(id: string): void {
    if (this.#isClosed || this.#tokens === undefined) return;
    this.#waiting.add(id);
    this.#scheduleTurn(this.#tokens);
  }

  /** Stops waiting. */
  leave(id: string): void {
    this.#waiting.delete(id);
  }

  /**
   * Takes a token for a start that was not known. `startedAt`: undefined where the host has not been started. The result
   * undoes that.
   */
  trackStart(id: string, startedAt: string | undefined): () => void {
    const before = this.#startedAt.get(id);
    if (startedAt === before) return () => {};
    this.#remember(id, startedAt);
    const { clock, settleMs } = this.#options;
    const takes = startedAt !== undefined && clock.now() - Date.parse(startedAt) < settleMs;
    if (takes) this.#tokens?.spend();
    return () => {
      if (this.#startedAt.get(id) !== startedAt) return;
      this.#remember(id, before);
      if (takes) this.#tokens?.refund();
    };
  }

  #remember(id: string, startedAt: string | undefined): void {
    if (startedAt === undefined) this.#startedAt.delete(id);
    else this.#startedAt.set(id, startedAt);
  }

  #scheduleTurn(tokens: TokenBucket): void {
    if (this.#isClosed || this.#cancelTurn !== undefined || this.#waiting.size === 0) return;
    this.#cancelTurn = this.#options.clock.schedule(Math.max(tokens.untilMs(1), TURN_MS), () => {
      this.#cancelTurn = undefined;
      const [next] = this.#waiting;
      if (next !== undefined && tokens.has(1)) {
        this.#waiting.delete(next);
        this.#options.wake(next);
      }
      this.#scheduleTurn(tokens);
    });
  }
}
