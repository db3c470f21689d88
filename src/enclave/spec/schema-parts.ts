/** Maps inside `providerConfig`, each with its own fields. */
import { z } from 'zod';
import { isAllZero } from '../measurements.ts';
import { field, int, ruled, text } from './fields.ts';
import {
  AMI_ID,
  EGRESS_HOST,
  KMS_KEY_ARN,
  PCR,
  S3_URI,
  SECURITY_GROUP_ID,
  SHA256,
  SSM_PARAMETER,
  SUBNET_ID,
} from './patterns.ts';

/** What CloudWatch Logs takes as a retention; see PutRetentionPolicy. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const kmsKey = { form: 'the ARN of a KMS key', example: 'arn:aws:kms:us-west-2:111122223333:key/1234abcd' };

export const EifSchema = z.object({
  uri: field(text(1_024, S3_URI), 'Where the image file lies.', {
    form: 'an s3:// URI',
    example: 's3://images/app.eif',
  }),
  sha256: field(text(64, SHA256), 'Its SHA-256; the host refuses any other file.', { form: '64 hexadecimal digits' }),
});

export const HealthCheckSchema = z.object({
  port: field(int(1, 65_535).optional(), 'Port that is probed.', {
    fallback: 'the first of `exposePorts`',
    codes: { small: 'PORT_RANGE', big: 'PORT_RANGE' },
  }),
  timeoutSeconds: field(int(1, 299).optional(), 'When a probe counts as failed; less than the interval.', {
    unit: 's',
    fallback: '5, or one less than the interval where that is less',
    codes: { small: 'HEALTH_TIMEOUT', big: 'HEALTH_TIMEOUT' },
  }),
  failureThreshold: field(int(1, 10).default(3), 'Failed probes in a row until unhealthy.'),
  successThreshold: field(int(1, 10).default(1), 'Passed probes in a row until healthy.'),
  startupGraceSeconds: field(int(0, 3_600).default(120), 'Time after a start in which failures do not count.', {
    unit: 's',
  }),
});

const hosts = z
  .array(
    field(text(261, EGRESS_HOST), 'A host.', {
      form: 'a host name or *.domain, with an optional port',
      example: 'api.example.com:443',
    }),
  )
  .max(64)
  .default([]);

export const EgressSchema = z.object({
  allow: field(hosts, 'Hosts that may be reached, beside those of `awsServices`.', {
    example: '["api.example.com:443"]',
  }),
  deny: field(hosts, 'Exceptions from `allow`.'),
  unsafeAllowAll: field(z.boolean().default(false), 'Lets `allow` hold `*`.'),
});

const pcr = (meaning: string) =>
  field(
    ruled(text(96, PCR), (value) => !isAllZero(value), {
      code: 'PCR_ALL_ZERO',
      says: 'is all zero, which is what every debug enclave attests',
      fix: 'Give the measurement of a build.',
    }).optional(),
    meaning,
    { form: '96 hexadecimal digits', codes: { form: 'PCR_FORMAT', big: 'PCR_FORMAT' } },
  );

export const MeasurementSetSchema = ruled(
  z.object({
    pcr0: pcr('The whole image.'),
    pcr1: pcr('Kernel and boot file system.'),
    pcr2: pcr('The application.'),
    pcr8: pcr('The certificate that signed the image.'),
  }),
  (set) => Object.values(set).some((value) => value !== undefined),
  { code: 'FORMAT', says: 'names no measurement', fix: 'Give pcr0, or pcr1 and pcr2, or pcr8.' },
);

export const AttestationSchema = z.object({
  expectedMeasurements: field(
    z.array(MeasurementSetSchema).max(4).default([]),
    'Sets of measurements; the enclave must show one of them.',
  ),
  kmsKeyArn: field(text(512, KMS_KEY_ARN).optional(), 'KMS key the enclave uses.', kmsKey),
  bindPcr3: field(z.boolean().default(true), "Whether the key is bound to the host's role."),
  bindPcr8: field(z.boolean().default(false), 'Whether the key is bound to the signer of the image.'),
  enforce: field(
    z.enum(['off', 'alert', 'quarantine']).default('alert'),
    'What follows where none of the sets is shown: nothing, an event, or that the enclave is not Ready.',
  ),
});

export const HostSchema = z.object({
  amiId: field(text(21, AMI_ID).optional(), 'Machine image of the host.', {
    change: 'replace',
    fallback: 'the newest Amazon Linux 2023 when the host is created, then pinned',
    form: 'the id of an AMI',
    example: 'ami-0123456789abcdef0',
  }),
  amiSsmParameter: field(
    text(1_011, SSM_PARAMETER).optional(),
    'SSM parameter that names the image; read once, then pinned.',
    {
      change: 'replace',
      form: 'the name of an SSM parameter, beginning with /',
    },
  ),
  imdsHopLimit: field(int(1, 2).default(1), 'Hops an answer of the metadata service may travel.', {
    change: 'inPlace',
  }),
  rootVolumeGiB: field(
    int(8, 1_024).default(20),
    'Size of the root volume. It can grow; to shrink it replaces the host.',
    {
      change: 'inPlace',
      unit: 'GiB',
    },
  ),
  rootEncrypted: field(z.boolean().default(true), 'Whether the root volume is encrypted.', { change: 'replace' }),
  terminationProtection: field(z.boolean().default(false), 'Whether EC2 refuses to terminate the host.', {
    change: 'inPlace',
  }),
  publicIp: field(z.boolean().default(false), 'Whether the host has a public address.', { change: 'replace' }),
  subnetId: field(text(24, SUBNET_ID).optional(), 'Subnet of the host.', {
    change: 'replace',
    fallback: "one of the platform's private subnets",
    form: 'the id of a subnet',
    example: 'subnet-0123456789abcdef0',
  }),
  securityGroupIds: field(
    z
      .array(
        field(text(20, SECURITY_GROUP_ID), 'A group.', {
          form: 'the id of a security group',
          example: 'sg-0123456789abcdef0',
        }),
      )
      .max(4)
      .default([]),
    "Security groups beside the enclave's own.",
    { change: 'inPlace' },
  ),
  hibernation: field(z.boolean().optional(), 'Must not be true: EC2 allows hibernation or enclaves, not both.', {
    fallback: 'false',
  }),
});

export const LogsSchema = z.object({
  retentionDays: field(z.literal(RETENTION_DAYS).default(30), 'How long CloudWatch keeps the logs.', { unit: 'days' }),
  kmsKeyArn: field(text(512, KMS_KEY_ARN).optional(), 'KMS key that encrypts the logs.', kmsKey),
});
