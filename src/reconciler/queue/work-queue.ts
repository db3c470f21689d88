/**
 * The work queue: keys to reconcile, each at most once at a time.
 *
 * Merge rule: a key that is added again while it waits keeps the higher of both priorities and the earlier of both
 * times. A key that is added while it is processed is held back and becomes ready when it is done; it is never lost,
 * and never processed twice at once.
 */

import type { QueueInstruments } from '../metrics/index.ts';
import type { Clock } from '../ports/index.ts';
import { Heap } from './heap.ts';

/** delete > command > spec change > retry > drift > resync; a higher number is served first. */
export const PRIORITY = { resync: 0, drift: 1, retry: 2, change: 3, command: 4, delete: 5 } as const;
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

export interface AddOptions {
  /** @default PRIORITY.change */
  readonly priority?: Priority | undefined;
  /** Not before this long from now, ms; at most 2³¹ - 1. @default 0 */
  readonly delayMs?: number | undefined;
}

/** The longest delay there is (24.8 days): what a timer can hold. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** A delay that is none counts as no delay: the key is looked at once too often, never too late. */
const bounded = (delayMs = 0) => (delayMs > 0 ? Math.min(delayMs, LONGEST_DELAY_MS) : 0);

interface Entry {
  readonly key: string;
  priority: Priority;
  readyAt: number;
  /** Order of arrival among equals. */
  order: number;
  /** In which heap the valid node lies; nodes of an entry that moved on are skipped. */
  place: 'delayed' | 'ready' | 'taken';
  addedAt: number;
}

interface Node {
  readonly entry: Entry;
  readonly priority: Priority;
  readonly readyAt: number;
  readonly order: number;
}

export class WorkQueue {
  readonly #clock: Clock;
  #onReady: () => void = () => {};
  readonly #instruments: QueueInstruments | undefined;
  readonly #waiting = new Map<string, Entry>();
  readonly #processing = new Map<
    string,
    { readonly since: number; again: { priority: Priority; readyAt: number } | undefined }
  >();
  readonly #ready = new Heap<Node>((a, b) => (a.priority === b.priority ? a.order < b.order : a.priority > b.priority));
  readonly #delayed = new Heap<Node>((a, b) => (a.readyAt === b.readyAt ? a.order < b.order : a.readyAt < b.readyAt));
  #orders = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, instruments?: QueueInstruments) {
    this.#clock = clock;
    this.#instruments = instruments;
  }

  /** `listener` is called whenever `take` may find something it did not find before. There is one listener. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  /** Keys that wait, ready or not. */
  get depth(): number {
    return this.#waiting.size;
  }

  get processing(): number {
    return this.#processing.size;
  }

  /** How long the longest-running key has been processed, ms. */
  longestRunningMs(): number {
    const now = this.#clock.monotonic();
    let longest = 0;
    for (const { since } of this.#processing.values()) longest = Math.max(longest, now - since);
    return longest;
  }

  /** Keys that have been processed for longer than this. */
  runningLongerThan(budgetMs: number): readonly string[] {
    const now = this.#clock.monotonic();
    return [...this.#processing].filter(([, { since }]) => now - since > budgetMs).map(([key]) => key);
  }

  add(key: string, options: AddOptions = {}): void {
    if (this.#closed) return;
    const now = this.#clock.monotonic();
    const priority = options.priority ?? PRIORITY.change;
    const readyAt = now + bounded(options.delayMs);
    this.#instruments?.added();
    if (priority === PRIORITY.retry) this.#instruments?.retried();
    const processing = this.#processing.get(key);
    if (processing !== undefined) {
      processing.again =
        processing.again === undefined
          ? { priority, readyAt }
          : {
              priority: Math.max(processing.again.priority, priority) as Priority,
              readyAt: Math.min(processing.again.readyAt, readyAt),
            };
      return;
    }
    this.#insert(key, priority, readyAt, now);
  }

  #insert(key: string, priority: Priority, readyAt: number, now: number): void {
    const known = this.#waiting.get(key);
    const entry: Entry = known ?? {
      key,
      priority,
      readyAt,
      order: this.#orders++,
      place: 'taken',
      addedAt: now,
    };
    if (known === undefined) this.#waiting.set(key, entry);
    else if (priority <= known.priority && (readyAt >= known.readyAt || known.place === 'ready')) return;
    entry.priority = Math.max(entry.priority, priority) as Priority;
    entry.readyAt = Math.min(entry.readyAt, readyAt);
    const node: Node = { entry, priority: entry.priority, readyAt: entry.readyAt, order: entry.order };
    if (entry.place === 'ready' || entry.readyAt <= now) {
      entry.place = 'ready';
      this.#ready.push(node);
      this.#onReady();
    } else {
      entry.place = 'delayed';
      this.#delayed.push(node);
      this.#arm();
    }
  }

  /** The most urgent ready key, which is then processed until `done`; undefined: none is ready. */
  take(): { readonly key: string; readonly priority: Priority; readonly waitedMs: number } | undefined {
    if (this.#closed) return undefined;
    const now = this.#clock.monotonic();
    this.#promote(now);
    for (let node = this.#ready.pop(); node !== undefined; node = this.#ready.pop()) {
      const { entry } = node;
      if (entry.place !== 'ready' || entry.priority !== node.priority) continue;
      entry.place = 'taken';
      this.#waiting.delete(entry.key);
      this.#processing.set(entry.key, { since: now, again: undefined });
      const waitedMs = now - Math.max(entry.addedAt, entry.readyAt);
      this.#instruments?.taken(waitedMs / 1_000);
      return { key: entry.key, priority: entry.priority, waitedMs };
    }
    return undefined;
  }

  done(key: string): void {
    const processing = this.#processing.get(key);
    if (processing === undefined) return;
    this.#processing.delete(key);
    this.#instruments?.done((this.#clock.monotonic() - processing.since) / 1_000);
    const { again } = processing;
    if (again !== undefined && !this.#closed) this.#insert(key, again.priority, again.readyAt, this.#clock.monotonic());
  }

  /** Takes nothing in and gives nothing out any more; what is being processed may finish. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#waiting.clear();
  }

  #promote(now: number): void {
    for (let node = this.#delayed.peek(); node !== undefined && node.readyAt <= now; node = this.#delayed.peek()) {
      this.#delayed.pop();
      const { entry } = node;
      if (entry.place !== 'delayed' || entry.readyAt !== node.readyAt) continue;
      entry.place = 'ready';
      this.#ready.push({ entry, priority: entry.priority, readyAt: entry.readyAt, order: entry.order });
    }
  }

  #arm(): void {
    const next = this.#delayed.peek();
    if (next === undefined || next.readyAt >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = next.readyAt;
    // Whole milliseconds, rounded up: a timer that fires a hair early would be set again for no time at all.
    const delayMs = Math.max(1, Math.ceil(next.readyAt - this.#clock.monotonic()));
    this.#cancelTimer = this.#clock.schedule(delayMs, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#cancelTimer = undefined;
      this.#promote(this.#clock.monotonic());
      this.#arm();
      this.#onReady();
    });
  }
}
