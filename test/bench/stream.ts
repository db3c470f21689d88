/** From a put to the start of its execution under a steady load, with nothing but the operator in the way. */
import { setTimeout as pause } from 'node:timers/promises';
import { appOf } from '../support/app.ts';
import { type Embedded, eventually, startEmbedded } from '../support/embedded.ts';
import { delays, startsByEnclave } from './executions.ts';
import type { Figures, Keep } from './measurement.ts';
import { percentile } from './statistics.ts';

/** Not measured: a process runs its first hundred requests several times slower than all later ones. */
const WARM_UP = 100;
const RECORDS = 1_000;
const EVERY_MS = 20;
/** Production's pace: the local one is for a handful of hosts. */
const PACE = { ENCLAVE_OPERATOR_OBSERVE_MS: '5000', ENCLAVE_OPERATOR_RUN_BACKSTOP_MS: '60000' };

/**
 * 50 runner processes a second would need more machine than the operator that is measured: ECS is out of capacity, and
 * the workflows wait for it to come back, which they never see.
 */
async function takeCapacityAway({ endpoints }: Embedded): Promise<void> {
  const response = await fetch(endpoints.aws, {
    method: 'POST',
    headers: { 'x-amz-target': 'EnclaveOperatorLocal.FailLaunches' },
    body: JSON.stringify({ times: 2 * (WARM_UP + RECORDS) }),
  });
  if (!response.ok) throw new Error(await response.text());
}

export async function benchStream(keep: Keep): Promise<Figures> {
  const embedded = await startEmbedded({
    operatorEnv: { ...PACE, ENCLAVE_OPERATOR_MAX_RUNS: '10000' },
    aws: { launchPauseSeconds: 3_600 },
  });
  try {
    await takeCapacityAway(embedded);
    const app = appOf(embedded);
    const puts = new Map<string, number>();
    const pending: Promise<void>[] = [];
    const began = performance.now();
    for (let n = -WARM_UP; n < RECORDS; n += 1) {
      await pause(Math.max(0, began + (WARM_UP + n) * EVERY_MS - performance.now()));
      const id = n < 0 ? `enc_warm_${-n}` : `enc_stream_${n}`;
      pending.push(app.post(id).then(() => void (n < 0 || puts.set(id, Date.now()))));
    }
    await Promise.all(pending);
    const starts = await eventually(
      `${WARM_UP + RECORDS} executions`,
      async () => {
        await pause(500);
        const found = await startsByEnclave(embedded);
        return found.size === WARM_UP + RECORDS && found;
      },
      120_000,
    );
    return keep({ stream_to_start_p99_ms: Math.round(percentile(delays(puts, starts), 99)) });
  } catch (error) {
    throw new Error(`${String(error)}\n${embedded.logs(20)}`, { cause: error });
  } finally {
    await embedded.stop();
  }
}
