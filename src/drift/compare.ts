/** Compare: what was seen of an enclave against what it should be, attribute by attribute. */
import { ATTRIBUTES, type Attribute, ENTRIES } from './attributes.ts';
import type { Finding } from './finding.ts';
import { describe, verdictOf } from './judgement.ts';
import type { Observed, Wanted } from './observed.ts';
import { baseOf } from './repair.ts';

export interface CompareOptions {
  /** @default all attributes */
  readonly only?: ReadonlySet<Attribute>;
  /** Only what differs is put into words: most looks find nothing, and words cost more than the comparison. */
  readonly brief?: boolean;
}

/** Every entry with what a finding takes from it, in the order of {@link ATTRIBUTES}. */
export const ROWS = ATTRIBUTES.map((attribute) => ({
  attribute,
  judge: ENTRIES[attribute].judge,
  ...baseOf(attribute),
}));

/**
 * One finding for every attribute the enclave has.
 *
 * *Guarantees*: pure and total. What was not seen, and what nobody knows how it should be, is Unknown and never Drift.
 * Tags, groups' names and policies are data: whatever they hold, a finding's texts are short and printable.
 * *Caveats*: a report's part is the host's own word.
 */
export function compare(
  wanted: Wanted,
  observed: Observed,
  { only, brief = false }: CompareOptions = {},
): readonly Finding[] {
  const findings: Finding[] = [];
  for (const row of ROWS) {
    if (only?.has(row.attribute) === false) continue;
    const finding = findingOf(row, wanted, observed, brief);
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}

function findingOf(
  row: (typeof ROWS)[number],
  wanted: Wanted,
  observed: Observed,
  brief: boolean,
): Finding | undefined {
  const judgement = row.judge(wanted, observed);
  if (judgement === undefined) return undefined;
  const { facets, severity = row.severity, rung = row.rung, owned = row.owned } = judgement;
  const verdict = verdictOf(facets);
  const isTold = verdict === 'Drift' || !brief;
  const shown = verdict === 'Drift' ? facets.filter((each) => each.verdict === 'Drift') : facets;
  return {
    attribute: row.attribute,
    desired: isTold ? describe(shown, 'desired') : undefined,
    observed: isTold && verdict !== 'Unknown' ? describe(shown, 'observed') : undefined,
    verdict,
    severity,
    rung,
    owned,
    security: row.security,
    observedAt: observed.observedAt,
  };
}
