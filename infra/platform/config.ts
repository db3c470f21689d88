/** What an environment's platform is made of: one schema for dev, staging and prod. */
import { z } from 'zod';
import { ALLOWED_REFERENCE, ALLOWED_REFERENCE_FORM } from '../../src/enclave/spec/references.ts';

const NAME_LIMIT = 21;
/** Managed policies a role may have, unless a quota is raised. */
const MOST_REGIONS = 10;
/** The AWS distribution of the OpenTelemetry collector. */
const COLLECTOR_IMAGE = 'public.ecr.aws/aws-observability/aws-otel-collector:v0.45.1';
/** Retentions CloudWatch Logs accepts, of which these are useful here. */
const RETENTION_DAYS = [7, 14, 30, 60, 90, 180, 365, 400, 731] as const;

const text = (pattern: RegExp, hint: string) => z.string().regex(pattern, hint);
const name = text(/^[a-z][a-z0-9-]*[a-z0-9]$/, 'lower-case letters, digits and hyphens, beginning with a letter');
const tableName = text(/^[A-Za-z0-9_.-]{3,255}$/, '3 to 255 of A-Z a-z 0-9 _ . -');
const bucketName = text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'a bucket name: 3 to 63 of a-z 0-9 . -');
const roleName = text(/^[\w+=,.@-]{1,64}$/, 'a role name: up to 64 of A-Z a-z 0-9 _ + = , . @ -');
const regionName = text(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region, for example us-west-2');
const zoneName = text(/^[a-z]{2}(-[a-z0-9]+)+-\d[a-z]$/, 'a zone, for example us-west-2a');
/** A tag that moves would give two tasks of one revision two programs. */
const pinnedImage = text(
  /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+(:(?!latest$)[\w][\w.-]{0,127}|(:[\w][\w.-]{0,127})?@sha256:[0-9a-f]{64})$/,
  'registry/repository with a tag other than latest, or with @sha256:… of its digest',
);
const tag = text(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/, 'an image tag');

const NewNetworkSchema = z.strictObject({
  kind: z.literal('new'),
  /** Split into a /18 for each zone's hosts and tasks, and a /24 for each NAT gateway. */
  cidr: text(/^(10\.\d{1,3}|172\.(1[6-9]|2\d|3[01])|192\.168)\.0\.0\/16$/, 'a private /16, for example 10.20.0.0/16'),
  zones: z.array(zoneName).min(2, 'two or three zones').max(3, 'two or three zones'),
  /** `one` is cheaper; with it, the loss of its zone cuts the others off from what has no endpoint (IAM has none). */
  nat: z.enum(['one', 'perZone']),
  /** Interface endpoints: AWS is reached without the NAT gateway, for a fixed price an hour, zone and service. */
  interfaceEndpoints: z.boolean(),
});

const ExistingNetworkSchema = z.strictObject({
  kind: z.literal('existing'),
  vpcId: text(/^vpc-[0-9a-f]{8,17}$/, 'an id, for example vpc-0123456789abcdef0'),
  cidr: text(/^[\d.]+\/\d{1,2}$/, 'an IPv4 range, for example 10.0.0.0/16'),
  /** Private subnets with a way out. */
  subnets: z
    .array(
      z.strictObject({ id: text(/^subnet-[0-9a-f]{8,17}$/, 'an id, for example subnet-0a1b2c3d'), zone: zoneName }),
    )
    .min(1, 'at least one private subnet'),
  endpointSecurityGroupId: text(/^sg-[0-9a-f]{8,17}$/, 'an id, for example sg-0a1b2c3d').optional(),
  prefixListIds: z.array(text(/^pl-[0-9a-f]{8,17}$/, 'an id, for example pl-0a1b2c3d')).default([]),
});

const NetworkSchema = z.discriminatedUnion('kind', [NewNetworkSchema, ExistingNetworkSchema]);
export type Network = z.infer<typeof NetworkSchema>;
export type NewNetwork = z.infer<typeof NewNetworkSchema>;

/** What an installation of the pipeline that is being replaced calls by names of its own. */
const ExistingSchema = z.strictObject({
  /** Bucket of the enclaves' Terraform states. */
  stateBucket: bucketName.optional(),
  /** Lock table of the old runner, while both are in use. */
  lockTable: tableName.optional(),
  roles: z
    .strictObject({ runner: roleName.optional(), execution: roleName.optional(), workflows: roleName.optional() })
    .default({}),
});

/** Metrics and alerts outside the operator, in Amazon Managed Prometheus of the platform's region. */
const MonitoringSchema = z.strictObject({
  /** False: no workspace, no collector, no heartbeat alarm. For regions that lack the service, too. */
  enabled: z.boolean().default(true),
  /** Of the sidecar that scrapes and sends. Name a copy where tasks do not reach public.ecr.aws. */
  collectorImage: pinnedImage.default(COLLECTOR_IMAGE),
  /** Alerts look at windows of five minutes and more: each must hold a few samples. */
  scrapeSeconds: z.number().int().min(15).max(60).default(30),
  /** Days series are kept. */
  retentionDays: z.number().int().min(1).max(1_095).default(150),
});

const FARGATE_CPU = z.union([z.literal(256), z.literal(512), z.literal(1024), z.literal(2048), z.literal(4096)]);
const memory = (least: number, why: string) => z.number().int().min(least, why).max(30_720).multipleOf(1024);

const ShapeSchema = z.strictObject({
  environment: name.max(12),
  prefix: name.max(NAME_LIMIT, `at most ${NAME_LIMIT} characters: it is part of bucket names`),
  /** Guard: nothing is planned in another account. Absent: the account of the credentials. */
  accountId: text(/^\d{12}$/, '12 digits').optional(),
  /** Region of tables, cluster and state machines; of records that name none. */
  region: regionName,
  /** Where enclaves may live; a record that names another region is refused with REGION_NOT_ENABLED. */
  regions: z.record(regionName, z.strictObject({ network: NetworkSchema })),
  enclavesTable: tableName,
  cluster: name.max(255),
  /**
   * Path of the roles of hosts: the runner may make roles there alone.
   * @default `/<prefix>-enclaves/`, so that the environments of one account stay apart
   */
  rolePath: text(/^\/[a-z0-9-]+\/$/, 'one folder, for example /enclaves/').optional(),
  /** True: what the contract names exists already and is imported. A list: these addresses only. */
  adopt: z.union([z.boolean(), z.array(z.string())]).default(false),
  existing: ExistingSchema.default({ roles: {} }),
  /** Grants the runner the incumbent's hosts: roles at path / without a boundary. Off once all are modernised. */
  legacyHosts: z.boolean().default(false),
  /** SSM parameters a spec's `host.amiSsmParameter` may name beside Amazon's own; `*` at the end for a folder. */
  amiParameters: z.array(text(/^\/[\w./-]+\*?$/, 'a parameter, for example /images/enclave or /images/*')).default([]),
  /**
   * Names that records may refer to although they do not own them: secrets, parameters, S3 objects, registry logins,
   * KMS keys, machine images, subnets, security groups; `publicIp` allows public addresses. A trailing `*` matches every
   * name that begins so. The operator refuses other references in new records and edits; `dev` only warns. Every record
   * may refer to `amiParameters`.
   */
  allowedReferences: z.array(text(ALLOWED_REFERENCE, ALLOWED_REFERENCE_FORM)).default([]),
  images: z.strictObject({ operator: tag, runner: tag }),
  operator: z.strictObject({
    tasks: z.number().int().min(0).max(4),
    cpu: FARGATE_CPU,
    memoryMiB: memory(1024, 'at least 1,024 MiB'),
    maxRuns: z.number().int().min(1).max(10_000),
    /** Compares and tells, and does nothing: for the days of a cut-over. */
    observeOnly: z.boolean().default(false),
    /** Looks up in CloudTrail what enclaves attested: see docs/drift.md. The operator's role may do so only then. */
    attestationTrail: z.boolean().default(false),
  }),
  runner: z.strictObject({
    cpu: FARGATE_CPU,
    memoryMiB: memory(2048, "at least 2,048 MiB: Terraform's AWS provider needs it"),
  }),
  monitoring: MonitoringSchema.prefault({}),
  logRetentionDays: z.literal(RETENTION_DAYS),
  /** Days full plans and parked states are kept. */
  planDays: z.number().int().min(1).max(365).default(30),
  /** Who is told beside the topic, by signed POSTs; the secret lies in Secrets Manager, as plain text. */
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https$/, error: 'an https URL' }),
      secretArn: text(
        /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+$/,
        'the ARN of a secret of Secrets Manager',
      ),
    })
    .optional(),
  /** Who hears of alarms, by mail. */
  alarmEmails: z.array(z.email()).default([]),
});

