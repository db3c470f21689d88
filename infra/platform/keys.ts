/** KMS keys: one for what the platform stores, one a region for the configuration hosts read. */
import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias/index.js';
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js';
import { idIn, type Platform } from './context.ts';
import { grant, policyJson, type Statement } from './policy.ts';

const THIS_KEY = { everything: 'in a key policy * is the key itself' };
const USE = ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'];
const DELETION_DAYS = 30;

/** The account administrates by its own IAM policies; a key nobody can administrate is lost for good. */
function administration({ names, config }: Platform): Statement {
  return grant(
    'Administration',
    { AWS: `arn:${names.partition}:iam::${config.accountId}:root` },
    [
      'kms:CancelKeyDeletion',
      'kms:CreateAlias',
      'kms:DeleteAlias',
      'kms:DescribeKey',
      'kms:DisableKey',
      'kms:EnableKey',
      'kms:EnableKeyRotation',
      'kms:GetKeyPolicy',
      'kms:GetKeyRotationStatus',
      'kms:ListGrants',
      'kms:ListResourceTags',
      'kms:PutKeyPolicy',
      'kms:RevokeGrant',
      'kms:ScheduleKeyDeletion',
      'kms:TagResource',
      'kms:UntagResource',
      'kms:UpdateAlias',
      'kms:UpdateKeyDescription',
    ],
    THIS_KEY,
  );
}

/**
 * Whoever may use the table or the bucket may use its key through it, as with the keys AWS manages: access is decided
 * in one place, and no role needs the key named. Direct calls of KMS are refused.
 */
function throughServices({ config }: Platform, region: string, services: readonly string[]): Statement {
  return grant('UseThroughServices', { AWS: '*' }, [...USE, 'kms:CreateGrant'], THIS_KEY, {
    StringEquals: {
      'kms:CallerAccount': config.accountId,
      'kms:ViaService': services.map((service) => `${service}.${region}.amazonaws.com`),
    },
  });
}

interface KeyOptions {
  readonly region: string;
  readonly id: string;
  readonly purpose: string;
  readonly statements: readonly Statement[];
  /** Kept when the platform is destroyed, with what it encrypts. */
  readonly retain: boolean;
}

function key(platform: Platform, { region, id, purpose, statements, retain }: KeyOptions): KmsKey {
  const { stack, config } = platform;
  const provider = platform.provider(region);
  const made = new KmsKey(stack, id, {
    description: `${config.prefix}: ${purpose}`,
    enableKeyRotation: true,
    deletionWindowInDays: DELETION_DAYS,
    policy: policyJson(statements),
    ...(retain ? { lifecycle: { preventDestroy: true } } : {}),
    ...provider,
  });
  platform.policies.set(`aws_kms_key.${id}`, statements);
  new KmsAlias(stack, `${id}-alias`, {
    name: `alias/${config.prefix}-${purpose}`,
    targetKeyId: made.keyId,
    ...provider,
  });
  return made;
}

/** Tables, states, plans, logs, metrics and alarms. */
export function dataKey(platform: Platform): KmsKey {
  const { config, names } = platform;
  const { region } = config;
  const { enabled: hasMetrics } = config.monitoring;
  const logs = [`/ecs/${config.prefix}-*`, names.machinesLogGroup, ...(hasMetrics ? [names.metricsLogGroup] : [])].map(
    (group) => names.arn('logs', `log-group:${group}`),
  );
  return key(platform, {
    region,
    id: 'data-key',
    purpose: 'data',
    retain: true,
    statements: [
      administration(platform),
      throughServices(platform, region, ['dynamodb', 's3', 'sns', ...(hasMetrics ? ['aps'] : [])]),
      grant('Logs', { Service: `logs.${region}.amazonaws.com` }, USE, THIS_KEY, {
        ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logs },
      }),
      grant('Alarms', { Service: 'cloudwatch.amazonaws.com' }, ['kms:Decrypt', 'kms:GenerateDataKey*'], THIS_KEY, {
        StringEquals: { 'aws:SourceAccount': config.accountId },
      }),
      // Any workspace of ours: the topic names the one, and this key is older than it.
      ...(hasMetrics
        ? [
            grant('Alerts', { Service: 'aps.amazonaws.com' }, ['kms:Decrypt', 'kms:GenerateDataKey*'], THIS_KEY, {
              StringEquals: { 'aws:SourceAccount': config.accountId },
              ArnLike: { 'aws:SourceArn': names.arn('aps', 'workspace/*') },
            }),
          ]
        : []),
    ],
  });
}

/** Its own key, so that hosts of one region can read nothing but configuration objects with it. */
export function configurationKey(platform: Platform, region: string): KmsKey {
  return key(platform, {
    region,
    id: idIn(platform, region, 'configuration-key'),
    purpose: 'configuration',
    retain: false,
    statements: [administration(platform), throughServices(platform, region, ['s3'])],
  });
}
