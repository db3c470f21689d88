/** The applied spec: what an enclave runs already, for reading its record. */

import type { Lifecycle } from '../items/lifecycle.ts';
import { compareHash, specHash } from './generation.ts';
import type { AppliedSpec, EnclaveSpec } from './types.ts';

/** Undefined where nothing is applied: of an enclave that is destroyed, nothing counts for the next one of its id. */
export function appliedSpec(lifecycle: Lifecycle | undefined): AppliedSpec | undefined {
  if (lifecycle?.applied === undefined || lifecycle.phase === 'destroyed') return undefined;
  // Written by this schema, of a spec that was valid.
  const applied = lifecycle.applied as unknown as EnclaveSpec;
  const isSettled = lifecycle.observedGeneration > 0 && lifecycle.generation === lifecycle.observedGeneration;
  return {
    spec: applied,
    equals: (spec) => {
      // By the stored hash: a spec that an older version stored lacks the fields that came later.
      if (isSettled && compareHash(lifecycle, spec) !== 'changed') return true;
      // By value: while a newer generation waits or fails, the record may return to what is applied.
      return specHash(spec) === specHash(applied);
    },
  };
}
