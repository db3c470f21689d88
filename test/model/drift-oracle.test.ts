/**
 * The documentation as an oracle: each row of docs/drift.md is put into a world on virtual time. The operator must take
 * the row's repair steps, in their order and after its patience, and report the row's difference; `enclavectl drift` must
 * say what the row says.
 */
import { describe, expect, it } from 'vitest';
import { FAULTS_BY_ATTRIBUTE } from '../simulation/faults.ts';
import { STORED } from './drift-answers.ts';
import { ROWS } from './drift-page.ts';
import { NOT_PRODUCED, ONLY_ANSWERED, PLAYED, play } from './drift-play.ts';

describe('a difference as docs/drift.md has it', () => {
  it('has a row for every attribute, and a reason for each row that is not shown whole', () => {
    const reasons: readonly [string, Iterable<[string, string]>][] = [
      ['not produced', Object.entries(NOT_PRODUCED)],
      ['seen by `enclavectl drift ID` alone', Object.entries(ONLY_ANSWERED)],
      ['inspected by no `enclavectl drift ID`', STORED],
    ];
    for (const [what, rows] of reasons)
      for (const [attribute, why] of rows) console.info(`${what}: ${attribute}: ${why}`);
    expect(ROWS.map(({ attribute }) => attribute).sort()).toEqual(Object.keys(FAULTS_BY_ATTRIBUTE).sort());
  });

  it.each(PLAYED)('$attribute is reported, repaired and answered as its row says', async (row) => {
    expect(await play(row)).toEqual([]);
  });
});
