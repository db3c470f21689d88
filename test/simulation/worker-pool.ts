/** Plays many seeds on several threads, in order of seeds. */
import { Worker } from 'node:worker_threads';
import type { Mutant } from './mutants.ts';
import type { Result } from './simulate.ts';

export interface Job {
  readonly mutant?: Mutant | undefined;
}

/** A result as it travels between threads: the trace only where something is to be read in it. */
export type Report = Omit<Result, 'settings'> & { readonly faults: readonly string[] };

export interface CrewOptions extends Job {
  readonly from: number;
  readonly seeds: number;
  readonly threads: number;
  readonly hours?: number | undefined;
}

/**
 * Plays the seeds, and tells each report as it comes. Stops when told to, and where a thread cannot work: then it
 * rejects.
 */
export async function play(options: CrewOptions, tell: (report: Report) => 'on' | 'stop'): Promise<void> {
  const { from, seeds, threads, mutant, hours } = options;
  let next = from;
  let stopped = false;
  const one = async (): Promise<void> => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { mutant } satisfies Job });
    try {
      while (!stopped && next < from + seeds) {
        const seed = next;
        next += 1;
        const report = await new Promise<Report>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
          worker.postMessage({ seed, hours });
        });
        worker.removeAllListeners('error');
        if (tell(report) === 'stop') stopped = true;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(threads, seeds)) }, one));
}
