/** Values that put a difference of each attribute into the world. */
import type { Attribute } from '../../src/drift/index.ts';
import { FAULTS_BY_ATTRIBUTE } from '../simulation/faults.ts';
import type { Illness } from '../support/memory-hosts.ts';

type Says = Illness['says'];

const enclave = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };
const enclaves = (...changes: object[]) => ({ enclaves: changes.map((each) => ({ ...enclave, ...each })) });
const proxy = (state: string) => ({ proxies: [{ destination: 'a.example:443', state }] });

/** What a host reports, several values of each; no step cures it. */
export const REPORTED = {
  'enclave.running': [enclaves(), enclaves({ state: 'EMPTY' })],
  // The agent says that it is stuck once its patience has passed.
  'enclave.terminating': [
    { ...enclaves({ state: 'TERMINATING' }), error: { class: 'host', code: 'stuck', message: 'it does not end' } },
    enclaves({ state: 'TERMINATING' }),
  ],
  'enclave.debug': [enclaves({ debug: true }), enclaves({}, { debug: true })],
  'enclave.cpuCount': [enclaves({ cpuCount: 4 }), enclaves({ cpuCount: 1 })],
  'enclave.memory': [enclaves({ memoryMiB: 64 }), enclaves({ memoryMiB: 1_023 })],
  'enclave.extra': [enclaves({}, {})],
  'enclave.measurements': [{ measurements: { PCR0: 'b2'.repeat(48) } }],
  'enclave.health': [{ health: 'failing' }],
  'enclave.allocator': [{ ...enclaves(), allocator: { cpuCount: 0, memoryMiB: 0, ok: false } }],
  'enclave.proxies': [proxy('failed'), proxy('inactive')],
} as Readonly<Partial<Record<Attribute, readonly Says[]>>>;

export function valuesOf(attribute: Attribute): number {
  return (REPORTED[attribute] ?? FAULTS_BY_ATTRIBUTE[attribute].faults).length;
}
