/** Finding: one attribute of an enclave, as desired and as observed. */

/** The part before the dot is the class of an attribute. Labels of metrics: a closed list. */
export const ATTRIBUTES = [
  'host.exists',
  'host.duplicate',
  'host.running',
  'host.paused',
  'host.instanceType',
  'host.ami',
  'host.enclaveOptions',
  'host.profile',
  'host.metadata',
  'host.userData',
  'host.terminationProtection',
  'host.volume',
  'host.statusChecks',
  'host.events',
  'host.agent',
  'network.groups',
  'network.rules',
  'network.publicIp',
  'tags',
  'enclave.running',
  'enclave.terminating',
  'enclave.debug',
  'enclave.cpuCount',
  'enclave.memory',
  'enclave.extra',
  'enclave.measurements',
  'enclave.attested',
  'enclave.health',
  'enclave.allocator',
  'enclave.proxies',
  'role.policies',
  'key.policy',
  'key.state',
  'logs.group',
  'terraform.state',
  'orphans',
] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

/** `Unknown` never leads to a repair. */
export type Verdict = 'Match' | 'Drift' | 'Unknown';

export type Severity = 'critical' | 'high' | 'medium' | 'low';

/** Where the repair of an attribute begins. `alert`: it is told, and nothing is done. */
export type DriftRung =
  | 'alert'
  | 'restartEnclave'
  | 'restartAllocator'
  | 'startHost'
  | 'stopHost'
  | 'restartHost'
  | 'apply'
  | 'replace';

export interface Finding {
  readonly attribute: Attribute;
  /** Short printable text; undefined: nobody knows what it should be, or nobody asked for it in words. */
  readonly desired: string | undefined;
  /** Likewise; undefined where the verdict is Unknown. Written by others: to be shown, never to be acted on. */
  readonly observed: string | undefined;
  readonly verdict: Verdict;
  readonly severity: Severity;
  readonly rung: DriftRung;
  /** `foreign`: not the operator's to change, whatever it is. */
  readonly owned: 'operator' | 'foreign';
  /** Told as an event even where it is repaired at once. */
  readonly security: boolean;
  /** Wall time of the look it comes from, ms: two findings of one look are one observation. */
  readonly observedAt: number;
}
