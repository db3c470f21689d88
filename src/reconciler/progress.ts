/** Progress: whether the work of a term moves on, for health checks, heartbeats and the watchdog. */
import type { Config } from './config.ts';
import { isHealthy } from './health/health.ts';
import type { InFlightTracker } from './health/watchdog.ts';
import type { Term } from './leader-election.ts';
import type { Clock } from './ports/index.ts';
import type { WorkQueue } from './queue/work-queue.ts';
import type { Informer } from './watch/informer.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  readonly config: Pick<Config, 'reconcileTimeoutMs' | 'publishTimeoutMs'>;
  readonly term: Pick<Term, 'lost'>;
  readonly feed: Pick<Informer, 'synced' | 'streamless' | 'lastPollAt'>;
  readonly queue: Pick<WorkQueue, 'longestRunningMs' | 'runningLongerThan'>;
  readonly publishes: Pick<InFlightTracker, 'longerThan'>;
}

export class Progress {
  readonly #options: ProgressOptions;
  /** Local time at which the last reconcile ended, ms. */
  #reconciledAt: number;
  #polledAt: number;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#reconciledAt = options.clock.monotonic();
    this.#polledAt = this.#reconciledAt;
  }

  /** A reconcile has ended, whatever came of it. */
  reconciled(): void {
    this.#reconciledAt = this.#options.clock.monotonic();
  }

  /** True after the first full list. */
  get synced(): boolean {
    return this.#options.feed.synced;
  }

  /** True while it leads, knows the fleet and moves on. */
  get alive(): boolean {
    const isLost = this.#options.term.lost.aborted;
    return !isLost && this.synced && isHealthy({ stuckMs: this.stuckMs(), pollSilenceMs: this.pollSilenceMs() });
  }

  /** How long nothing has moved, ms: the age of the older of the last poll and the longest reconcile. */
  stuckMs(): number {
    const { clock, feed, queue } = this.#options;
    const poll = feed.lastPollAt() ?? this.#reconciledAt;
    return Math.max(clock.monotonic() - Math.max(poll, this.#reconciledAt), queue.longestRunningMs());
  }

  /** How long no stream has answered a poll, ms; 0 where there is none. */
  pollSilenceMs(): number {
    const { clock, feed } = this.#options;
    if (feed.streamless) return 0;
    // While streams are opened anew nothing is polled: then the last answer of before counts.
    this.#polledAt = Math.max(this.#polledAt, feed.lastPollAt() ?? 0);
    return clock.monotonic() - this.#polledAt;
  }

  /** Enclaves whose reconcile has passed its budget. */
  overdueReconciles(): readonly string[] {
    return this.#options.queue.runningLongerThan(this.#options.config.reconcileTimeoutMs);
  }

  /** Enclaves whose record is being written for longer than that may take. */
  overduePublishes(): readonly string[] {
    return this.#options.publishes.longerThan(this.#options.config.publishTimeoutMs);
  }
}
