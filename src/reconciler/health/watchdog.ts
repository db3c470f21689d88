/** Watchdog: detects work that takes too long and an event loop that lags. */
import type { Clock, Log } from '../ports/index.ts';

/** What is watched, while it goes on. */
export interface Watched {
  /** Names of what takes longer than it may, e.g. ids of enclaves. */
  readonly overdue: () => readonly string[];
  readonly message: string;
}

const TICK_MS = 2_000;
/** How long the worst lag is remembered: longer than the interval of health checks. */
const LAG_WINDOW_MS = 60_000;

/**
 * Looks every two seconds. What is overdue is told once, counted, and never cut off: a reconcile whose call may still take
 * effect must not run a second time beside itself, so its key stays locked until it ends.
 *
 * *Guarantees*: `lagMs` is the longest delay of a tick within the last minute; a lag that is not over yet counts.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watched: readonly Watched[];
  readonly #told = new Set<string>();
  readonly #lags: { readonly at: number; readonly lagMs: number }[] = [];
  #dueAt: number | undefined;
  #count = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: Log, watched: readonly Watched[]) {
    this.#clock = clock;
    this.#log = log;
    this.#watched = watched;
  }

  /** How often something was found overdue. */
  get overdue(): number {
    return this.#count;
  }

  get lagMs(): number {
    const now = this.#clock.monotonic();
    const pending = this.#dueAt === undefined ? 0 : now - this.#dueAt;
    return Math.round(Math.max(0, pending, ...this.#lags.map(({ lagMs }) => lagMs)));
  }

  start(): void {
    this.#dueAt = this.#clock.monotonic() + TICK_MS;
    this.#cancel = this.#clock.schedule(TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#cancel?.();
    this.#dueAt = undefined;
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const lagMs = now - (this.#dueAt ?? now);
    while (this.#lags[0] !== undefined && now - this.#lags[0].at > LAG_WINDOW_MS) this.#lags.shift();
    if (lagMs > 0) this.#lags.push({ at: now, lagMs });
    if (lagMs >= TICK_MS) this.#log.warn({ lagMs: Math.round(lagMs) }, 'the event loop was blocked');
    const going = new Set<string>();
    for (const { overdue, message } of this.#watched) {
      for (const name of overdue()) {
        const key = `${message} ${name}`;
        going.add(key);
        if (this.#told.has(key)) continue;
        this.#told.add(key);
        this.#count += 1;
        this.#log.warn({ overdue: name }, message);
      }
    }
    for (const key of this.#told) if (!going.has(key)) this.#told.delete(key);
    this.start();
  }
}

/** Calls under way, and since when; for what must be watched by itself. */
export class InFlightTracker {
  readonly #clock: Clock;
  readonly #since = new Map<symbol, { readonly name: string; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Times a call, whatever comes of it. */
  async time<T>(name: string, call: () => Promise<T>): Promise<T> {
    const key = Symbol(name);
    this.#since.set(key, { name, at: this.#clock.monotonic() });
    try {
      return await call();
    } finally {
      this.#since.delete(key);
    }
  }

  longerThan(budgetMs: number): readonly string[] {
    const now = this.#clock.monotonic();
    return [...this.#since.values()].filter(({ at }) => now - at > budgetMs).map(({ name }) => name);
  }
}
