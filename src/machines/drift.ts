/** Drift: which difference is looked after, what it is called, and which rung of its ladder is next. */
import type { Attribute, Finding, Severity } from '../drift/index.ts';
import type { Reason } from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { attemptsOf, type Context, canDrift, elapsed } from './context.ts';

/** Rungs of the repair ladder. */
export const RUNGS = ['startHost', 'restartEnclave', 'restartAllocator', 'restartHost', 'apply', 'replace'] as const;
export type Rung = (typeof RUNGS)[number];

const isRung = (word: string | undefined): word is Rung => (RUNGS as readonly string[]).includes(word ?? '');

/** Attributes that differ and are repaired together: `apply:host.metadata,tags`. */
interface Tracked {
  readonly rung: Rung;
  readonly attributes: readonly string[];
}

/** Undefined where the fingerprint is of the host's state or of what the enclave reports. */
function trackedOf(fingerprint: string | undefined): Tracked | undefined {
  const [rung, attributes = ''] = fingerprint?.split(':', 2) ?? [];
  return isRung(rung) ? { rung, attributes: attributes.split(',') } : undefined;
}

/** What a drift is of, attribute by attribute; of others than findings, its one name. */
export function attributesOf(fingerprint: string): readonly string[] {
  return trackedOf(fingerprint)?.attributes ?? [fingerprint.replace(':', '.')];
}

export function isOfFindings(fingerprint: string | undefined): boolean {
  return trackedOf(fingerprint) !== undefined;
}

const RANKS: Readonly<Record<Severity, number>> = { critical: 0, high: 1, medium: 2, low: 3 };
const NO_RANK = 4;

/** What the enclave reports, where it is less grave than that nothing runs. */
const ENCLAVE_SEVERITIES: Readonly<Partial<Record<Reason, Severity>>> = {
  ExtraEnclaves: 'medium',
  EnclaveSize: 'high',
  HealthCheckFailing: 'high',
  EnclaveTerminating: 'high',
  AllocatorShort: 'high',
  // It serves meanwhile, and may wait for its window: what is graver of the findings does not wait with it.
  ProxyDown: 'medium',
};

/** What the host's own view decides: where a plan says otherwise, the plan's state is what is wrong. */
const HOST_VIEWED: ReadonlySet<Attribute> = new Set(['host.exists', 'host.running', 'host.paused']);

/** What a repair may be begun for: differs, is the operator's, and the policy lets it be repaired. */
export function isRepairable({ verdict, owned, rung, attribute }: Finding): boolean {
  return verdict === 'Drift' && owned === 'operator' && isRung(rung) && !HOST_VIEWED.has(attribute);
}

/** AWS changes it of a stopped host only: putting it back restarts what runs there. */
export function restartsHost({ verdict, attribute }: Finding): boolean {
  return verdict === 'Drift' && attribute === 'host.instanceType';
}

/** Of a host that runs as it should: of any other, its state comes first. */
function repairable({ lifecycle, assessment: { host, findings } }: Context): readonly Finding[] {
  const runs = lifecycle.desired === 'Running' && host.verdict === 'Match' && host.state === 'running';
  return runs ? findings.filter(isRepairable) : [];
}

/** The worst and what is repaired with it; what somebody else wants so comes after all the rest. */
function leading(context: Context): readonly Finding[] {
  const all = repairable(context);
  if (all.length === 0) return all;
  const isContested = ({ attribute }: Finding) =>
    contestedSince(context.lifecycle, attribute, context.assessment.now) !== undefined;
  const free = all.filter((each) => !isContested(each));
  const candidates = free.length > 0 ? free : all;
  const [lead] = [...candidates].sort((a, b) => RANKS[a.severity] - RANKS[b.severity]);
  return candidates.filter(({ rung }) => rung === lead?.rung);
}

function rankOf(findings: readonly Finding[]): number {
  return Math.min(NO_RANK, ...findings.map(({ severity }) => RANKS[severity]));
}

/**
 * The attributes that are looked after: those of before that still differ, so that one that comes and goes keeps no
 * other from being seen twice; all that lead now where none of before is left, or where something worse leads.
 */
function trackedFindings(context: Context): readonly Finding[] {
  const now = leading(context);
  if (now.length === 0) return now;
  const known = trackedOf(context.lifecycle.drift?.fingerprint);
  if (known === undefined || now[0]?.rung !== known.rung) return now;
  const left = now.filter(({ attribute }) => known.attributes.includes(attribute));
  return left.length === 0 || rankOf(now) < rankOf(left) ? now : left;
}

