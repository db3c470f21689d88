/** Close comparison: one enclave as it was inspected now, with every attribute, in words. Pure. */
import {
  ATTRIBUTES,
  type Attribute,
  compare,
  digestKey,
  digestRole,
  digestRules,
  ENTRIES,
  type Finding,
  ignoredBy,
  type Observed,
  type ObservedPart,
  ROWS,
  reportFacts,
} from '../../drift/index.ts';
import { withPlanned } from '../../drift/planned.ts';
import { type DriftRow, LONGEST_ROW_TEXT } from '../../enclave/items/drift-answer.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Report } from '../../enclave/items/report.ts';
import { driftModeOf, policyOf } from '../../enclave/spec/policy.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import { isReportedOnly, isUnprepared } from '../observers/compare.ts';
import type { InspectedPart, Inspection } from '../observers/inspection.ts';
import { isFresh } from '../observers/report-view.ts';

const SILENT_MS = 15 * 60_000;
/** All that is compared of a host that another pipeline made and no run has prepared: that it is there, and its state. */
const OF_UNMANAGED: ReadonlySet<Attribute> = new Set(
  ATTRIBUTES.filter((attribute) => ['hostState', 'hosts'].includes(ENTRIES[attribute].part)),
);
/** What no inspection shows, and who observes it. */
const NOT_INSPECTED: ReadonlyMap<Attribute, string> = new Map([
  ['enclave.attested', 'the operator has stored no finding (attestationTrail)'],
  ['terraform.state', 'the operator has stored no finding (stateBucket, plans)'],
  ['orphans', 'see enclavectl orphans'],
]);

/** The inspection that shows each part of an observation. No inspection shows the other parts. */
const INSPECTED_BY: Readonly<Partial<Record<ObservedPart, InspectedPart | 'report'>>> = {
  hostState: 'hosts',
  hosts: 'hosts',
  posture: 'hosts',
  userData: 'attributes',
  terminationProtection: 'attributes',
  rootVolume: 'volume',
  checks: 'status',
  events: 'status',
  agentOnline: 'agent',
  report: 'report',
  rules: 'rules',
  role: 'role',
  key: 'key',
  logGroup: 'logGroup',
};

/** A host that was adopted and not imported: it is as another pipeline made it. */
export function isUnmanaged(lifecycle: Lifecycle, inspection: Inspection): boolean {
  if (lifecycle.pinned.legacy !== undefined) return false;
  return isUnprepared(lifecycle, { posture: hostOf(lifecycle, inspection)?.posture });
}

/** Every attribute the enclave has, in the order of {@link ATTRIBUTES}; `now` in wall time, ms. */
export function compareClosely(
  lifecycle: Lifecycle,
  inspection: Inspection,
  reports: readonly Report[],
  environment: string,
  now: number,
): readonly DriftRow[] {
  const { id, applied, pinned, made, desired } = lifecycle;
  const wanted = {
    enclaveId: id,
    environment,
    running: desired === 'Running',
    // Written by the operator, of a spec that was valid.
    spec: applied as unknown as EnclaveSpec,
    instanceId: pinned.instanceId,
    amiId: pinned.amiId,
    made,
    legacy: pinned.legacy && { securityGroupName: pinned.legacy.security_group.name },
  };
  const unmanaged = isUnmanaged(lifecycle, inspection);
  const report = reportOf(reports, lifecycle, now);
  const observed = observedOf(lifecycle, inspection, report, now);
  const found = compare(wanted, observed, unmanaged ? { only: OF_UNMANAGED } : {});
  const decided = new Set(found.filter(({ verdict }) => verdict !== 'Unknown').map(({ attribute }) => attribute));
  const all = withPlanned(found, lifecycle, (attribute) => (decided.has(attribute) ? now : undefined));
  const { enforce, expectedMeasurements } = wanted.spec.attestation;
  const isAttested = !unmanaged && wanted.running && enforce !== 'off' && expectedMeasurements.length > 0;
  const observedAt = (finding: Finding): string | null => {
    // What a plan has found is as old as the plan.
    if (!found.includes(finding)) return isoOf(finding.observedAt);
    const part = INSPECTED_BY[ENTRIES[finding.attribute].part];
    if (part === 'report') return isoOf(report && Date.parse(report.at));
    return isoOf(part && inspection.observedAt[part]);
  };
  const rows = [
    ...all.map((finding) => rowOf(finding, lifecycle, now, observedAt(finding))),
    ...notInspected(all, lifecycle, isAttested, now).map((finding) => rowOf(finding, lifecycle, now, null)),
  ];
  return rows
    .map((row) => asNoted(row, lifecycle))
    .sort((a, b) => ORDER.indexOf(a.attribute) - ORDER.indexOf(b.attribute));
}

