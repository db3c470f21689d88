/** Writing a run's outcome, for as long as the task has. */
import type { Outcome } from '../../src/enclave/items/run.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Within ECS' stop timeout of 120 s. */
const SETTLE_FOR_MS = 90_000;
const SETTLE_PAUSE_MS = 1_000;

/** Tries long and hard: without an outcome nobody learns what the run did. */
export async function settle(
  parts: {
    readonly store: { settle(taskArn: string, outcome: Outcome): Promise<'settled' | 'already'> };
    readonly clock: Clock;
    readonly log: Log;
  },
  taskArn: string,
  outcome: Outcome,
): Promise<void> {
  const { store, clock, log } = parts;
  const giveUpAt = clock.monotonic() + SETTLE_FOR_MS;
  for (;;) {
    try {
      const written = await store.settle(taskArn, outcome);
      if (written === 'already') log.warn('the run had been concluded by another; its outcome stays');
      return;
    } catch (error) {
      if (clock.monotonic() >= giveUpAt) throw error;
      const why = error instanceof Error ? error.message : String(error);
      log.warn(`the outcome could not be written and is tried again: ${why}`);
      await clock.sleep(SETTLE_PAUSE_MS);
    }
  }
}
