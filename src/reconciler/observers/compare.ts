/** Findings: what of an enclave differs from what was last applied to it, and what the policy makes of it. Pure. */
import {
  ATTRIBUTES,
  type Attribute,
  compare,
  ENTRIES,
  type Finding,
  ignoredBy,
  type Observed,
} from '../../drift/index.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { TAG_GENERATION } from '../../enclave/names.ts';
import { type DriftMode, driftModeOf, type EnclavePolicy } from '../../enclave/spec/policy.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import type { HostView } from '../../machines/index.ts';
import type { Status } from './instance-status.ts';
import type { SeenPart } from './inventory.ts';

/** Looks at one enclave, each of its own time; one that is absent saw nothing. */
export interface Looks {
  readonly host: HostView;
  readonly status?: (Status & { readonly observedAt: number }) | undefined;
  readonly around?: readonly SeenPart[] | undefined;
  /** What KMS saw, and when it was looked up (wall time, ms); absent: nobody looks. */
  readonly attested?: { readonly observedAt: number; readonly sets: NonNullable<Observed['attested']> } | undefined;
}

type Part = Exclude<keyof Observed, 'observedAt'>;

/** Parts that the operator observes of all hosts; a report is judged by itself, and so is the state of a host. */
const POLLED: ReadonlySet<string> = new Set<Part>([
  'hosts',
  'posture',
  'checks',
  'events',
  'agentOnline',
  'rootVolume',
  'attested',
  'rules',
  'role',
  'key',
  'logGroup',
]);
const COMPARED: ReadonlySet<Attribute> = new Set(ATTRIBUTES.filter((attribute) => POLLED.has(ENTRIES[attribute].part)));

/**
 * All that is looked at, attribute by attribute, what matches as well. Nothing is compared while a run is under way,
 * in a look that is older than the phase (it may show what was before the run), or of a host that the enclave stack
 * has not made. What surrounds the host counts from the end of the last run on.
 */
export function findingsOf(lifecycle: Lifecycle, looks: Looks, environment: string): readonly Finding[] {
  const { applied, pinned, snapshot, desired } = lifecycle;
  const { host } = looks;
  if (host.posture === undefined || applied === undefined || snapshot === undefined || desired === 'Absent') return [];
  // The values of a host that was taken over are in its state, and not in the spec.
  if (pinned.legacy !== undefined || isUnprepared(lifecycle, host)) return [];
  if (lifecycle.run !== undefined || host.observedAt < Date.parse(lifecycle.phaseSince)) return [];
  const { observed, seenAt } = join(looks, lifecycle);
  const found = compare(
    {
      enclaveId: lifecycle.id,
      environment,
      running: desired === 'Running',
      // Written by this schema, of a spec that was valid.
      spec: applied as unknown as EnclaveSpec,
      amiId: pinned.amiId,
      made: lifecycle.made,
    },
    observed,
    { only: COMPARED, brief: true },
  );
  return found.map((finding) => {
    const observedAt = seenAt.get(ENTRIES[finding.attribute].part);
    return observedAt === undefined || observedAt === finding.observedAt ? finding : { ...finding, observedAt };
  });
}

/**
 * A host that was taken over, and no run has been at it yet: only the enclave stack tags hosts with their generation.
 * It is as another pipeline made it, and stays so until somebody asks for more.
 */
export function isUnprepared({ adopted, made }: Lifecycle, { posture }: Pick<HostView, 'posture'>): boolean {
  return adopted && made === undefined && posture?.tags?.[TAG_GENERATION] === undefined;
}

/** All looks as one, and when each part of it was seen. */
function join({ host, status, around = [], attested }: Looks, { phaseSince, ranAt }: Lifecycle) {
  const since = Math.max(Date.parse(phaseSince), ranAt === undefined ? 0 : Date.parse(ranAt));
  let observed: Observed = { observedAt: host.observedAt, posture: host.posture, hosts: host.hosts };
  const seenAt = new Map<string | undefined, number>();
  const seen = (observedAt: number, shows: Partial<Observed>) => {
    if (observedAt < since) return;
    observed = { ...observed, ...shows };
    for (const part of Object.keys(shows)) seenAt.set(part, observedAt);
  };
  if (status !== undefined) seen(status.observedAt, { checks: status.checks, events: status.events });
  for (const { observedAt, shows } of around) seen(observedAt, shows);
  // These count by when they were made, whenever they were looked up.
  if (attested !== undefined) {
    observed = { ...observed, attested: attested.sets };
    seenAt.set('attested', attested.observedAt);
  }
  return { observed, seenAt };
}

/** The operator reports it and repairs nothing: the policy says `alert`, or a replacement that it does not allow. */
export function isReportedOnly({ rung }: Pick<Finding, 'rung'>, mode: DriftMode): boolean {
  return mode === 'alert' || (rung === 'replace' && mode !== 'replace');
}

/** What a policy makes of a difference. */
export interface PolicyView {
  /** It says nothing of it, whatever it is. */
  readonly mayDiffer: (attribute: Attribute) => boolean;
  readonly isReportedOnly: (difference: Pick<Finding, 'attribute' | 'rung'>) => boolean;
}

export function policyView(policy: EnclavePolicy, nowMs: number): PolicyView {
  return {
    mayDiffer: (attribute) =>
      driftModeOf(policy, attribute) === 'off' || ignoredBy(policy.drift.ignore, attribute, nowMs) !== undefined,
    isReportedOnly: (difference) => isReportedOnly(difference, driftModeOf(policy, difference.attribute)),
  };
}

/** Findings as the policy has them: without those that may differ; no repair starts for those it only reports. */
export function underPolicy(findings: readonly Finding[], view: PolicyView): readonly Finding[] {
  if (!findings.some(({ verdict }) => verdict === 'Drift')) return findings;
  return findings.flatMap((finding) => {
    if (finding.verdict !== 'Drift') return [finding];
    if (view.mayDiffer(finding.attribute)) return [];
    return [view.isReportedOnly(finding) ? { ...finding, rung: 'alert' as const } : finding];
  });
}