/** When the gravest of what is looked after was seen, wall time, ms; of the host and the enclave, when the host was. */
export function driftSeenAt(context: Context): number {
  const { host } = context.assessment;
  if (!isOfFindings(driftFingerprint(context))) return host.observedAt;
  const tracked = trackedFindings(context);
  return tracked.find(({ severity }) => RANKS[severity] === rankOf(tracked))?.observedAt ?? host.observedAt;
}

/** Difference between what is and what is desired, in words that stay the same while it does. */
export function driftFingerprint(context: Context): string | undefined {
  const { lifecycle, assessment } = context;
  const { host, enclave } = assessment;
  // Whoever made it, and before whatever was applied: a paused enclave's host does not run.
  const runsPaused = lifecycle.desired === 'Paused' && host.state === 'running';
  if (!canDrift(lifecycle) && !runsPaused) return undefined;
  if (host.verdict === 'Drift') return `host:${host.state}`;
  const ofEnclave =
    lifecycle.desired === 'Running' && host.verdict === 'Match' && enclave.verdict === 'Drift'
      ? `enclave:${enclave.reason}`
      : undefined;
  const tracked = trackedFindings(context);
  const [lead] = tracked;
  if (lead === undefined) return ofEnclave;
  const names = tracked.map(({ attribute }) => attribute).sort();
  const ofFindings = `${lead.rung}:${names.join(',')}`;
  if (ofEnclave === undefined || enclave.told === true) return ofFindings;
  // A ladder that has been begun is climbed to its end, and what no rung cures keeps nothing else waiting.
  const isBegun = attemptsOf(lifecycle, `drift:${ofEnclave}`) > 0;
  const isInVain =
    attemptsOf(lifecycle, `drift:${ofFindings}`) >=
    LADDERS[lead.rung as Rung].length * assessment.limits.repairAttempts;
  const isGraver = rankOf(tracked) < RANKS[ENCLAVE_SEVERITIES[enclave.reason] ?? 'critical'];
  return isGraver && !isBegun && !isInVain ? ofFindings : ofEnclave;
}

/** True where the one is what is left of the other: what was seen of it has been seen. */
export function isRestOf(fingerprint: string, earlier: string): boolean {
  const [now, before] = [trackedOf(fingerprint), trackedOf(earlier)];
  if (now === undefined || before === undefined) return fingerprint === earlier;
  return now.rung === before.rung && now.attributes.every((attribute) => before.attributes.includes(attribute));
}

/** Attributes that are as they should be again, or are not to be repaired any more; of a look that shows them. */
export function settledAttributes(fingerprint: string, findings: readonly Finding[]): readonly string[] {
  // Nothing was compared: nobody knows.
  if (findings.length === 0) return [];
  return attributesOf(fingerprint).filter((attribute) => {
    const finding = findings.find((each) => each.attribute === attribute);
    return finding === undefined || (finding.verdict !== 'Unknown' && !isRepairable(finding));
  });
}

const NOTHING: readonly Attribute[] = [];

