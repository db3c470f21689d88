/** Noting findings: what differs and since when, for people who ask; a decision reads the findings themselves. */
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import type { Context } from './context.ts';

type Noted = NonNullable<Lifecycle['findings']>;

/** What was not seen now is as it was; what nobody compares any more is forgotten. Bounded: one for each attribute. */
export function noteFindings({ lifecycle, assessment: { findings, now } }: Context): Lifecycle {
  const { findings: before, ...rest } = lifecycle;
  const known = lifecycle.desired === 'Absent' ? [] : (before ?? []);
  const isUnseen = (attribute: string) =>
    findings.length === 0 || findings.some((each) => each.attribute === attribute && each.verdict === 'Unknown');
  const noted: Noted = known.filter(({ attribute }) => isUnseen(attribute));
  for (const { attribute, severity, rung, verdict } of findings) {
    if (verdict !== 'Drift') continue;
    const since = known.find((each) => each.attribute === attribute)?.since ?? new Date(now).toISOString();
    noted.push({ attribute, severity, repair: rung, since });
  }
  noted.sort((a, b) => (a.attribute < b.attribute ? -1 : 1));
  if (noted.length > 0) return { ...rest, findings: noted };
  return before === undefined ? lifecycle : rest;
}
