/** Plays the row of a mutant on a thread of its own, so that no other module of this process is mutated. */
import { Worker } from 'node:worker_threads';
import type { DriftMutant } from './drift-mutants.ts';

/** What the oracle holds against it; nothing: it is not found. Rejects where the mutant cannot be played. */
export async function problemsWith(mutant: DriftMutant): Promise<readonly string[]> {
  const worker = new Worker(new URL('./drift-worker.ts', import.meta.url), { workerData: mutant });
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}
