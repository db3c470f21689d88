/** Configuration: one schema, its defaults, units and meanings. */
import { z } from 'zod';
import { ALLOWED_REFERENCE, ALLOWED_REFERENCE_FORM } from '../enclave/spec/references.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const ms = (fallback: number, meaning: string) =>
  z.coerce.number().int().min(0).max(2_147_483_647).default(fallback).describe(meaning);
const count = (fallback: number, min: number, max: number, meaning: string) =>
  z.coerce.number().int().min(min).max(max).default(fallback).describe(meaning);
const decimal = (fallback: number, max: number, meaning: string) =>
  z.coerce.number().min(0).max(max).default(fallback).describe(meaning);
/** Off by default. */
const flag = (meaning: string) =>
  z
    .preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())
    .default(false)
    .describe(meaning);
const name = (fallback: string, meaning: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,255}$/, 'only A-Z a-z 0-9 _ . -')
    .default(fallback)
    .describe(meaning);

/** A list, which the environment spells with commas. */
const list = (member: z.ZodType<string>, meaning: string) =>
  z
    .preprocess(
      (value) =>
        typeof value === 'string'
          ? value
              .split(',')
              .map((part) => part.trim())
              .filter(Boolean)
          : value,
      z.array(member),
    )
    .default([])
    .describe(`${meaning} Comma list in the environment.`);

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A signature proves who wrote, and hides nothing: only a receiver on this machine is told in the clear. */
function isWebhook(text: string): boolean {
  if (text === '') return true;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
}

