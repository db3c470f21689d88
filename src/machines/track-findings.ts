/** Noting findings: what differs and since when, for people who ask; a decision reads the findings themselves. */
import { ENTRIES, isAttribute } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Context } from './context.ts';

type Noted = NonNullable<Lifecycle['findings']>;

/** What was not observed now is as it was; what nobody compares any more is forgotten. Bounded: one for each attribute. */
export function trackFindings({ lifecycle, assessment }: Context): Lifecycle {
  const { findings, enclave, now } = assessment;
  const { findings: before, ...rest } = lifecycle;
  const known = lifecycle.desired === 'Absent' ? [] : (before ?? []);
  const isCompared = lifecycle.desired === 'Running' && assessment.uncompared !== true;
  const reported = isCompared ? enclave.findings : [];
  const drifted = [...findings, ...(reported ?? [])].filter(({ verdict }) => verdict === 'Drift');
  const isUnseen = (attribute: string) => {
    const seen = isReported(attribute) ? reported : findings.length === 0 ? undefined : findings;
    return seen === undefined || seen.some((each) => each.attribute === attribute && each.verdict === 'Unknown');
  };
  const isDrifted = (attribute: string) => drifted.some((each) => each.attribute === attribute);
  const noted: Noted = known.filter(({ attribute }) => isUnseen(attribute) && !isDrifted(attribute));
  for (const { attribute, severity, rung } of drifted) {
    const since = known.find((each) => each.attribute === attribute)?.since ?? new Date(now).toISOString();
    noted.push({ attribute, severity, repair: rung, since });
  }
  noted.sort((a, b) => (a.attribute < b.attribute ? -1 : 1));
  if (noted.length > 0) return { ...rest, findings: noted };
  return before === undefined ? lifecycle : rest;
}

function isReported(attribute: string): boolean {
  return isAttribute(attribute) && ENTRIES[attribute].part === 'report';
}
