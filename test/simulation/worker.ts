/** A thread that plays seeds, with or without a mutation. */
import { parentPort, workerData } from 'node:worker_threads';
import { mutate } from './mutate.ts';
import type { Job, Report } from './worker-pool.ts';

const { mutant } = workerData as Job;
if (mutant !== undefined) mutate(mutant);
const { simulate } = await import('./simulate.ts');

parentPort?.on('message', async ({ seed, hours }: { readonly seed: number; readonly hours?: number }) => {
  const { settings, lines, ...result } = await simulate(seed, { hours });
  const report: Report = {
    ...result,
    faults: [...settings.faults],
    lines: result.violation === undefined ? [] : lines,
  };
  parentPort?.postMessage(report);
});
