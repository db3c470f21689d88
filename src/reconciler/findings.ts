/** Findings: what of a host differs from the spec that was last applied to it, and what the policy makes of it. Pure. */
import { type Attribute, compare, type Finding } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items.ts';
import { driftModeOf, type EnclavePolicy } from '../enclave/policy.ts';
import type { EnclaveSpec } from '../enclave/spec.ts';
import type { HostView } from '../machines/index.ts';

/** What every sweep shows of a host; its existence and state are {@link HostView}'s. */
export const SWEPT: ReadonlySet<Attribute> = new Set([
  'host.instanceType',
  'host.ami',
  'host.enclaveOptions',
  'host.profile',
  'host.metadata',
  'network.groups',
  'network.publicIp',
  'tags',
]);

/**
 * What every sweep shows, attribute by attribute, what matches as well. Nothing is compared while a
 * run is under way, in a look that is older than the phase (it may show what was before the run), or of a host that
 * the enclave stack has not made.
 */
export function findingsOf(
  lifecycle: Lifecycle,
  { posture, observedAt }: HostView,
  environment: string,
): readonly Finding[] {
  const { applied, pinned, snapshot, desired } = lifecycle;
  if (posture === undefined || applied === undefined || snapshot === undefined || desired === 'Absent') return [];
  // The values of a host that was taken over are in its state, and not in the spec.
  if (pinned.legacy !== undefined) return [];
  if (lifecycle.run !== undefined || observedAt < Date.parse(lifecycle.phaseSince)) return [];
  return compare(
    {
      enclaveId: lifecycle.id,
      environment,
      running: desired === 'Running',
      // Written by this schema, of a spec that was valid.
      spec: applied as unknown as EnclaveSpec,
      amiId: pinned.amiId,
    },
    { observedAt, posture },
    { only: SWEPT, brief: true },
  );
}

/**
 * Findings as the policy has them: what is `off` is not told, what is to be told only begins no repair, and nothing
 * replaces a host unless `replace` says so of it.
 */
export function underPolicy(findings: readonly Finding[], policy: EnclavePolicy): readonly Finding[] {
  if (!findings.some(({ verdict }) => verdict === 'Drift')) return findings;
  return findings.flatMap((finding) => {
    if (finding.verdict !== 'Drift') return [finding];
    const mode = driftModeOf(policy, finding.attribute);
    if (mode === 'off') return [];
    const isTold = mode === 'alert' || (finding.rung === 'replace' && mode !== 'replace');
    return [isTold ? { ...finding, rung: 'alert' as const } : finding];
  });
}

/** When a look last decided an attribute, ms; undefined: looks of this kind do not, or nothing was seen. */
export function decidedAt(attribute: Attribute, { posture, observedAt }: HostView): number | undefined {
  return posture !== undefined && SWEPT.has(attribute) ? observedAt : undefined;
}
