/** `npm run drift:mutants [-- PART_OF_A_NAME]`: plays the mutants of the drift oracle, and fails where one is not found. */
import { DRIFT_MUTANTS } from './drift-mutants.ts';
import { problemsWith } from './drift-thread.ts';

const [part = ''] = process.argv.slice(2);
let missed = 0;
for (const mutant of DRIFT_MUTANTS.filter(({ name }) => name.includes(part))) {
  const [first] = await problemsWith(mutant);
  if (first === undefined) missed += 1;
  console.log(
    `${first === undefined ? 'MISSED' : 'found'}  ${mutant.name} (${mutant.row})${first ? `\n       ${first.slice(0, 160)}` : ''}`,
  );
}
process.exitCode = missed === 0 ? 0 : 1;
