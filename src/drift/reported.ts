/** Differences that are not found by comparing, as the comparison calls them. */
import type { Attribute } from './attributes.ts';

/** By their fingerprints: the state of the host, and the reasons of what it reports. */
const BY_FINGERPRINT: Readonly<Record<string, readonly Attribute[]>> = {
  'host:gone': ['host.exists'],
  'host:stopped': ['host.running'],
  'host:running': ['host.paused'],
  'enclave:EnclaveNotRunning': ['enclave.running'],
  'enclave:EnclaveTerminating': ['enclave.terminating'],
  'enclave:DebugEnclave': ['enclave.debug'],
  'enclave:EnclaveSize': ['enclave.cpuCount', 'enclave.memory'],
  'enclave:ExtraEnclaves': ['enclave.extra'],
  'enclave:MeasurementMismatch': ['enclave.measurements'],
  'enclave:HealthCheckFailing': ['enclave.health'],
  'enclave:AllocatorShort': ['enclave.allocator'],
  'enclave:ProxyDown': ['enclave.proxies'],
};

/** What `host:stopped` or `enclave:EnclaveSize` is about; none, of anything else. */
export function reportedAttributes(fingerprint: string): readonly Attribute[] {
  return BY_FINGERPRINT[fingerprint] ?? [];
}
