/** A close look at an enclave, compared as the operator compares, with every attribute. */
import type { CloseLook, CloseSubject } from '../aws/close-look.ts';
import {
  compare,
  digestKey,
  digestRole,
  digestRules,
  type Finding,
  ignoredBy,
  type Observed,
  type ReportFacts,
} from '../drift/index.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { DEFAULT_POLICY, driftModeOf, type EnclavePolicy } from '../enclave/policy.ts';
import type { Report } from '../enclave/report-item.ts';
import type { EnclaveSpec } from '../enclave/spec.ts';
import { withPlanned } from '../reconciler/planned-findings.ts';
import { regionOf } from '../reconciler/region-of.ts';

/** One attribute, for a person. */
export interface Row {
  readonly attribute: string;
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
}

const SILENT_MS = 15 * 60_000;

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
  const found = compare(wanted, observedOf(lifecycle, look, reports, now));
  const decided = new Set(found.filter(({ verdict }) => verdict !== 'Unknown').map(({ attribute }) => attribute));
  const all = withPlanned(found, lifecycle, (attribute) => (decided.has(attribute) ? now : undefined));
  return all.map((finding) => rowOf(finding, lifecycle, now));
}

function observedOf(lifecycle: Lifecycle, look: CloseLook, reports: readonly Report[], now: number): Observed {
  const { hosts, status, volume, rules, role, key, logGroup, agentOnline, userData, terminationProtection } = look;
  const living = hosts?.filter(({ state }) => state !== 'terminated' && state !== 'shutting-down') ?? [];
  const own = hosts?.find(({ instanceId }) => instanceId === lifecycle.pinned.instanceId);
  const host = own ?? (living.length === 1 ? living[0] : undefined);
  return {
    observedAt: now,
    hosts,
    posture: host?.posture,
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

/** The last report of the host, where it is fresh and of what was applied. */
function factsOf(reports: readonly Report[], { pinned, observedGeneration }: Lifecycle, now: number) {
  const report = reports.find(({ instanceId }) => instanceId === pinned.instanceId);
  if (report === undefined || now - Date.parse(report.at) > SILENT_MS) return undefined;
  if (report.appliedGeneration < observedGeneration) return undefined;
  const facts: ReportFacts = {
    enclaves: report.observed === false ? undefined : report.enclaves,
    completed: report.completed,
    health: report.health,
    measurements: report.measurements,
    allocatorOk: report.allocator?.ok,
    proxies: report.proxies,
  };
  return facts;
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
