/** Time that moves only when a test moves it; seeded randomness. */
import { setImmediate as nextMacrotask } from 'node:timers/promises';
import type { Clock, Random } from '../../src/reconciler/ports/index.ts';
import { sleepOn } from '../../src/reconciler/ports/system-clock.ts';

interface Timer {
  readonly dueMs: number;
  /** Timers due at one instant fire in the order they were set. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Where a test does not care: a round instant that is easy to recognize in failures. */
export const VIRTUAL_START_MS = Date.parse('2030-01-01T00:00:00.000Z');

/**
 * A `Clock` on virtual time.
 *
 * Guarantees: due callbacks fire in order of due time, then of scheduling; before each instant and after it, all
 * promise reactions run to the end, so that what a callback set going has scheduled its own timers by then.
 * Assumptions: the code under test waits on this clock and on promises only. Real I/O is not awaited by `advance`.
 */
export class VirtualClock implements Clock {
  #wallMs: number;
  #elapsedMs = 0;
  #order = 0;
  #live = 0;
  #advancing = false;
  /** Binary heap on (dueMs, order). Cancelled timers stay until they surface. */
  readonly #heap: Timer[] = [];

  constructor(startMs: number = VIRTUAL_START_MS) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** `now()` as the stored items spell it. */
  iso(): string {
    return new Date(this.now()).toISOString();
  }

  /** Number of callbacks that wait. */
  get pending(): number {
    return this.#live;
  }

  /** Steps the wall clock alone, as NTP does; back is allowed, as it is there. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    if (Number.isNaN(delayMs)) throw new RangeError('a timer of NaN ms');
    const delay = Math.min(Math.max(delayMs, 0), 2 ** 31 - 1);
    const timer: Timer = { dueMs: this.#elapsedMs + delay, order: this.#order++, callback };
    this.#push(timer);
    this.#live += 1;
    return () => {
      if (timer.callback === undefined) return;
      timer.callback = undefined;
      this.#live -= 1;
    };
  }

  readonly sleep = sleepOn((delayMs, callback) => this.schedule(delayMs, callback));

  /** Moves time on by `ms`, firing what falls due on the way, what was scheduled on the way included. */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`time does not go back: ${ms} ms`);
    await this.#exclusively(async () => {
      const untilMs = this.#elapsedMs + ms;
      await this.flush();
      while (await this.#fireNext(untilMs)) await this.flush();
      this.#elapsedMs = untilMs;
    });
  }

  /** Moves from instant to instant until the condition holds; throws when it does not within `limitMs`. */
  async advanceUntil(condition: () => boolean, limitMs: number, what = 'the condition'): Promise<void> {
    await this.#exclusively(async () => {
      const untilMs = this.#elapsedMs + limitMs;
      await this.flush();
      while (!condition()) {
        if (!(await this.#fireNext(untilMs))) throw new Error(`${what} did not hold within ${limitMs} virtual ms`);
        await this.flush();
      }
    });
  }

  /** Lets every promise reaction run, without moving time. */
  async flush(): Promise<void> {
    await nextMacrotask();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#advancing) throw new Error('advance() inside advance(): time has one mover');
    this.#advancing = true;
    try {
      await work();
    } finally {
      this.#advancing = false;
    }
  }

  /** Fires the next timer due by `untilMs`; false if there is none. */
  async #fireNext(untilMs: number): Promise<boolean> {
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      const { callback } = next;
      if (callback === undefined) continue;
      next.callback = undefined;
      this.#live -= 1;
      this.#elapsedMs = next.dueMs;
      callback();
      return true;
    }
    return false;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs;
}

/** The same seed gives the same sequence, on every machine (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
  return { next, id: (length) => Array.from({ length }, () => alphabet[Math.floor(next() * 36)]).join('') };
}
