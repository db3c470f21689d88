/** Conditions on tags: what belongs to an enclave of this environment, and to nothing else of the account. */
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import type { Conditions } from '../policy.ts';

/**
 * The platform's own keys and groups carry the environment's tag as well, and other teams may use it: so the tag
 * EnclaveId must be there too.
 */
export function ofEnclave(
  environment: string,
  key: 'aws:RequestTag' | 'aws:ResourceTag' | 'ssm:resourceTag',
): Conditions {
  return {
    StringEquals: { [`${key}/${TAG_ENVIRONMENT}`]: environment },
    Null: { [`${key}/${TAG_ENCLAVE_ID}`]: 'false' },
  };
}
