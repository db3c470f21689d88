/** What follows from the names of the contract and from the spec, as the enclave stack sets it. */
import { resourceName, TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_GENERATION, TAG_MANAGED_BY } from '../enclave/names.ts';
import type { Wanted } from './observed.ts';

export function instanceProfileOf(enclaveId: string): string {
  return resourceName('instance-profile', enclaveId);
}

export function groupNameOf({ enclaveId, legacy }: Wanted): string {
  return legacy?.securityGroupName ?? resourceName('sg', enclaveId);
}

/** Tags the operator sets on the host; all others are somebody else's. */
export function tagsOf({ enclaveId, environment, generation, spec, legacy }: Wanted): Readonly<Record<string, string>> {
  return {
    // The name of a host that was taken over is its own.
    ...(legacy === undefined ? { Name: `treza-enclave-${enclaveId}` } : {}),
    ...spec.tags,
    [TAG_ENCLAVE_ID]: enclaveId,
    [TAG_ENVIRONMENT]: environment,
    [TAG_MANAGED_BY]: 'terraform',
    ...(generation === undefined ? {} : { [TAG_GENERATION]: String(generation) }),
  };
}

/** Without these a sweep no longer finds the host. */
export function isOwnership(tag: string): boolean {
  return tag === TAG_ENCLAVE_ID || tag === TAG_ENVIRONMENT;
}
