/** The drift table: one entry for each attribute. What the operator, the CLI and the documentation say comes from here. */
import type { AttributeEntry, ObservedPart } from './attribute-entry.ts';

const MINUTE_MS = 60_000;

const by = (seenBy: string, part: ObservedPart) => ({ seenBy, part });
const ofHosts = by('DescribeInstances', 'posture');
const ofReport = { ...by('host report', 'report'), steps: ['restartEnclave', 'restartHost', 'apply'] } as const;
/** What only an enclave that runs can be. */
const WHILE_RUNNING = ['measurements', 'health', 'proxies'].map((name) => `enclave.${name}`);

/** In the order of the documentation. The part of a name before its dot is the attribute's class. */
const TABLE = {
  'host.exists': {
    ...by('DescribeInstances, by tag and by the known id', 'hostState'),
    severity: 'critical',
    steps: ['apply'],
    reason: 'HostMissing',
    hostState: 'gone',
    compares: 'A host that is not terminated exists. One that is shutting down is Unknown.',
  },
  'host.duplicate': {
    ...by('DescribeInstances, by tag', 'hosts'),
    severity: 'high',
    steps: [],
    owned: 'foreign',
    compares: "At most one living host carries the enclave's tag. The operator never terminates one for it.",
  },
  'host.running': {
    ...by('DescribeInstances', 'hostState'),
    severity: 'critical',
    steps: ['startHost', 'apply'],
    reason: 'HostStopped',
    hostState: 'stopped',
    compares: 'The host runs, where the enclave should.',
  },
  'host.paused': {
    ...by('DescribeInstances', 'hostState'),
    severity: 'medium',
    steps: ['stopHost'],
    reason: 'HostRunningUnwanted',
    hostState: 'running',
    compares: 'The host is stopped, where the enclave is paused.',
  },
  'host.instanceType': {
    ...ofHosts,
    severity: 'high',
    steps: ['apply'],
    // AWS changes the type of a stopped host only.
    interrupts: true,
    terraform: ['aws_instance.instance_type'],
    compares: '`instanceType`.',
  },
  'host.ami': {
    ...ofHosts,
    severity: 'low',
    steps: [],
    terraform: ['aws_instance.ami'],
    compares: '`host.amiId`, else the image that was pinned when the host was made.',
  },
  'host.enclaveOptions': {
    ...ofHosts,
    severity: 'critical',
    steps: ['replace'],
    terraform: ['aws_instance.enclave_options'],
    compares: 'The host is enabled for enclaves.',
  },
  'host.profile': {
    ...ofHosts,
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.iam_instance_profile', 'aws_iam_instance_profile.*'],
    compares: 'The instance profile, by its name. Another one changes PCR3.',
  },
  'host.metadata': {
    ...ofHosts,
    severity: 'high',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.metadata_options'],
    compares: 'The metadata service is on, requires tokens, and answers as many hops as `host.imdsHopLimit` says.',
  },
  'host.userData': {
    ...by('DescribeInstanceAttribute', 'userData'),
    severity: 'medium',
    steps: ['replace'],
    // The host follows the object that holds its configuration.
    terraform: ['aws_instance.user_data', 'aws_s3_object.*'],
    compares: 'The digest of the user data.',
  },
  'host.terminationProtection': {
    ...by('DescribeInstanceAttribute', 'terminationProtection'),
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_instance.disable_api_termination'],
    compares: '`host.terminationProtection`.',
  },
  'host.volume': {
    ...by('DescribeVolumes', 'rootVolume'),
    severity: 'high',
    steps: ['replace'],
    terraform: ['aws_instance.root_block_device'],
    compares: 'The root volume is at least as encrypted as `host.rootEncrypted` says, and is deleted with the host.',
  },
  'host.statusChecks': {
    ...by('DescribeInstanceStatus', 'checks'),
    severity: 'high',
    steps: ['restartHost', 'apply'],
    compares: 'System, instance and (where there is one) volume check are not impaired.',
  },
  'host.events': {
    ...by('DescribeInstanceStatus', 'events'),
    severity: 'medium',
    steps: [],
    owned: 'foreign',
    compares: 'AWS has scheduled nothing for the host, such as its retirement.',
  },
  'host.agent': {
    ...by('DescribeInstanceInformation of SSM', 'agentOnline'),
    severity: 'medium',
    steps: ['restartHost', 'apply'],
    compares: 'SSM hears from the host. Silence alone is Unknown; together with an impaired check it is Drift.',
  },
  'network.groups': {
    ...ofHosts,
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.vpc_security_group_ids'],
    compares: "The enclave's own group, by its name, and `host.securityGroupIds`; no other.",
  },
  'network.rules': {
    ...by('DescribeSecurityGroups', 'rules'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_security_group.*'],
    compares: "The rules of the enclave's own group, all of them.",
  },
  'network.publicIp': {
    ...ofHosts,
    severity: 'high',
    steps: ['replace'],
    security: true,
    compares: 'No public address, unless `host.publicIp` asks for one.',
  },
  tags: {
    ...ofHosts,
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_instance', 'aws_security_group', 'aws_iam_role', 'aws_cloudwatch_log_group', 'aws_kms_key'].map(
      (type) => `${type}.tags`,
    ),
    compares:
      'The tags the operator sets. Severity `medium` where the host has lost `EnclaveId` or `Environment`, by which the operator finds it.',
  },
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
  'role.policies': {
    ...by('GetAccountAuthorizationDetails', 'role'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['', '_policy', '_policies_exclusive', '_policy_attachments_exclusive'].map(
      (suffix) => `aws_iam_role${suffix}.*`,
    ),
    compares: "Trust, attached and inline policies of the host's role.",
  },
  'key.policy': {
    ...by('GetKeyPolicy, ListGrants', 'key'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_kms_key.*'],
    compares:
      "The policy of the enclave's key; no statement or grant leads to a plaintext without an attestation, or with one of zeros. A key the record names is `foreign`, and reported only.",
  },
  'key.state': {
    ...by('DescribeKey', 'key'),
    severity: 'critical',
    steps: [],
    terraform: ['aws_kms_key.is_enabled', 'aws_kms_alias.*'],
    compares: 'The key is enabled.',
  },
  'logs.group': {
    ...by('DescribeLogGroups', 'logGroup'),
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_cloudwatch_log_group.*'],
    compares: 'The log group exists, with `logs.retentionDays` and `logs.kmsKeyArn`.',
  },
  'terraform.state': {
    ...by('ListObjectsV2 of S3', 'terraform'),
    severity: 'medium',
    steps: [],
    compares:
      'The Terraform state exists, and no lock on it is older than any run may become. See [Terraform states](#terraform-states).',
  },
  orphans: {
    ...by('the lists above, joined with the lifecycles', 'strays'),
    severity: 'high',
    steps: [],
    owned: 'foreign',
    compares: 'Every resource of an enclave has an owner. No enclave has this finding: see [Orphans](#orphans).',
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;

/** Labels of metrics: a closed list. */
export type Attribute = keyof typeof TABLE;
export const ATTRIBUTES = Object.keys(TABLE) as readonly Attribute[];
export const ENTRIES: Readonly<Record<Attribute, AttributeEntry>> = TABLE;

export function isAttribute(name: string): name is Attribute {
  return Object.hasOwn(ENTRIES, name);
}