const ORDER: readonly string[] = ATTRIBUTES;

/** A host writes its own time, whatever it likes: what is no time is none. */
function isoOf(ms: number | undefined): string | null {
  return ms === undefined || Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

/** What the comparison says nothing of, because no inspection shows it: the operator may observe it, or has noted it. */
function notInspected(
  found: readonly Finding[],
  { findings = [] }: Lifecycle,
  isAttested: boolean,
  observedAt: number,
): readonly Finding[] {
  return ROWS.filter(({ attribute }) => {
    if (!NOT_INSPECTED.has(attribute) || found.some((each) => each.attribute === attribute)) return false;
    const mayBe = attribute === 'enclave.attested' && isAttested;
    return mayBe || findings.some((each) => each.attribute === attribute);
  }).map(({ attribute, severity, rung, owned, security }) => {
    const verdict = 'Unknown' as const;
    return { attribute, desired: undefined, observed: undefined, verdict, severity, rung, owned, security, observedAt };
  });
}

/** What no inspection shows is as the operator has stored it. */
function asNoted(row: DriftRow, { findings }: Lifecycle): DriftRow {
  const why = NOT_INSPECTED.get(row.attribute as Attribute);
  if (why === undefined || row.verdict !== 'Unknown') return row;
  const known = findings?.find(({ attribute }) => attribute === row.attribute);
  if (known === undefined) return { ...row, observedAt: null, why };
  const severity = known.severity as Finding['severity'];
  const noted = { severity, since: known.since, observedAt: null, why: 'noted by the operator' };
  return { ...row, verdict: 'Drift', ...noted };
}

/** The enclave's host: the one that is known, else the only one there is. */
function hostOf({ pinned }: Lifecycle, { hosts }: Inspection) {
  const living = hosts?.filter(({ state }) => state !== 'terminated' && state !== 'shutting-down') ?? [];
  const own = hosts?.find(({ instanceId }) => instanceId === pinned.instanceId);
  return own ?? (living.length === 1 ? living[0] : undefined);
}

/** The inspection as the comparison takes it. */
export function observedOf(
  lifecycle: Lifecycle,
  inspection: Inspection,
  report: Report | undefined,
  now: number,
): Observed {
  const { hosts, status, attributes, agent, volume, rules, role, key, logGroup } = inspection;
  return {
    observedAt: now,
    hosts,
    posture: hostOf(lifecycle, inspection)?.posture,
    userData: attributes?.userData,
    terminationProtection: attributes?.terminationProtection,
    rootVolume: volume,
    checks: status?.checks,
    events: status?.events,
    agentOnline: agent,
    report: report && reportFacts(report),
    rules: rules && digestRules(rules, true),
    role: role && digestRole(role, true),
    key: key && digestKey(key, true),
    logGroup,
  };
}

/** The last report of the host, where it is newer than the host's last start and of what was applied. */
function reportOf(
  reports: readonly Report[],
  { pinned, baseline, observedGeneration }: Lifecycle,
  now: number,
): Report | undefined {
  const report = reports.find(({ instanceId }) => instanceId === pinned.instanceId);
  if (report === undefined || now - Date.parse(report.at) > SILENT_MS) return undefined;
  return report.appliedGeneration < observedGeneration || !isFresh(report, baseline) ? undefined : report;
}

function rowOf(finding: Finding, lifecycle: Lifecycle, now: number, observedAt: string | null): DriftRow {
  const policy = policyOf(lifecycle);
  const { attribute, verdict, severity, rung, owned, security, desired, observed } = finding;
  const mode = driftModeOf(policy, attribute);
  const rule = ignoredBy(policy.drift.ignore, attribute, now);
  const isReported = owned === 'foreign' || isReportedOnly(finding, mode);
  const repair = mode === 'off' ? 'off' : isReported ? 'alert' : rung;
  const since = lifecycle.findings?.find((each) => each.attribute === attribute)?.since;
  return {
    attribute,
    verdict,
    severity,
    repair: bounded(rule === undefined ? repair : `ignored until ${rule.expires}: ${rule.reason}`),
    owned,
    security,
    desired: desired === undefined ? null : bounded(desired),
    observed: observed === undefined ? null : bounded(observed),
    observedAt,
    ...(since === undefined || verdict !== 'Drift' ? {} : { since }),
  };
}

function bounded(text: string): string {
  return text.length > LONGEST_ROW_TEXT ? `${text.slice(0, LONGEST_ROW_TEXT - 1).toWellFormed()}…` : text;
}
