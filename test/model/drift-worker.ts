/** A thread that plays one row of docs/drift.md with a mutation. */
import { parentPort, workerData } from 'node:worker_threads';
import { mutate } from '../simulation/mutate.ts';
import type { DriftMutant } from './drift-mutants.ts';

const mutant = workerData as DriftMutant;
mutate(mutant);
const { PLAYED, play } = await import('./drift-play.ts');

const row = PLAYED.find(({ attribute }) => attribute === mutant.row);
if (row === undefined) throw new Error(`no row is played for ${mutant.row}`);
parentPort?.postMessage(await play(row));
