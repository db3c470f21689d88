/** Every field of a specification, a value of it, and the attributes of the stack where it must arrive. */

export interface Arrival {
  /** Path in the specification. */
  readonly field: string;
  /** Not the default. */
  readonly value: unknown;
  /** What else the record must say for the value to be allowed, or to mean something. */
  readonly beside?: Readonly<Record<string, unknown>>;
  /** `type.name.attribute` of the stack; each holds the value, or `holds` of it. */
  readonly attributes: readonly string[];
  /** What the attributes hold instead of the value itself; text is looked for in theirs. */
  readonly holds?: unknown;
}

const HOST = 'aws_instance.enclave_instance';
const GROUP = 'aws_security_group.enclave_sg';
const LOGS = 'aws_cloudwatch_log_group.enclave_logs';
const POLICY = 'aws_iam_role_policy.enclave_host_policy.policy';
const KEY = 'aws_kms_key.enclave_key.policy';
/** The host agent reads the whole specification there. */
export const CONFIGURATION = 'aws_s3_object.enclave_configuration.content';

const PCR = 'ab'.repeat(48);
const KMS_KEY = 'arn:aws:kms:us-west-2:123456789012:key/1234abcd';
const SECRET = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:signing-AbCdEf';
const agentOnly = (field: string, value: unknown, beside?: Arrival['beside']): Arrival => ({
  field,
  value,
  attributes: [],
  ...(beside === undefined ? {} : { beside }),
});

/** All arrive in the configuration too. */
export const ARRIVALS: readonly Arrival[] = [
  {
    field: 'dockerImage',
    value: '123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1',
    attributes: [POLICY],
    holds: 'arn:aws:ecr:us-west-2:123456789012:repository/team/app',
  },
  {
    field: 'eif',
    value: { uri: 's3://images/app.eif', sha256: '0f'.repeat(32) },
    attributes: [POLICY],
    holds: 'arn:aws:s3:::images/app.eif',
  },
  agentOnly('sourceType', 'private-registry'),
  { field: 'registryCredentialsArn', value: SECRET, attributes: [POLICY], holds: SECRET },
  { field: 'instanceType', value: 'm6i.4xlarge', attributes: [`${HOST}.instance_type`] },
  agentOnly('cpuCount', 4, { instanceType: 'm6i.4xlarge' }),
  agentOnly('memoryMiB', 2_048),
  agentOnly('enclaveCid', 17),
  agentOnly('enableDebug', true),
  agentOnly('workloadType', 'daemon'),
  agentOnly('healthCheckPath', '/ready'),
  agentOnly('healthCheckInterval', 60),
  agentOnly('healthCheck', { failureThreshold: 4, successThreshold: 1, startupGraceSeconds: 120, timeoutSeconds: 5 }),
  { field: 'exposePorts', value: [8080], attributes: [`${GROUP}.ingress`], holds: '"from_port":8080,"to_port":8080' },
  {
    field: 'awsServices',
    value: ['kms', 'sqs'],
    beside: { dockerImage: '123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1' },
    attributes: [`${GROUP}.egress`],
    holds: '"cidr_blocks":["0.0.0.0/0"]',
  },
  {
    field: 'egress',
    value: { allow: ['api.example.com:8443'], deny: [], unsafeAllowAll: false },
    attributes: [`${GROUP}.egress`],
    holds: '"from_port":8443,"to_port":8443',
  },
  {
    field: 'ingressCidrs',
    value: ['10.1.0.0/16'],
    beside: { exposePorts: [8080] },
    attributes: [`${GROUP}.ingress`],
    holds: '"cidr_blocks":["10.1.0.0/16"]',
  },
  agentOnly('environmentVariables', { LOG_LEVEL: 'debug' }),
  { field: 'secrets', value: [{ name: 'KEY', secretArn: SECRET }], attributes: [POLICY], holds: SECRET },
  agentOnly('restartPolicy', 'Never'),
  agentOnly('backoff', { initialSeconds: 20, maxSeconds: 600, maxRestarts: 5, windowSeconds: 1_800 }),
  {
    field: 'attestation.expectedMeasurements',
    value: [{ pcr0: PCR }],
    attributes: [KEY],
    holds: `"kms:RecipientAttestation:PCR0":"${PCR}"`,
  },
  { field: 'attestation.kmsKeyArn', value: KMS_KEY, attributes: [POLICY], holds: KMS_KEY },
  {
    field: 'attestation.bindPcr3',
    value: false,
    beside: { 'attestation.expectedMeasurements': [{ pcr0: PCR }] },
    attributes: [KEY],
    holds: `"Condition":{"StringEqualsIgnoreCase":{"kms:RecipientAttestation:PCR0":"${PCR}"}}`,
  },
  {
    field: 'attestation.bindPcr8',
    value: true,
    beside: { 'attestation.expectedMeasurements': [{ pcr8: PCR }] },
    attributes: [KEY],
    holds: `"kms:RecipientAttestation:PCR8":"${PCR}"`,
  },
  agentOnly('attestation.enforce', 'off'),
  { field: 'host.amiId', value: 'ami-0aaaaaaaaaaaaaaaa', attributes: [`${HOST}.ami`] },
  agentOnly('host.amiSsmParameter', '/images/host'),
  {
    field: 'host.imdsHopLimit',
    value: 2,
    attributes: [`${HOST}.metadata_options.http_put_response_hop_limit`],
  },
  { field: 'host.rootVolumeGiB', value: 40, attributes: [`${HOST}.root_block_device.volume_size`] },
  { field: 'host.rootEncrypted', value: false, attributes: [`${HOST}.root_block_device.encrypted`] },
  { field: 'host.terminationProtection', value: true, attributes: [`${HOST}.disable_api_termination`] },
  { field: 'host.publicIp', value: true, attributes: [`${HOST}.associate_public_ip_address`] },
  { field: 'host.subnetId', value: 'subnet-0aaaaaaaaaaaaaaaa', attributes: [`${HOST}.subnet_id`] },
  {
    field: 'host.securityGroupIds',
    value: ['sg-0aaaaaaaaaaaaaaaa'],
    attributes: [`${HOST}.vpc_security_group_ids`],
    holds: 'sg-0aaaaaaaaaaaaaaaa',
  },
  { field: 'logs.retentionDays', value: 90, attributes: [`${LOGS}.retention_in_days`] },
  { field: 'logs.kmsKeyArn', value: KMS_KEY, attributes: [`${LOGS}.kms_key_id`] },
  { field: 'region', value: 'us-east-1', attributes: ['provider.aws.region'] },
  {
    field: 'tags',
    value: { team: 'signing' },
    attributes: [`${HOST}.tags`, `${HOST}.root_block_device.tags`, `${GROUP}.tags`],
    holds: '"team":"signing"',
  },
];
