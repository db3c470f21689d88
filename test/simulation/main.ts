/**
 * Plays seeds: `npm run sim -- --seeds N --from S [--threads T] [--hours H] [--mutant NAME] [--stop] [--trace]`, or
 * fleets that drift, one a seed: `npm run sim -- --drift 2000 --seeds N --from S`.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MASSES, playDrift } from './drift.ts';
import { MUTANTS } from './mutants.ts';
import { summaryOf } from './report.ts';
import { play, type Report } from './worker-pool.ts';

async function playFleets(fleet: number, from: number, seeds: number): Promise<void> {
  for (let seed = from; seed < from + seeds; seed += 1) {
    const mass = MASSES[seed % MASSES.length];
    const began = performance.now();
    const { violations, changed, reported, repairs, virtualMs } = await playDrift(seed, fleet, mass);
    const took = `${Math.round((performance.now() - began) / 1_000)} s`;
    const hours = `${(virtualMs / 3_600_000).toFixed(1)} virtual hours`;
    const what = `${changed} changed, ${reported.size} rows reported, ${repairs} repairs`;
    console.log(`seed ${seed}: ${fleet} enclaves, all ${mass}: ${what}, ${hours} in ${took}`);
    for (const violation of violations) console.log(`  VIOLATION ${violation}`);
    if (violations.length > 0) process.exitCode = 1;
  }
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    hours: { type: 'string' },
    mutant: { type: 'string' },
    drift: { type: 'string' },
    trace: { type: 'boolean', default: false },
    stop: { type: 'boolean', default: false },
  },
});

if (values.drift !== undefined) {
  await playFleets(Number(values.drift), Number(values.from), Number(values.seeds));
  process.exit();
}

const mutant = MUTANTS.find(({ name }) => name === values.mutant);
if (values.mutant !== undefined && mutant === undefined) {
  console.error(`no mutant "${values.mutant}"; there are: ${MUTANTS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const hours = values.hours === undefined ? undefined : Number(values.hours);
const began = performance.now();
const failed: Report[] = [];
let played = 0;
let virtualMs = 0;

await play(
  { from: Number(values.from), seeds: Number(values.seeds), threads: Number(values.threads), hours, mutant },
  (report) => {
    played += 1;
    virtualMs += report.virtualMs;
    if (report.violation !== undefined) failed.push(report);
    else if (values.trace) console.log(report.digest);
    return values.stop && failed.length > 0 ? 'stop' : 'on';
  },
);

const more = `${values.hours ? ` --hours ${values.hours}` : ''}${mutant ? ` --mutant '${mutant.name}'` : ''}`;
for (const report of failed.sort((a, b) => a.seed - b.seed)) {
  if (values.trace) console.log(report.lines.join('\n'));
  console.log(summaryOf(report, more));
}
const minutes = (performance.now() - began) / 60_000;
console.log(
  `${played} seeds, ${failed.length} failed, ${Math.round(played / minutes)} seeds a minute, ` +
    `${Math.round(virtualMs / 3_600_000 / minutes)} virtual hours a minute`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
