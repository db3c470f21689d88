/** The schema of a record: every field a user may set, with type, unit, range, default and what changing it does. */
import { z } from 'zod';
import { field, int, ruled, text } from './fields.ts';
import { IMAGE_REFERENCE } from './image-reference.ts';
import { CIDR, ENV_NAME, NO_NUL, S3_URI, SECRET_ARN, TAG_NAME, URL_PATH } from './patterns.ts';
import {
  AttestationSchema,
  EgressSchema,
  EifSchema,
  HealthCheckSchema,
  HostSchema,
  LogsSchema,
} from './schema-parts.ts';

export const AWS_SERVICES = [
  'kms',
  's3',
  'dynamodb',
  'secretsmanager',
  'ssm',
  'sts',
  'sqs',
  'sns',
  'logs',
  'ecr',
] as const;

const seconds = 's';
const ENV_NAMES = 'A-Z, 0-9 and _, not beginning with a digit';

export const SecretSchema = ruled(
  z.object({
    name: field(text(128, ENV_NAME), 'Variable that holds the secret in the enclave.', {
      form: `a variable name: ${ENV_NAMES}`,
      example: 'SIGNING_KEY',
    }),
    kmsCiphertextUri: field(text(1_024, S3_URI).optional(), 'KMS ciphertext in S3, decrypted in the enclave.', {
      form: 'an s3:// URI',
      example: 's3://my-bucket/signing-key.bin',
    }),
    secretArn: field(
      text(512, SECRET_ARN).optional(),
      'Secret of Secrets Manager or parameter of SSM, read in the enclave.',
      {
        form: 'the ARN of a Secrets Manager secret or an SSM parameter',
        example: 'arn:aws:secretsmanager:us-west-2:111122223333:secret:signing-key-AbCdEf',
      },
    ),
  }),
  (secret) => (secret.kmsCiphertextUri === undefined) !== (secret.secretArn === undefined),
  { code: 'FORMAT', says: 'needs exactly one of kmsCiphertextUri and secretArn', fix: 'Name one source.' },
);

export const BackoffSchema = z.object({
  initialSeconds: field(int(1, 3_600).default(10), 'Pause before the first restart; doubles.', { unit: seconds }),
  maxSeconds: field(int(1, 86_400).default(600), 'Longest pause.', { unit: seconds }),
  maxRestarts: field(int(0, 1_000).default(5), 'Restarts within the window before the host gives up.'),
  windowSeconds: field(int(1, 86_400).default(1_800), 'The window in which restarts count.', { unit: seconds }),
});

