/** A close look at an enclave, compared as the operator compares, with every attribute. */
import type { CloseLook, CloseSubject } from '../aws/close-look.ts';
import {
  ATTRIBUTES,
  type Attribute,
  compare,
  digestKey,
  digestRole,
  digestRules,
  type EnclaveFacts,
  type Finding,
  ignoredBy,
  type Observed,
  type ReportFacts,
  ROWS,
} from '../drift/index.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { DEFAULT_POLICY, driftModeOf, type EnclavePolicy } from '../enclave/policy.ts';
import type { Report } from '../enclave/report-item.ts';
import type { EnclaveSpec } from '../enclave/spec.ts';
import { isFresh, isLeftToHost } from '../reconciler/enclave-view.ts';
import { isUnprepared } from '../reconciler/findings.ts';
import { withPlanned } from '../reconciler/planned-findings.ts';
import { regionOf } from '../reconciler/region-of.ts';

/** One attribute, for a person. */
export interface Row {
  readonly attribute: Attribute;
  readonly verdict: Finding['verdict'];
  readonly severity: Finding['severity'];
  /** The rung a repair begins with; `alert`, `off` or `ignored …` where there is none. */
  readonly repair: string;
  readonly owned: Finding['owned'];
  readonly security: boolean;
  readonly desired: string | null;
  readonly observed: string | null;
  /** Since when the operator has known that it differs. */
  readonly since?: string;
  /** Where this look could not see it: who has, or might. */
  readonly why?: string;
}

const SILENT_MS = 15 * 60_000;
/** What the agent calls stuck has been terminating for more than two minutes, as the host itself has counted them. */
const STUCK_MS = 2 * 60_000 + 1;
/** All that is compared of a host that another pipeline made and no run has prepared. */
const OF_UNPREPARED: ReadonlySet<Attribute> = new Set(['host.exists', 'host.duplicate', 'host.running', 'host.paused']);
/** No look at one enclave shows these; who would know. */
const UNSEEN_HERE: ReadonlyMap<Attribute, string> = new Map([
  ['enclave.attested', 'only the operator looks (attestationTrail)'],
  ['terraform.state', 'only the operator looks (stateBucket, plans)'],
  ['orphans', 'see enclavectl orphans'],
]);

export function subjectOf(lifecycle: Lifecycle, defaultRegion: string): CloseSubject {
  const { id, made, applied, pinned } = lifecycle;
  // Written by the operator, of a spec that was valid.
  const foreign = (applied as EnclaveSpec | undefined)?.attestation.kmsKeyArn;
  const arn = foreign ?? made?.keyArn;
  return {
    id,
    region: regionOf(lifecycle, defaultRegion),
    instanceId: pinned.instanceId,
    groupId: made?.groupId,
    key: arn === undefined ? undefined : { arn, own: foreign === undefined },
  };
}

/** A host that was taken over and that no run has prepared: it is as another pipeline made it. */
export function isAsFound(lifecycle: Lifecycle, look: CloseLook): boolean {
  return (
    lifecycle.pinned.legacy === undefined && isUnprepared(lifecycle, { posture: hostOf(lifecycle, look)?.posture })
  );
}

/** In the order of {@link ATTRIBUTES}. */
export function compared(
  lifecycle: Lifecycle,
  look: CloseLook,
  reports: readonly Report[],
  environment: string,
  now: number,
): readonly Row[] {
  const { id, applied, pinned, made, desired } = lifecycle;
  const wanted = {
    enclaveId: id,
    environment,
    running: desired === 'Running',
    spec: applied as unknown as EnclaveSpec,
    instanceId: pinned.instanceId,
    amiId: pinned.amiId,
    made,
    legacy: pinned.legacy && { securityGroupName: pinned.legacy.security_group.name },
  };
  const asFound = isAsFound(lifecycle, look);
  const observed = observedOf(lifecycle, look, reports, now);
  const found = compare(wanted, observed, asFound ? { only: OF_UNPREPARED } : {});
  const decided = new Set(found.filter(({ verdict }) => verdict !== 'Unknown').map(({ attribute }) => attribute));
  const all = withPlanned(found, lifecycle, (attribute) => (decided.has(attribute) ? now : undefined));
  const { enforce, expectedMeasurements } = wanted.spec.attestation;
  const isAttested = !asFound && wanted.running && enforce !== 'off' && expectedMeasurements.length > 0;
  const untold = untoldOf(all, lifecycle, isAttested, now);
  const rows = [...all, ...untold].map((each) => noted(rowOf(each, lifecycle, now), lifecycle));
  return rows.sort((a, b) => ATTRIBUTES.indexOf(a.attribute) - ATTRIBUTES.indexOf(b.attribute));
}

