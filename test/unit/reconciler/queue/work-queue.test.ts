import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRIORITY, type Priority, WorkQueue } from '../../../../src/reconciler/queue/work-queue.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

interface Waiting {
  priority: Priority;
  readyAt: number;
  readonly order: number;
}

/** The queue as its contract tells it: a list that is searched from end to end. */
class NaiveQueue {
  now = 0;
  closed = false;
  readonly waiting = new Map<string, Waiting>();
  readonly processing = new Map<string, { since: number; again?: { priority: Priority; readyAt: number } }>();
  #orders = 0;

  add(key: string, priority: Priority, delayMs: number): void {
    if (this.closed) return;
    const next = { priority, readyAt: this.now + delayMs };
    const processing = this.processing.get(key);
    if (processing !== undefined) processing.again = merged(processing.again, next);
    else this.#wait(key, next);
  }

  take(): string | undefined {
    if (this.closed) return undefined;
    const [best] = [...this.waiting]
      .filter(([, each]) => each.readyAt <= this.now)
      .sort(([, a], [, b]) => b.priority - a.priority || a.order - b.order);
    if (best === undefined) return undefined;
    this.waiting.delete(best[0]);
    this.processing.set(best[0], { since: this.now });
    return best[0];
  }

  done(key: string): void {
    const again = this.processing.get(key)?.again;
    this.processing.delete(key);
    if (again !== undefined && !this.closed) this.#wait(key, again);
  }

  close(): void {
    this.closed = true;
    this.waiting.clear();
  }

  #wait(key: string, next: { priority: Priority; readyAt: number }): void {
    const known = this.waiting.get(key);
    const order = known?.order ?? this.#orders++;
    this.waiting.set(key, { ...merged(known, next), order });
  }
}

const merged = <T extends { priority: Priority; readyAt: number }>(known: T | undefined, next: T): T =>
  known === undefined
    ? next
    : {
        ...next,
        priority: Math.max(known.priority, next.priority) as Priority,
        readyAt: Math.min(known.readyAt, next.readyAt),
      };

const anyKey = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const anyPriority = fc.constantFrom(...Object.values(PRIORITY));
const anyOperation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      key: anyKey,
      priority: anyPriority,
      delayMs: fc.constantFrom(0, 0, 1, 5, 10, 100),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('done' as const), key: anyKey }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 4, 9, 50) }) },
);

describe('the work queue', () => {
  it('does what the naive one does, whatever is asked of it in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOperation, { maxLength: 60 }), fc.nat(200), async (operations, closeAt) => {
        const clock = new VirtualClock();
        let calls = 0;
        const queue = new WorkQueue(clock);
        queue.onReady(() => {
          calls += 1;
        });
        const model = new NaiveQueue();
        for (const [index, operation] of operations.entries()) {
          if (index === closeAt) {
            queue.close();
            model.close();
          }
          switch (operation.do) {
            case 'add':
              queue.add(operation.key, operation);
              model.add(operation.key, operation.priority, operation.delayMs);
              break;
            case 'take': {
              const before = new Set(model.processing.keys());
              const taken = queue.take();
              expect(taken?.key).toBe(model.take());
              // Never twice at once.
              if (taken !== undefined) {
                expect(before.has(taken.key)).toBe(false);
                expect(taken.waitedMs).toBeGreaterThanOrEqual(0);
              }
              break;
            }
            case 'done':
              queue.done(operation.key);
              model.done(operation.key);
              break;
            case 'advance': {
              const due = (at: number) => [...model.waiting.values()].some((each) => each.readyAt <= at);
              const woken = !due(model.now) && due(model.now + operation.ms);
              calls = 0;
              await clock.advance(operation.ms);
              model.now += operation.ms;
              if (woken) expect(calls).toBeGreaterThan(0);
            }
          }
          expect(queue.depth).toBe(model.waiting.size);
          expect(queue.processing).toBe(model.processing.size);
          const since = [...model.processing.values()].map((each) => model.now - each.since);
          expect(queue.longestRunningMs()).toBe(Math.max(0, ...since));
        }
        // Nothing is lost: all that waits is handed out in the end.
        for (const key of [...model.processing.keys()]) {
          queue.done(key);
          model.done(key);
        }
        await clock.advance(1_000);
        model.now += 1_000;
        for (let expected = model.take(); expected !== undefined; expected = model.take()) {
          expect(queue.take()?.key).toBe(expected);
        }
        expect(queue.take()).toBeUndefined();
        expect(queue.depth).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    { delayMs: Number.POSITIVE_INFINITY, readyAfter: 2 ** 31 - 1 },
    { delayMs: 2 ** 40, readyAfter: 2 ** 31 - 1 },
    { delayMs: 2 ** 31, readyAfter: 2 ** 31 - 1 },
    { delayMs: -1, readyAfter: 0 },
    { delayMs: Number.NaN, readyAfter: 0 },
  ])('a delay of $delayMs ms is one of $readyAfter', async ({ delayMs, readyAfter }) => {
    const clock = new VirtualClock();
    let readies = 0;
    const queue = new WorkQueue(clock);
    queue.onReady(() => {
      readies += 1;
    });
    queue.add('a', { delayMs });
    if (readyAfter > 0) {
      await clock.advance(readyAfter - 1);
      expect(queue.take()).toBeUndefined();
      await clock.advance(1);
    }
    expect(readies).toBe(1);
    expect(queue.take()?.key).toBe('a');
  });

  it('tells how long a key waited from when it was ready', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue(clock);
    queue.add('a', { delayMs: 100 });
    await clock.advance(130);
    expect(queue.take()?.waitedMs).toBe(30);
  });

  it('closed, it gives out nothing and sets no timer; work under way ends', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue(clock);
    queue.add('working');
    queue.take();
    queue.add('ready');
    queue.add('later', { delayMs: 10 });
    queue.add('working');
    queue.close();
    queue.add('new');
    expect(clock.pending).toBe(0);
    await clock.advance(100);
    expect(queue.take()).toBeUndefined();
    queue.done('working');
    expect([queue.take(), queue.depth, queue.processing]).toEqual([undefined, 0, 0]);
  });
});