/** Keys are flat; the environment spells them `ENCLAVE_OPERATOR_` + UPPER_SNAKE. */
export const ConfigSchema = z.strictObject({
  environment: name('dev', 'Name of the environment; value of the tag Environment. Hosts of another one are foreign.'),
  prefix: name('treza-dev', 'Prefix of state machines, tables and clusters.'),
  region: name('us-west-2', 'Region of the platform; region of records that name none. Falls back to AWS_REGION.'),
  regions: list(z.string(), 'Regions enclaves may live in; empty: any.'),
  allowedReferences: list(
    z.string().regex(ALLOWED_REFERENCE, ALLOWED_REFERENCE_FORM),
    'Names that records may refer to although they do not own them: secrets, parameters, S3 objects, registry logins, ' +
      'KMS keys, machine images, subnets, security groups; `publicIp` allows public addresses. A trailing `*` matches ' +
      'every name that begins so. The operator refuses other references in new records and edits; `dev` only warns.',
  ),
  accountId: z
    .string()
    .regex(/^[0-9]{12}$/, '12 digits')
    .default('000000000000')
    .describe('AWS account of the state machines.'),
  enclavesTable: name('treza-enclaves-dev', "The application's table."),
  stateTable: name('treza-dev-operator-state', "The operator's own memory."),
  historyTable: name('treza-dev-operator-history', 'Runs and events, with TTL.'),
  stateBucket: z
    .string()
    .regex(/^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/, 'the name of a bucket')
    .default('')
    .describe('Bucket of the Terraform states, to compare with the enclaves that exist; empty: not looked at.'),
  cluster: name('treza-dev-infrastructure', 'ECS cluster the runner tasks run in.'),
  rolePath: z
    .string()
    .regex(/^\/[a-z0-9-]+\/$/, 'one folder, for example /enclaves/')
    .default('/treza-dev-enclaves/')
    .describe("Folder of the hosts' roles in IAM: PCR3 is computed from it."),

  httpHost: z.string().default('0.0.0.0').describe('Address of health and metrics.'),
  httpPort: count(8080, 0, 65_535, 'Port of health and metrics; 0: any free one.'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severe log lines shown.'),
  heartbeatMs: ms(MINUTE, 'Interval of the log line that says that the leader makes progress; 0: none.'),
  enclaveInfoMax: count(0, 0, 10_000, 'Enclaves the metric enclave_info names one by one, at most; 0: none.'),

  observeOnly: flag('Compare and tell what would be done; write to no record, start and stop nothing.'),

  orphans: z
    .enum(['report', 'destroy'])
    .default('report')
    .describe('What becomes of hosts of no enclave that have a Terraform state: told only, or destroyed from it.'),

  workers: count(32, 1, 1_000, 'Reconciles at a time.'),
  maxRuns: count(16, 1, 10_000, 'Terraform runs in flight at a time, all enclaves together.'),
  maxRunsPerWallet: count(0, 0, 10_000, 'Terraform runs in flight at a time for one wallet; 0: as many as maxRuns.'),
  maxEnclavesPerWallet: count(0, 0, 1_000_000, 'Enclaves one wallet may have; more wait. 0: any number.'),
  runInstancesPerSecond: decimal(
    1,
    1_000,
    "Creations begun a second; EC2's RunInstances refills 2 a second, for all of the account. 0: as fast as runs allow.",
  ),
  awsBudgetShare: decimal(0.5, 1, "The operator's part of the account's AWS rate limits; 0: calls are not held back."),
  awsBudgetWaitMs: ms(15 * SECOND, 'Longest wait of a call for its turn; after it the call fails, to be tried again.'),
  attemptsPerGeneration: count(5, 1, 100, 'Failed runs of one generation before the enclave is stalled.'),
  repairAttempts: count(3, 1, 100, 'Failed repairs of one drift before the next rung, and at last stalled.'),

  feedIdleMinMs: ms(250, 'Pause between polls of a shard that had records.'),
  feedIdleMaxMs: ms(2 * SECOND, 'Longest pause between polls of an idle shard.'),
  relistMs: ms(5 * MINUTE, 'Interval of full lists, ±10 %.'),
  sweepMs: ms(MINUTE, 'Interval of sweeps over all hosts of a region.'),
  postureMs: ms(
    15 * MINUTE,
    'Interval of looks at what surrounds the hosts (groups, volumes, roles, keys, log groups, agents), ±10 %; 0: none, and no attestations.',
  ),
  attestationTrail: flag(
    'Look up in CloudTrail, every postureMs, which measurements KMS saw in Decrypts by enclaves: a call for 50 Decrypts of a region. Not done where postureMs is 0.',
  ),
  observeMs: ms(5 * SECOND, 'Pause between looks at a host that is expected to change.'),
  runBackstopMs: ms(MINUTE, 'Age of a run marker after which its execution is looked up.'),
  settleMs: ms(30 * SECOND, 'Time a direct effect (start, stop, restart) has to show before it is tried again.'),
  hostStartMs: ms(
    3 * MINUTE,
    'How long a host that was started counts as under repair, at most: it boots for minutes.',
  ),
  healthyResetMs: ms(30 * MINUTE, 'Time without a difference after which attempts to repair it are forgotten.'),

  retryBaseMs: ms(10 * SECOND, 'First pause after a failed run; doubles, with jitter.'),
  retryMaxMs: ms(10 * MINUTE, 'Longest pause between runs of one generation.'),
  stalledRetryMs: ms(HOUR, 'Pause between attempts of a stalled enclave whose cause is transient.'),
  errorBackoffBaseMs: ms(SECOND, 'First pause after a failed reconcile; doubles, with full jitter.'),
  errorBackoffMaxMs: ms(5 * MINUTE, 'Longest pause after failed reconciles.'),
  listTimeoutMs: ms(4 * MINUTE, 'Longest full list; one that takes longer has failed, and is begun again.'),
  sweepTimeoutMs: ms(MINUTE, 'Longest sweep of a region; one that takes longer has failed: its hosts are Unknown.'),
  reconcileTimeoutMs: ms(
    30 * SECOND,
    'Budget of one reconcile; one that takes longer is told and counted, never cut off.',
  ),
  publishTimeoutMs: ms(10 * SECOND, 'Budget of the write of a record, likewise.'),

  repairCapPercent: count(10, 1, 100, 'Enclaves under repair at a time, as a share of all, in percent; at least one.'),
  breakerPercent: count(
    20,
    1,
    100,
    "More than this share of a region's enclaves that differ at once stops all repairs there, in percent.",
  ),
  breakerMin: count(3, 1, 1_000_000, 'Fewer than this that differ at once never stop repairs.'),
  breakerRestMs: ms(10 * MINUTE, 'Pause after which one enclave is repaired alone, to see whether that heals.'),

  driftEveryMs: ms(24 * HOUR, 'Interval of full Terraform plans of an enclave at rest, ±20 %; 0: none are made.'),
  driftRunSize: count(20, 1, 100, 'Enclaves one drift run plans, at most.'),
  maxDriftRuns: count(2, 1, 1_000, 'Drift runs in flight at a time, within maxRuns.'),
  driftDeadlineMs: ms(45 * MINUTE, 'Longest drift run, launches that found no capacity included; then it is lost.'),

  deletionGraceMs: ms(5 * MINUTE, 'How long a record must be gone before its enclave is destroyed.'),
  deletionHoldPercent: count(
    10,
    0,
    100,
    'Percentage of the enclaves that may have resources whose records may vanish within the window before the guard holds deletions.',
  ),
  deletionHoldMin: count(3, 1, 1_000_000, 'Fewer vanished records than this never hold deletions.'),
  deletionHoldWindowMs: ms(10 * MINUTE, 'Sliding window in which vanished records are counted.'),
  staleCommandMs: ms(24 * HOUR, 'A PENDING_DEPLOY written this long before installation is not carried out unasked.'),
  reportSilenceMs: ms(15 * MINUTE, 'Silence of a host after which its state is Unknown.'),

  deployDeadlineMs: ms(
    30 * MINUTE,
    'Longest deploy run, and longest time in PENDING_DEPLOY or DEPLOYING before FAILED.',
  ),
  destroyDeadlineMs: ms(30 * MINUTE, 'Longest destroy run, and longest time in DESTROYING before FAILED.'),
  verifyDeadlineMs: ms(15 * MINUTE, 'Longest wait for the first report after a deploy or a start.'),
  pauseDeadlineMs: ms(10 * MINUTE, 'Longest time in PAUSING before FAILED.'),
  resumeDeadlineMs: ms(15 * MINUTE, 'Longest time in RESUMING before FAILED.'),
  taskStopMs: ms(2 * MINUTE, "ECS' stop timeout: after it a stopped task is dead."),

  leaseMs: ms(12 * SECOND, 'A lease unchanged for this long may be taken over.'),
  leaseRenewMs: ms(2 * SECOND, 'Interval of renewals.'),
  leaseStepDownMs: ms(8 * SECOND, 'The leader steps down after this long without a renewal.'),
  leaseRetryMs: ms(SECOND, 'Interval at which a standby looks.'),

  notifyTopicArn: z
    .string()
    .regex(/^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256})?$/, 'the ARN of an SNS topic, no FIFO one')
    .default('')
    .describe('SNS topic people are told by; empty: none.'),
  notifyWebhookUrl: z
    .string()
    .refine(isWebhook, 'an https URL without user and password; http for localhost alone')
    .default('')
    .describe(
      'Where notifications are posted, signed with ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET (32 characters or more, from ' +
        'the environment alone); empty: nowhere.',
    ),
  notifyWindowMs: ms(HOUR, 'Time within which the same of the same enclave is told once.'),
  notifyHeartbeatMs: ms(15 * MINUTE, 'Interval of heartbeats to every receiver, so that silence is noticed; 0: none.'),

  historyDays: count(90, 1, 3_650, 'Days runs and events are kept.'),
});
export type Config = z.infer<typeof ConfigSchema>;
