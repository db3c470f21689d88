/** From a put to the start of its execution, on the local stack as `npm start` configures it. */
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { appOf } from '../support/app.ts';
import { startEmbedded } from '../support/embedded.ts';
import { delays, startsByEnclave } from './executions.ts';
import type { Figures, Keep } from './measurement.ts';
import { percentile } from './statistics.ts';

const ROUNDS = 5;
/** Long enough for every poll of an idle stream to have reached its longest pause. */
const IDLE_MS = 2_000;

/** Only the simulated cloud is hurried, so that the runs of one round free their slots for the next. */
export async function benchPut(keep: Keep): Promise<Figures> {
  const atOnce = ConfigSchema.parse({}).maxRuns;
  const embedded = await startEmbedded({ speed: 100 });
  try {
    const app = appOf(embedded);
    const puts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      // Not always at the same point of the poll's pause.
      await pause(IDLE_MS + 500 * Math.random());
      const ids = Array.from({ length: atOnce }, (_, n) => `enc_put_${round}_${n}`);
      await Promise.all(
        ids.map(async (id) => {
          await app.post(id);
          puts.set(id, Date.now());
        }),
      );
      for (const id of ids) await app.until(id, 'DEPLOYED', 120_000);
    }
    return keep({ put_to_start_p99_ms: Math.round(percentile(delays(puts, await startsByEnclave(embedded)), 99)) });
  } catch (error) {
    throw new Error(`${String(error)}\n${embedded.logs(20)}`, { cause: error });
  } finally {
    await embedded.stop();
  }
}