/** What the comparison says nothing of, because no look here shows it: where the operator may look, or has noted it. */
function untoldOf(
  found: readonly Finding[],
  { findings = [] }: Lifecycle,
  isAttested: boolean,
  observedAt: number,
): readonly Finding[] {
  return ROWS.filter(({ attribute }) => {
    if (!UNSEEN_HERE.has(attribute) || found.some((each) => each.attribute === attribute)) return false;
    const mayBe = attribute === 'enclave.attested' && isAttested;
    return mayBe || findings.some((each) => each.attribute === attribute);
  }).map(({ attribute, severity, rung, owned, security }) => {
    const verdict = 'Unknown' as const;
    return { attribute, desired: undefined, observed: undefined, verdict, severity, rung, owned, security, observedAt };
  });
}

/** What only the operator sees is as it has noted it. */
function noted(row: Row, { findings }: Lifecycle): Row {
  const why = UNSEEN_HERE.get(row.attribute);
  if (why === undefined || row.verdict !== 'Unknown') return row;
  const known = findings?.find(({ attribute }) => attribute === row.attribute);
  if (known === undefined) return { ...row, why };
  const severity = known.severity as Finding['severity'];
  return { ...row, verdict: 'Drift', severity, since: known.since, why: 'noted by the operator' };
}

/** The enclave's host: the one that is known, else the only one there is. */
function hostOf({ pinned }: Lifecycle, { hosts }: CloseLook) {
  const living = hosts?.filter(({ state }) => state !== 'terminated' && state !== 'shutting-down') ?? [];
  const own = hosts?.find(({ instanceId }) => instanceId === pinned.instanceId);
  return own ?? (living.length === 1 ? living[0] : undefined);
}

function observedOf(lifecycle: Lifecycle, look: CloseLook, reports: readonly Report[], now: number): Observed {
  const { hosts, status, volume, rules, role, key, logGroup, agentOnline, userData, terminationProtection } = look;
  return {
    observedAt: now,
    hosts,
    posture: hostOf(lifecycle, look)?.posture,
    userData,
    terminationProtection,
    rootVolume: volume,
    checks: status?.checks,
    events: status?.events,
    agentOnline,
    report: factsOf(reports, lifecycle, now),
    rules: rules && digestRules(rules, true),
    role: role && digestRole(role, true),
    key: key && digestKey(key, true),
    logGroup,
  };
}

/** The last report of the host, where it is newer than the host's last start and of what was applied. */
function factsOf(reports: readonly Report[], { pinned, baseline, observedGeneration }: Lifecycle, now: number) {
  const report = reports.find(({ instanceId }) => instanceId === pinned.instanceId);
  if (report === undefined || now - Date.parse(report.at) > SILENT_MS) return undefined;
  if (report.appliedGeneration < observedGeneration || !isFresh(report, baseline)) return undefined;
  const facts: ReportFacts = {
    enclaves: report.observed === false ? undefined : enclavesOf(report),
    completed: report.completed,
    leftToHost: isLeftToHost(report),
    health: report.health,
    measurements: report.measurements,
    allocatorOk: report.allocator?.ok,
    proxies: report.proxies,
  };
  return facts;
}

/** No report says since when something is terminating, only that it has been for too long. */
function enclavesOf({ enclaves, error }: Report): readonly EnclaveFacts[] {
  if (error?.class !== 'host' || error.code !== 'stuck') return enclaves;
  return enclaves.map((each) => (each.state === 'TERMINATING' ? { ...each, terminatingMs: STUCK_MS } : each));
}

function rowOf(finding: Finding, { findings, policy: stored }: Lifecycle, now: number): Row {
  const policy = (stored ?? DEFAULT_POLICY) as unknown as EnclavePolicy;
  const { attribute, verdict, severity, rung, owned, security, desired, observed } = finding;
  const mode = driftModeOf(policy, attribute);
  const rule = ignoredBy(policy.drift.ignore, attribute, now);
  const isTold = mode === 'alert' || owned === 'foreign' || (rung === 'replace' && mode !== 'replace');
  const repair = mode === 'off' ? 'off' : isTold ? 'alert' : rung;
  const since = findings?.find((each) => each.attribute === attribute)?.since;
  return {
    attribute,
    verdict,
    severity,
    repair: rule === undefined ? repair : `ignored until ${rule.expires}: ${rule.reason}`,
    owned,
    security,
    desired: desired ?? null,
    observed: observed ?? null,
    ...(since === undefined || verdict !== 'Drift' ? {} : { since }),
  };
}
