/** The controller by itself: how many reconciles go on at once, and which is next. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../src/reconciler/config.ts';
import { Controller } from '../../../src/reconciler/controller.ts';
import { RunSlots } from '../../../src/reconciler/limits/run-slots.ts';
import { createMetrics } from '../../../src/reconciler/metrics/index.ts';
import { OperatorError } from '../../../src/reconciler/ports/index.ts';
import { Progress } from '../../../src/reconciler/progress.ts';
import { Retries } from '../../../src/reconciler/queue/retries.ts';
import { PRIORITY, WorkQueue } from '../../../src/reconciler/queue/work-queue.ts';
import type { ReconcileResult } from '../../../src/reconciler/reconcile/reconcile.ts';
import { memoryLog } from '../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../support/virtual-clock.ts';

const SECOND = 1_000;
const DONE: ReconcileResult = { kind: 'done', requeueAfterMs: 3_600_000, changed: false, asked: false };

let clock: VirtualClock;
let queue: WorkQueue;
let retries: Retries;
let requested: Set<string>;
let begun: string[];
let atOnce: number;
let mostAtOnce: number;
let answer: (id: string, isRequested: boolean) => ReconcileResult;
let controller: Controller;

beforeEach(() => {
  clock = new VirtualClock();
  queue = new WorkQueue(clock);
  begun = [];
  atOnce = 0;
  mostAtOnce = 0;
  requested = new Set();
  answer = () => DONE;
  const config = ConfigSchema.parse({ workers: 3 });
  const ports = { clock, log: memoryLog(), random: seededRandom(1) };
  const term = { epoch: 1, lost: new AbortController().signal };
  retries = new Retries({ ports, config, queue });
  controller = new Controller({
    ports,
    config,
    term,
    metrics: createMetrics(),
    queue,
    reconcile: async ({ id, requested: isRequested }) => {
      begun.push(id);
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      await clock.sleep(SECOND);
      atOnce -= 1;
      return answer(id, isRequested);
    },
    retries,
    slots: new RunSlots({ clock, max: 1, maxPerOwner: 0, createsPerSecond: 0, wake: () => {} }),
    repairs: { close: () => {} },
    driftAnswers: { stop: async () => {} },
    requested,
    progress: new Progress({
      clock,
      config,
      term,
      feed: { synced: true, streamless: false, lastPollAt: () => undefined },
      queue,
      publishes: { longerThan: () => [] },
    }),
    runnables: [],
    fleet: {
      now: () => clock.now(),
      survey: () => undefined,
      info: () => [],
      openBreakers: () => 0,
      orphans: () => 0,
      conflicting: () => retries.conflicting,
      deletionsHeld: () => undefined,
    },
  });
  controller.start();
});

describe('the controller', () => {
  it('reconciles as many enclaves at once as it has workers, and no more', async () => {
    for (let n = 0; n < 10; n += 1) queue.add(`enc_${n}`);
    await clock.advance(2.5 * SECOND);
    expect(mostAtOnce).toBe(3);
    expect(begun).toHaveLength(9);
    await clock.advance(2 * SECOND);
    expect(begun).toHaveLength(10);
  });

  it('starts all workers where one timer makes several enclaves ready', async () => {
    for (let n = 0; n < 3; n += 1) queue.add(`enc_${n}`, { delayMs: 500 });
    await clock.advance(600);
    expect(atOnce).toBe(3);
  });

  it('takes the most urgent enclave at the moment a worker is free', async () => {
    for (let n = 0; n < 6; n += 1) queue.add(`enc_${n}`, { priority: PRIORITY.resync });
    await clock.advance(500);
    queue.add('urgent', { priority: PRIORITY.delete });
    await clock.advance(SECOND);
    expect(begun.slice(3, 4)).toEqual(['urgent']);
  });

  it('reads requests again after a reconcile that conflicted or failed', async () => {
    const seen: boolean[] = [];
    const results: (() => ReconcileResult)[] = [
      () => ({ kind: 'conflict' }),
      () => {
        throw new OperatorError('Transient', 'dynamodb:GetItem', 'unavailable');
      },
      () => DONE,
    ];
    answer = (_id, isRequested) => {
      seen.push(isRequested);
      return results.shift()?.() ?? DONE;
    };
    requested.add('enc_0');
    queue.add('enc_0');
    await clock.advance(60 * SECOND);
    expect(seen).toEqual([true, true, true]);
    expect(requested.size).toBe(0);
  });

  it('counts an enclave as conflicting after more conflicts in a row than lost races explain', async () => {
    answer = () => ({ kind: 'conflict' });
    queue.add('enc_0');
    await clock.advance(3.5 * SECOND);
    expect(retries.conflicting).toBe(0);
    await clock.advance(2 * SECOND);
    expect(retries.conflicting).toBe(1);
    answer = () => DONE;
    await clock.advance(60 * SECOND);
    expect(retries.conflicting).toBe(0);
  });
});
