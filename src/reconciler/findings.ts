/** Findings: what of a host differs from the spec that was last applied to it. Pure. */
import { type Attribute, compare, type Finding } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items.ts';
import { driftModeOf, type EnclavePolicy } from '../enclave/policy.ts';
import type { EnclaveSpec } from '../enclave/spec.ts';
import type { HostView } from '../machines/index.ts';

/** What every sweep shows of a host; its existence and state are {@link HostView}'s. */
const SWEPT: ReadonlySet<Attribute> = new Set([
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
 * What differs or could not be told, attribute by attribute; what matches is left out. Nothing is compared while a
 * run is under way, in a look that is older than the phase (it may show what was before the run), or of a host that
 * the enclave stack has not made.
 */
export function findingsOf(
  lifecycle: Lifecycle,
  { posture, observedAt }: HostView,
  policy: EnclavePolicy,
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
    { only: SWEPT },
  ).filter(({ verdict, attribute }) => verdict !== 'Match' && driftModeOf(policy, attribute) !== 'off');
}

/** When a look last decided an attribute, ms; undefined: looks of this kind do not, or nothing was seen. */
export function decidedAt(attribute: Attribute, { posture, observedAt }: HostView): number | undefined {
  return posture !== undefined && SWEPT.has(attribute) ? observedAt : undefined;
}
