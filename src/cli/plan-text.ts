/** A plan as a person reads it. */
import type { Planned } from '../enclave/items/plan.ts';
import type { Io } from './io.ts';
import { nameLines } from './output.ts';
import { renderTable } from './table.ts';

const KINDS = ['create', 'update', 'replace', 'delete'] as const;

/** What of it would change, and what it is called by. */
export function planText(io: Io, id: string, planned: Planned): string {
  const { verdict, generation, at, run, summary, digest, failure, differences = [] } = planned;
  const counted = summary === undefined ? undefined : KINDS.map((kind) => `${summary[kind]} to ${kind}`).join(', ');
  const lines = nameLines([
    ['Id', id],
    ['Generation', String(generation)],
    ['Verdict', verdict],
    ['Resources', counted],
    ['Failure', failure === undefined ? undefined : `${failure.class}: ${failure.message}`],
    ['Planned', `${at} by ${run}`],
    ['Digest', digest],
  ]);
  if (differences.length === 0) return lines;
  const rows = differences.map(({ address, attributes }) => [address, attributes.join(', ')]);
  return `${lines}\n${renderTable(io, ['ADDRESS', 'ATTRIBUTES'], rows)}`;
}