export const PlatformConfigSchema = ShapeSchema.superRefine((config, context) => {
  const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (config.regions[config.region] === undefined) {
    refuse(['regions'], `lacks ${config.region}, the platform's own region: add its network`);
  }
  if (Object.keys(config.regions).length > MOST_REGIONS) {
    refuse(['regions'], `has more than ${MOST_REGIONS}: IAM attaches no more policies to the runner's role`);
  }
  const partition = (region: string) => /^(cn|us-gov)-/.exec(region)?.[1] ?? '';
  for (const [region, { network }] of Object.entries(config.regions)) {
    if (partition(region) !== partition(config.region)) {
      refuse(['regions', region], `is in another partition than ${config.region}: it needs a platform of its own`);
    }
    const zones = network.kind === 'new' ? network.zones : network.subnets.map(({ zone }) => zone);
    for (const zone of zones.filter((each) => !each.startsWith(region))) {
      refuse(['regions', region, 'network'], `zone ${zone} is not in ${region}: name zones of ${region}`);
    }
    if (network.kind === 'new' && new Set(network.zones).size < network.zones.length) {
      refuse(['regions', region, 'network', 'zones'], 'names a zone twice: name each once');
    }
  }
});

export type PlatformConfigInput = z.input<typeof PlatformConfigSchema>;
export type PlatformConfig = z.infer<typeof PlatformConfigSchema>;
/** With the account decided. */
export type PlacedConfig = PlatformConfig & { readonly accountId: string };

/** Throws one error that names every wrong field, its reason and so its fix. */
export function parseConfig(input: unknown, source: string): PlatformConfig {
  const parsed = PlatformConfigSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || '(whole)'}: ${issue.message}`);
  throw new Error(`${source} is not a platform configuration:\n${lines.join('\n')}`);
}

export function placed(config: PlatformConfig, accountId: string): PlacedConfig {
  if (!/^\d{12}$/.test(accountId)) throw new Error(`account ${accountId}: an AWS account id has 12 digits`);
  if (config.accountId !== undefined && config.accountId !== accountId) {
    throw new Error(
      `environment ${config.environment} belongs to account ${config.accountId}, but these credentials are of ` +
        `${accountId}: switch the profile (AWS_PROFILE)`,
    );
  }
  return { ...config, accountId };
}
