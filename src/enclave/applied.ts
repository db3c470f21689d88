/** The applied spec: what an enclave runs already, for reading its record. */
import { compareHash } from './generation.ts';
import type { Lifecycle } from './lifecycle-item.ts';
import type { AppliedSpec, EnclaveSpec } from './spec-types.ts';

/** Undefined where nothing is applied: of an enclave that is destroyed, nothing counts for the next one of its id. */
export function appliedSpec(lifecycle: Lifecycle | undefined): AppliedSpec | undefined {
  if (lifecycle?.applied === undefined || lifecycle.phase === 'destroyed') return undefined;
  const isSettled = lifecycle.observedGeneration > 0 && lifecycle.generation === lifecycle.observedGeneration;
  return {
    // Written by this schema, of a spec that was valid.
    spec: lifecycle.applied as unknown as EnclaveSpec,
    // By hash, not by value: a spec that an older version stored lacks the fields that came later.
    equals: (spec) => isSettled && compareHash(lifecycle, spec) !== 'changed',
  };
}
