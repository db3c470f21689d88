/** `npm run sim -- --seeds N --from S [--mutant NAME] [--trace] [--hours H]`. */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    hours: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const from = Number(values.from);
for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
  const began = performance.now();
  const result = await simulate(seed, { hours: values.hours === undefined ? undefined : Number(values.hours) });
  const { violation } = result;
  if (values.trace) console.log(result.lines.join('\n'));
  console.log(
    seed,
    result.digest,
    violation === undefined ? 'ok' : `${violation.rule}: ${violation.message}`,
    `runs ${result.runs} virtual ${Math.round(result.virtualMs / 60000)} min, lines ${result.lines.length}, ${Math.round(performance.now() - began)} ms`,
  );
}
