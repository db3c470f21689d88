/** Current attestations: those of a host that speak of the enclave that should run there now. Pure. */

import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { compareMeasurements } from '../../enclave/measurements.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import type { SeenAttestation } from '../ports/inventory.ts';

type Seen = Omit<SeenAttestation, 'instanceId'>;
type Subject = Pick<Lifecycle, 'applied' | 'phase' | 'phaseSince' | 'ranAt'>;

/**
 * The registers that count, of attestations since the last run ended. After an update in place the enclave of before
 * attests until the host has built the new one: until that one is proven, only what is as expected counts.
 */
export function attestedBy(
  seen: readonly Seen[],
  lifecycle: Subject,
  verifyDeadlineMs: number,
): readonly SeenAttestation['measurements'][] {
  // Written by this schema, of a spec that was valid.
  const expected = (lifecycle.applied as EnclaveSpec | undefined)?.attestation.expectedMeasurements ?? [];
  const provenAt = provenSince(lifecycle, verifyDeadlineMs);
  const counts = ({ at, measurements }: Seen) =>
    at > provenAt || compareMeasurements(expected, measurements) !== 'mismatch';
  return seen.filter(counts).map(({ measurements }) => measurements);
}

/**
 * Wall time, ms. What is ready is proven, and what is repaired was; but a phase that has begun again since takes nothing
 * back, and an enclave was proven by the deadline or was not at all.
 */
function provenSince({ phase, phaseSince, ranAt }: Subject, verifyDeadlineMs: number): number {
  if (phase !== 'ready' && phase !== 'repairing') return Number.POSITIVE_INFINITY;
  const latest = ranAt === undefined ? 0 : Date.parse(ranAt) + verifyDeadlineMs;
  return Math.min(Date.parse(phaseSince), latest);
}