/** What weakens the enclave, by name: what was not seen now is as it was. */
export function weakenedBy({ lifecycle, assessment: { findings } }: Context): readonly Attribute[] {
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

/** What mostly ends by itself, or is the host's own to mend first; how long it is given, ms. */
const PATIENCE_MS: Readonly<Partial<Record<Reason, number>>> = {
  EnclaveTerminating: 2 * 60_000,
  // The agent restarts by the spec's restart policy, as often as its backoff allows.
  HealthCheckFailing: 10 * 60_000,
  // A new configuration stops them all for a moment.
  ProxyDown: 2 * 60_000,
};

export function patienceMs({ assessment }: Context): number {
  const { verdict, reason } = assessment.enclave;
  return verdict === 'Drift' ? (PATIENCE_MS[reason] ?? 0) : 0;
}

/** Seen in two observations: one look may be wrong. */
export function driftConfirmed(context: Context): boolean {
  const fingerprint = driftFingerprint(context);
  const { drift } = context.lifecycle;
  if (fingerprint === undefined || drift?.fingerprint !== fingerprint || drift.seen < 2) return false;
  return !fingerprint.startsWith('enclave:') || elapsed(drift.since, context.assessment.now) >= patienceMs(context);
}

/** What is looked at closely shows within a minute what came of a repair. */
const CLOSELY_MS = 60_000;

/** A repair is over, and what it was for is looked at so seldom that looking closely at the rest shows nothing. */
export function awaitsLook({ phase, run, drift }: Pick<Lifecycle, 'phase' | 'run' | 'drift'>, now: number): boolean {
  if (phase !== 'repairing' || run !== undefined || drift === undefined || drift.seen >= 2) return false;
  return isOfFindings(drift.fingerprint) && now - drift.observedAt > CLOSELY_MS;
}

/** Seen twice not to be there, or not to run: what merely differs serves all the same. */
export function seenDead(context: Context): boolean {
  return driftConfirmed(context) && !isOfFindings(context.lifecycle.drift?.fingerprint);
}

export function driftKey(context: Context): string {
  return `drift:${driftFingerprint(context) ?? context.lifecycle.drift?.fingerprint ?? 'unknown'}`;
}

/** How often one drift may be repaired within an hour: what comes back after that is somebody's doing. */
const REPAIRS_AN_HOUR = 2;
const HOUR_MS = 60 * 60_000;
/** More are of no attribute that is still fought over. */
const MOST_REPAIRS_KEPT = 40;

type Healed = NonNullable<Lifecycle['healed']>;

/** Repairs of the last hour, newest last. */
export function recentlyHealed({ healed = [] }: Pick<Lifecycle, 'healed'>, now: number): Healed {
  return healed.filter(({ at }) => elapsed(at, now) < HOUR_MS);
}

/** What repairs have healed is remembered for as long as it matters whether it comes back. */
export function noteHealed(lifecycle: Lifecycle, attributes: readonly string[], now: number): Lifecycle {
  const at = new Date(now).toISOString();
  const healed = [...recentlyHealed(lifecycle, now), ...attributes.map((fingerprint) => ({ fingerprint, at }))];
  return { ...lifecycle, healed: healed.slice(-MOST_REPAIRS_KEPT) };
}

/** When the first of the repairs was that it came back after; undefined where it did not come back that often. */
function contestedSince(lifecycle: Pick<Lifecycle, 'healed'>, name: string, now: number): number | undefined {
  const same = recentlyHealed(lifecycle, now).filter(({ fingerprint }) => fingerprint === name);
  const [first] = same.slice(-REPAIRS_AN_HOUR);
  return first === undefined || same.length < REPAIRS_AN_HOUR ? undefined : Date.parse(first.at);
}

/**
 * Until when nobody fights over this drift, ms; undefined where any of it did not come back that often. An enclave
 * that dies again and again is no fight: its ladder leads on to what may help.
 */
export function contestedUntil(
  { healed, drift }: Pick<Lifecycle, 'healed' | 'drift'>,
  now: number,
): number | undefined {
  if (drift === undefined || drift.fingerprint.startsWith('enclave:')) return undefined;
  const names = trackedOf(drift.fingerprint)?.attributes ?? [drift.fingerprint];
  const times = names.map((name) => contestedSince(healed === undefined ? {} : { healed }, name, now));
  const known = times.filter((time) => time !== undefined);
  return known.length < times.length ? undefined : Math.min(...known) + HOUR_MS;
}

/** From the rung a difference begins with to the last that may cure it. */
const LADDERS: Readonly<Record<Rung, readonly Rung[]>> = {
  startHost: ['startHost', 'apply'],
  restartEnclave: ['restartEnclave', 'restartHost', 'apply'],
  restartAllocator: ['restartAllocator', 'restartHost', 'apply'],
  restartHost: ['restartHost', 'apply'],
  apply: ['apply'],
  replace: ['replace'],
};

/** What restarting the enclave alone cannot cure begins with what can. */
const ENCLAVE_RUNGS: Readonly<Partial<Record<Reason, Rung>>> = {
  EnclaveTerminating: 'restartHost',
  AllocatorShort: 'restartAllocator',
};

function ladderOf({ lifecycle, assessment: { host, enclave } }: Context): readonly Rung[] {
  if (host.state === 'gone') return ['apply'];
  if (host.state === 'stopped') return LADDERS.startHost;
  const tracked = trackedOf(lifecycle.drift?.fingerprint);
  return LADDERS[tracked?.rung ?? ENCLAVE_RUNGS[enclave.reason] ?? 'restartEnclave'];
}

/** What only another host may cure, and the policy says so of it. Of findings, the comparison says what cures them. */
function withReplacement(ladder: readonly Rung[], { lifecycle, assessment }: Context): readonly Rung[] {
  const isThere = assessment.host.state !== 'gone' && lifecycle.pinned.instanceId !== undefined;
  const may = assessment.replaceable === true && isThere && !isOfFindings(lifecycle.drift?.fingerprint);
  return may ? [...ladder, 'replace'] : ladder;
}

/** Cheapest first; the next rung after as many failed attempts as the limit allows. `exhausted`: so were all. */
export function repairRung(context: Context): Rung | 'exhausted' {
  const { lifecycle, assessment } = context;
  const step = Math.floor(attemptsOf(lifecycle, driftKey(context)) / assessment.limits.repairAttempts);
  return withReplacement(ladderOf(context), context)[step] ?? 'exhausted';
}
