/** The drift table: attributes of the enclave, as its host reports them. */
import { type AttributeEntry, by } from './attribute-entry.ts';

const MINUTE_MS = 60_000;

const ofReport = { ...by('host report', 'report'), steps: ['restartEnclave', 'restartHost', 'apply'] } as const;
/** What only an enclave that runs can be. */
const WHILE_RUNNING = ['measurements', 'health', 'proxies'].map((name) => `enclave.${name}`);

export const ENCLAVE_ATTRIBUTES = {
  'enclave.running': {
    ...ofReport,
    severity: 'critical',
    interrupts: false,
    explains: WHILE_RUNNING,
    reason: 'EnclaveNotRunning',
    compares: 'An enclave runs, or a batch has completed. Unknown while the host starts it again by itself.',
  },
  'enclave.terminating': {
    ...ofReport,
    severity: 'high',
    steps: ['restartHost', 'apply'],
    interrupts: false,
    explains: WHILE_RUNNING,
    patienceMs: 2 * MINUTE_MS,
    reason: 'EnclaveTerminating',
    compares: 'Where no enclave runs: none has been terminating for more than two minutes.',
  },
  'enclave.debug': {
    ...ofReport,
    severity: 'critical',
    security: true,
    reason: 'DebugEnclave',
    compares: 'Where an enclave runs: none is in debug mode, unless `enableDebug` says so.',
  },
  'enclave.cpuCount': {
    ...ofReport,
    severity: 'high',
    reason: 'EnclaveSize',
    compares: '`cpuCount`.',
  },
  'enclave.memory': {
    ...ofReport,
    severity: 'high',
    reason: 'EnclaveSize',
    compares: 'At least `memoryMiB`.',
  },
  'enclave.extra': {
    ...ofReport,
    severity: 'medium',
    reason: 'ExtraEnclaves',
    compares: 'One enclave, and no more.',
  },
  'enclave.measurements': {
    ...ofReport,
    severity: 'critical',
    security: true,
    reason: 'MeasurementMismatch',
    compares:
      "One of `attestation.expectedMeasurements`. `alert` unless `attestation.enforce` is `quarantine`. The host's own word, no attestation.",
  },
  'enclave.attested': {
    ...by('LookupEvents of CloudTrail', 'attested'),
    severity: 'critical',
    steps: [],
    security: true,
    compares: 'The same, as KMS has verified it in a Decrypt. Off unless `attestationTrail` is on.',
  },
  'enclave.health': {
    ...ofReport,
    severity: 'high',
    // An enclave whose health check fails serves nobody.
    interrupts: false,
    // The agent restarts by the spec's restart policy first, as often as its backoff allows.
    patienceMs: 10 * MINUTE_MS,
    reason: 'HealthCheckFailing',
    compares: 'No health check fails. `alert` where `restartPolicy` is `Never`.',
  },
  'enclave.allocator': {
    ...ofReport,
    severity: 'high',
    steps: ['restartAllocator', 'restartHost', 'apply'],
    interrupts: false,
    reason: 'AllocatorShort',
    explains: ['enclave.running', ...WHILE_RUNNING],
    compares: 'Where no enclave runs: the host holds as many cores and as much memory for enclaves as are needed.',
  },
  'enclave.proxies': {
    ...ofReport,
    // The enclave serves meanwhile, so graver differences and the maintenance window come first.
    severity: 'medium',
    // A new configuration restarts every proxy.
    patienceMs: 2 * MINUTE_MS,
    reason: 'ProxyDown',
    compares: 'Every egress proxy of the enclave is active, or refused by the rules.',
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
