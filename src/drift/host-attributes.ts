/** The drift table: attributes of the host, its network and its tags. */
import { type AttributeEntry, by } from './attribute-entry.ts';

const ofHosts = by('DescribeInstances', 'posture');

export const HOST_ATTRIBUTES = {
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
} as const satisfies Readonly<Record<string, AttributeEntry>>;
