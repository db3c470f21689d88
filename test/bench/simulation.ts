/** How fast the simulation plays. */
import { availableParallelism } from 'node:os';
import { play } from '../simulation/worker-pool.ts';
import type { Figures } from './measurement.ts';

const SEEDS = 60;

export async function benchSimulation(): Promise<Figures> {
  const began = performance.now();
  let virtualMs = 0;
  await play({ from: 1, seeds: SEEDS, threads: availableParallelism() }, (report) => {
    if (report.violation !== undefined) throw new Error(`seed ${report.seed}: ${report.violation.message}`);
    virtualMs += report.virtualMs;
    return 'on';
  });
  const minutes = (performance.now() - began) / 60_000;
  return {
    sim_seeds_per_minute: Math.round(SEEDS / minutes),
    sim_virtual_hours_per_minute: Math.round(virtualMs / 3_600_000 / minutes),
  };
}
