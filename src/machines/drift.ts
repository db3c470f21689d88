/** Drift: which difference the operator looks after, and whether it is confirmed. */
import {
  type Attribute,
  attemptsKey,
  attributesByReason,
  type Drift,
  ENTRIES,
  type Finding,
  interrupts,
  isSameDrift,
  readDrift,
  severityRank,
  stepsFrom,
  storedAttemptsKey,
} from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { EnclaveView } from './assessment.ts';
import { conflictingSince } from './contested-drift.ts';
import { attemptsOf, type Context, canDrift, elapsed } from './context.ts';
import { isRung } from './rungs.ts';

/** The drift that is stored is of compared attributes: neither that the host is down nor that the enclave differs. */
export function isConfigurationDrift({ drift }: Pick<Lifecycle, 'drift'>): boolean {
  return readDrift(drift)?.kind === 'attributes';
}

/** What the host reports to differ; views made before attributes were named have the reason alone. */
export function reportedAttribute({ attribute, reason }: Pick<EnclaveView, 'attribute' | 'reason'>): Attribute {
  return attribute ?? attributesByReason(reason)[0] ?? 'enclave.running';
}

const NO_RANK = 4;

/**
 * It differs, is the operator's, and the policy lets it be repaired. EC2 alone decides the state of the host: where a
 * plan says otherwise, the plan's state is wrong.
 */
export function isRepairable({ verdict, owned, rung, attribute }: Finding): boolean {
  return verdict === 'Drift' && owned === 'operator' && isRung(rung) && ENTRIES[attribute].part !== 'hostState';
}

/** An apply that repairs it restarts the host. */
export function restartsHost({ verdict, attribute }: Finding): boolean {
  return verdict === 'Drift' && interrupts(attribute, 'apply');
}

/** Of a host that runs as it should: of any other, its state comes first. */
function repairable({ lifecycle, assessment: { host, findings } }: Context): readonly Finding[] {
  const runs = lifecycle.desired === 'Running' && host.verdict === 'Match' && host.state === 'running';
  return runs ? findings.filter(isRepairable) : [];
}

/** The gravest and what the same step repairs; what another writer keeps changing comes after all the rest. */
function leading(context: Context): readonly Finding[] {
  const all = repairable(context);
  if (all.length === 0) return all;
  const isConflicting = ({ attribute }: Finding) =>
    conflictingSince(context.lifecycle, attribute, context.assessment.now) !== undefined;
  const free = all.filter((each) => !isConflicting(each));
  const candidates = free.length > 0 ? free : all;
  const [lead] = [...candidates].sort((a, b) => severityRank(a.severity) - severityRank(b.severity));
  return candidates.filter(({ rung }) => rung === lead?.rung);
}

function rankOf(findings: readonly Finding[]): number {
  return Math.min(NO_RANK, ...findings.map(({ severity }) => severityRank(severity)));
}

/**
 * The attributes that are looked after: those of before that still differ, so that one that comes and goes keeps no
 * other from being seen twice; all that lead now where none of before is left, or where something worse leads.
 */
function trackedFindings(context: Context): readonly Finding[] {
  const now = leading(context);
  if (now.length === 0) return now;
  const known = readDrift(context.lifecycle.drift);
  if (known?.kind !== 'attributes' || now[0]?.rung !== known.step) return now;
  const left = now.filter(({ attribute }) => known.attributes.includes(attribute));
  return left.length === 0 || rankOf(now) < rankOf(left) ? now : left;
}

/** When the gravest of it was observed, wall time, ms; of the host and the enclave, when the host was. */
export function driftSeenAt(context: Context): number {
  const { host } = context.assessment;
  if (driftOf(context)?.kind !== 'attributes') return host.observedAt;
  const tracked = trackedFindings(context);
  return tracked.find(({ severity }) => severityRank(severity) === rankOf(tracked))?.observedAt ?? host.observedAt;
}

