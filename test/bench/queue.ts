/** How many keys a second go through the work queue. */
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { type Priority, WorkQueue } from '../../src/reconciler/queue/work-queue.ts';
import type { Figures } from './measurement.ts';
import { median } from './statistics.ts';

const KEYS = 100_000;
const ROUNDS = 5;

/** Each key that is done is added again, so that as many as ever wait; priorities are mixed. */
export async function benchQueue(): Promise<Figures> {
  const queue = new WorkQueue(systemClock);
  const priority = (n: number) => (n % 6) as Priority;
  for (let n = 0; n < KEYS; n += 1) queue.add(`enc_1755986905612_${n}`, { priority: priority(n) });
  const round = () => {
    const began = performance.now();
    for (let n = 0; n < KEYS; n += 1) {
      const taken = queue.take();
      if (taken === undefined) throw new Error('nothing is ready although all keys are');
      queue.done(taken.key);
      queue.add(taken.key, { priority: priority(n) });
    }
    return (KEYS / (performance.now() - began)) * 1_000;
  };
  round();
  const rates = Array.from({ length: ROUNDS }, round);
  if (queue.depth !== KEYS) throw new Error(`${queue.depth} keys wait, not ${KEYS}`);
  return { queue_add_get_done_per_second: Math.round(median(rates)) };
}
