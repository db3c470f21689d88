/** The drift oracle finds mistakes: a mutant of each area is played here, all of them by `npm run drift:mutants`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DRIFT_MUTANTS, FIRST_MUTANTS } from './drift-mutants.ts';
import { problemsWith } from './drift-thread.ts';

describe('the drift oracle', () => {
  it.each(FIRST_MUTANTS)('finds the mutant: $name', async (mutant) => {
    expect(await problemsWith(mutant)).not.toEqual([]);
  });

  it.each(DRIFT_MUTANTS)('has a mutant that still applies: $name', ({ file, find }) => {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(source.split(find)).toHaveLength(2);
  });
});