/** The difference between what is and what is desired that comes first, if there is any. */
export function driftOf(context: Context): Drift | undefined {
  const { lifecycle, assessment } = context;
  const { host, enclave } = assessment;
  // Whoever made it, and before whatever was applied: a paused enclave's host does not run.
  const runsPaused = lifecycle.desired === 'Paused' && host.state === 'running';
  if (!canDrift(lifecycle) && !runsPaused) return undefined;
  if (host.verdict === 'Drift') return { kind: 'host', state: host.state };
  const isReported = lifecycle.desired === 'Running' && host.verdict === 'Match' && enclave.verdict === 'Drift';
  const reported = isReported ? ({ kind: 'report', attribute: reportedAttribute(enclave) } as const) : undefined;
  const tracked = trackedFindings(context);
  const [lead] = tracked;
  if (lead === undefined || !isRung(lead.rung)) return reported;
  const compared = {
    kind: 'attributes',
    step: lead.rung,
    attributes: tracked.map(({ attribute }) => attribute).sort(),
  } as const;
  if (reported === undefined || enclave.told === true) return compared;
  // Repair steps that have been started are taken to the last, and what no step cures keeps nothing else waiting.
  const isStarted = attemptsOf(lifecycle, attemptsKey(reported)) > 0;
  const isInVain =
    attemptsOf(lifecycle, attemptsKey(compared)) >=
    stepsFrom(lead.attribute, lead.rung).length * assessment.limits.repairAttempts;
  const isGraver = rankOf(tracked) < severityRank(ENTRIES[reported.attribute].severity);
  return isGraver && !isStarted && !isInVain ? compared : reported;
}

/** True where the one is what is left of the other: what was seen of it has been seen. */
export function isRestOf(now: Drift, before: Drift | undefined): boolean {
  if (now.kind !== 'attributes' || before?.kind !== 'attributes') return isSameDrift(now, before);
  return now.step === before.step && now.attributes.every((attribute) => before.attributes.includes(attribute));
}

/** Attributes that are as they should be again, or are not to be repaired any more; of a look that shows them. */
export function settledAttributes(
  attributes: readonly Attribute[],
  findings: readonly Finding[],
): readonly Attribute[] {
  // Nothing was compared: nobody knows.
  if (findings.length === 0) return [];
  return attributes.filter((attribute) => {
    const finding = findings.find((each) => each.attribute === attribute);
    return finding === undefined || (finding.verdict !== 'Unknown' && !isRepairable(finding));
  });
}

const NOTHING: readonly Attribute[] = [];

/** What weakens the enclave, by name: what was not seen now is as it was. */
export function securityFindingsOf({ lifecycle, assessment: { findings } }: Context): readonly Attribute[] {
  const known = (lifecycle.weakened ?? NOTHING) as readonly Attribute[];
  if (known.length === 0 && !findings.some(({ verdict, security }) => security && verdict === 'Drift')) return known;
  const seen = findings.filter(
    ({ verdict, owned, security }) => security && owned === 'operator' && verdict !== 'Unknown',
  );
  const left = known.filter(
    (attribute) => findings.length === 0 || findings.some((each) => each.attribute === attribute),
  );
  const kept = left.filter((attribute) => !seen.some((each) => each.attribute === attribute));
  const drifted = seen.filter(({ verdict }) => verdict === 'Drift').map(({ attribute }) => attribute);
  return [...kept, ...drifted].sort();
}

/** How long what the host reports now is given to end by itself, ms. */
export function patienceMs({ assessment: { enclave } }: Context): number {
  return enclave.verdict === 'Drift' ? (ENTRIES[reportedAttribute(enclave)].patienceMs ?? 0) : 0;
}

/** Seen in two observations: one look may be wrong. */
export function driftConfirmed(context: Context): boolean {
  const now = driftOf(context);
  const { drift } = context.lifecycle;
  if (now === undefined || drift === undefined || !isSameDrift(now, readDrift(drift)) || drift.seen < 2) return false;
  return now.kind !== 'report' || elapsed(drift.since, context.assessment.now) >= patienceMs(context);
}

/** What is looked at closely shows within a minute what came of a repair. */
const CLOSELY_MS = 60_000;

/** A repair is over, and what it was for is looked at so seldom that looking closely at the rest shows nothing. */
export function awaitsLook({ phase, run, drift }: Pick<Lifecycle, 'phase' | 'run' | 'drift'>, now: number): boolean {
  if (phase !== 'repairing' || run !== undefined || drift === undefined || drift.seen >= 2) return false;
  return isConfigurationDrift({ drift }) && now - drift.observedAt > CLOSELY_MS;
}

/** Seen twice not to be there, or not to run: what merely differs serves all the same. */
export function confirmedDown(context: Context): boolean {
  return driftConfirmed(context) && !isConfigurationDrift(context.lifecycle);
}

/** The key under which the attempts at it are counted. */
export function driftKey(context: Context): string {
  const drift = driftOf(context);
  return drift === undefined ? storedAttemptsKey(context.lifecycle.drift) : attemptsKey(drift);
}
