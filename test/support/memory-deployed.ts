/** What a deploy run leaves behind: the enclave its host runs, and what EC2 shows of the host. */

import type { RunItem } from '../../src/enclave/items/run.ts';
import { isPlainMap } from '../../src/enclave/json.ts';
import { resourceName } from '../../src/enclave/names.ts';
import type { Posture } from '../../src/reconciler/ports/index.ts';
import { HOST_FACTS } from './host-facts.ts';
import type { MemoryEnclave } from './memory-hosts.ts';
import { groupIdOf } from './memory-surroundings.ts';

export function enclaveOf(run: RunItem): MemoryEnclave {
  const spec = run.variables.spec ?? {};
  const size = (value: unknown, fallback: number) => (typeof value === 'number' ? value : fallback);
  return {
    name: 'enclave',
    cpuCount: size(spec.cpuCount, 2),
    memoryMiB: size(spec.memoryMiB, 1_024),
    debug: spec.enableDebug === true,
    measurements: expectedOf(spec),
  };
}

/** The image is the expected one: the first set of registers that the record expects. */
function expectedOf(spec: Readonly<Record<string, unknown>>): Record<string, string> {
  const attestation = isPlainMap(spec.attestation) ? spec.attestation : {};
  const [first = {}] = (attestation.expectedMeasurements ?? []) as readonly Readonly<Record<string, string>>[];
  return Object.fromEntries(Object.entries(first).map(([register, value]) => [register.toUpperCase(), value]));
}

/** What EC2 shows of a host as the enclave stack makes it. */
export function postureOf({ id, variables: { environment, spec = {} } }: RunItem): Posture {
  const host = isPlainMap(spec.host) ? spec.host : {};
  const hopLimit = typeof host.imdsHopLimit === 'number' ? host.imdsHopLimit : 1;
  const tags = isPlainMap(spec.tags) ? (spec.tags as Record<string, string>) : {};
  return {
    ...HOST_FACTS,
    instanceType: String(spec.instanceType),
    amiId: 'ami-0',
    profile: resourceName('instance-profile', id),
    groups: [{ id: groupIdOf(id), name: resourceName('sg', id) }],
    tags: {
      Name: `treza-enclave-${id}`,
      ...tags,
      EnclaveId: id,
      Environment: environment,
      ManagedBy: 'terraform',
    },
    metadata: { endpoint: 'enabled', tokens: 'required', hopLimit },
  };
}
