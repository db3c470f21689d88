/** A worker pool that plays many seeds on several threads, in the order of seeds. */
import { Worker } from 'node:worker_threads';
import type { Mutant } from './mutants.ts';
import type { Result } from './simulate.ts';

export interface Job {
  readonly mutant?: Mutant | undefined;
}

/** A result as it travels between threads; it holds the trace only if an invariant was violated. */
export type Report = Omit<Result, 'settings'> & { readonly faults: readonly string[] };

export interface PoolOptions extends Job {
  readonly from: number;
  readonly seeds: number;
  readonly threads: number;
  readonly hours?: number | undefined;
}

/**
 * Plays the seeds, and calls `onReport` with each report as it comes. Ends early when that returns `stop`; rejects when
 * a thread fails.
 */
export async function play(options: PoolOptions, onReport: (report: Report) => 'on' | 'stop'): Promise<void> {
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
        if (onReport(report) === 'stop') stopped = true;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(threads, seeds)) }, one));
}