/** `providerConfig`: what is inside the map the application writes. */
export const ProviderConfigSchema = z.object({
  dockerImage: field(text(255, IMAGE_REFERENCE).optional(), 'The image the enclave runs; best by digest.', {
    change: 'enclaveRestart',
    fallback: 'none: a new record needs `dockerImage` or `eif`; an edit without either keeps the applied image',
    form: 'an image reference in lower case: [host[:port]/]path[:tag][@sha256:digest]',
    example: 'ghcr.io/acme/signer:1.4.2',
  }),
  eif: field(EifSchema.optional(), 'A ready enclave image; replaces `dockerImage`.', { change: 'enclaveRestart' }),
  sourceType: field(
    z.enum(['registry', 'github', 'private-registry']).default('registry'),
    'Where the image comes from. `github` images are built elsewhere, before the operator acts.',
    { change: 'enclaveRestart' },
  ),
  registryCredentialsArn: field(
    text(512, SECRET_ARN).optional(),
    'Secret `{"username": …, "password": …}` for the image\'s registry, read by the host. ECR needs none.',
    {
      change: 'inPlace',
      form: 'the ARN of a Secrets Manager secret or an SSM parameter',
      example: 'arn:aws:secretsmanager:us-west-2:111122223333:secret:registry-AbCdEf',
    },
  ),
  instanceType: field(
    text(40, /^[a-z0-9-]+\.[a-z0-9-]+$/).default('m6i.xlarge'),
    'The EC2 instance type of the host.',
    {
      change: 'stopStart',
      form: 'an EC2 instance type',
      example: 'm6i.xlarge',
    },
  ),
  cpuCount: field(int(1, 1_024).optional(), 'vCPU of the enclave, in whole cores; the host keeps one core.', {
    change: 'enclaveRestart',
    unit: 'vCPU',
    fallback: '2, or as many as the host can give where that is less',
    codes: { small: 'CPU_TOO_FEW', big: 'CPU_TOO_MANY' },
  }),
  memoryMiB: field(
    int(64, 16_777_216).default(1_024),
    'Memory of the enclave; at least four times the size of its image.',
    {
      change: 'enclaveRestart',
      unit: 'MiB',
      codes: { small: 'MEM_TOO_SMALL', big: 'MEM_TOO_LARGE' },
    },
  ),
  enclaveCid: field(int(4, 4_294_967_294).default(16), 'Address of the enclave on the vsock.', {
    change: 'enclaveRestart',
  }),
  enableDebug: field(
    z.boolean().default(false),
    'Debug mode: the console can be read by the host, and attested measurements are zero.',
    { change: 'enclaveRestart' },
  ),
  workloadType: field(
    z.enum(['batch', 'service', 'daemon']).default('service'),
    '`service` and `daemon` run for ever; `batch` completes.',
    { change: 'enclaveRestart' },
  ),
  healthCheckPath: field(text(256, URL_PATH).default('/health'), 'Path of the HTTP health check.', {
    change: 'inPlace',
    form: 'an absolute path of at most 256 characters without spaces',
    example: '/health',
    codes: { form: 'HEALTH_PATH', big: 'HEALTH_PATH' },
  }),
  healthCheckInterval: field(int(5, 300).default(30), 'Pause between health checks.', {
    change: 'inPlace',
    unit: seconds,
    codes: { small: 'HEALTH_INTERVAL', big: 'HEALTH_INTERVAL' },
  }),
  healthCheck: field(HealthCheckSchema.prefault({}), 'Details of the health check.', {
    change: 'inPlace',
  }),
  exposePorts: field(
    z
      .array(field(int(1, 65_535), 'A TCP port.', { codes: { small: 'PORT_RANGE', big: 'PORT_RANGE' } }))
      .max(32)
      .default([]),
    'TCP ports of the host that lead into the enclave.',
    { change: 'inPlace', example: '[8080]' },
  ),
  awsServices: field(z.array(z.enum(AWS_SERVICES)).max(32).default(['kms']), 'AWS services the enclave may reach.', {
    change: 'enclaveRestart',
    example: '["kms", "s3"]',
  }),
  egress: field(EgressSchema.prefault({}), 'Other hosts the enclave may reach.', {
    change: 'enclaveRestart',
  }),
  ingressCidrs: field(
    z
      .array(field(text(43, CIDR), 'An address range.', { form: 'a CIDR block', example: '10.0.0.0/16' }))
      .max(32)
      .default([]),
    'Who may reach the exposed ports.',
    { change: 'inPlace', fallback: 'the addresses of the VPC' },
  ),
  environmentVariables: field(
    z
      .record(
        text(128, ENV_NAME),
        field(z.string().regex(NO_NUL), 'A value.', { form: 'text without NUL', codes: { form: 'ENV_UNSAFE' } }),
      )
      .default({}),
    'Variables of the workload; at most 8 KiB in all. Stored in clear.',
    { change: 'enclaveRestart', names: ENV_NAMES, example: '{"LOG_LEVEL": "info"}' },
  ),
  secrets: field(z.array(SecretSchema).max(32).default([]), 'Secrets, by reference only.', {
    change: 'enclaveRestart',
  }),
  restartPolicy: field(
    z.enum(['Always', 'OnFailure', 'Never']).optional(),
    'When the host starts an ended enclave again.',
    {
      change: 'inPlace',
      fallback: 'Always; OnFailure for a batch',
    },
  ),
  backoff: field(BackoffSchema.prefault({}), 'Pauses between restarts on the host.', {
    change: 'inPlace',
  }),
  attestation: field(AttestationSchema.prefault({}), 'What the enclave is expected to be.', {
    change: 'inPlace',
  }),
  host: field(HostSchema.prefault({}), 'The EC2 host.', { change: 'inPlace' }),
  logs: field(LogsSchema.prefault({}), 'The log group of the enclave.', { change: 'inPlace' }),
});

/** Fields of the record itself. */
export const RecordFieldsSchema = z.object({
  id: field(text(63, /^[A-Za-z0-9][A-Za-z0-9_-]*$/), 'Names the enclave and its resources. Never changes.', {
    form: '1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or digit',
    example: 'enc_1755986905612_ouocac870',
    codes: { form: 'ID_FORMAT', big: 'ID_FORMAT' },
  }),
  walletAddress: field(z.string().min(1).regex(NO_NUL), 'The owner. Never changes.', {
    form: 'an address',
    example: '0x52908400098527886E0F7030069857D2E4169EE7',
    codes: { form: 'ENV_UNSAFE' },
  }),
  providerId: field(z.literal('aws-nitro').default('aws-nitro'), 'The provider. Never changes.', {}),
  region: field(text(30, /^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$/).optional(), 'Where the enclave runs. Never changes.', {
    change: 'replace',
    fallback: "the operator's region",
    form: 'an AWS region',
    example: 'us-west-2',
  }),
  tags: field(
    z
      .record(
        text(128, TAG_NAME),
        field(text(256, NO_NUL), 'A value.', { form: 'text without NUL', codes: { form: 'ENV_UNSAFE' } }),
      )
      .default({}),
    'Tags of the EC2 resources; at most 40.',
    { change: 'inPlace', names: '1 to 128 characters, not beginning with aws:' },
  ),
});
