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

function key(
  platform: Platform,
  region: string,
  id: string,
  purpose: string,
  statements: readonly Statement[],
): KmsKey {
  const { stack, config } = platform;
  const provider = platform.provider(region);
  const made = new KmsKey(stack, id, {
    description: `${config.prefix}: ${purpose}`,
    enableKeyRotation: true,
    deletionWindowInDays: DELETION_DAYS,
    policy: policyJson(statements),
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

/** Tables, states, plans, logs and alarms. */
export function dataKey(platform: Platform): KmsKey {
  const { config, names } = platform;
  const made = key(platform, config.region, 'data-key', 'data', [
    administration(platform),
    throughServices(platform, config.region, ['dynamodb', 's3']),
    grant('Logs', { Service: `logs.${config.region}.amazonaws.com` }, USE, THIS_KEY, {
      ArnLike: {
        'kms:EncryptionContext:aws:logs:arn': [
          names.arn('logs', `log-group:/ecs/${config.prefix}-*`),
          names.arn('logs', `log-group:${names.machinesLogGroup}`),
        ],
      },
    }),
    grant('Alarms', { Service: 'cloudwatch.amazonaws.com' }, ['kms:Decrypt', 'kms:GenerateDataKey*'], THIS_KEY, {
      StringEquals: { 'aws:SourceAccount': config.accountId },
    }),
  ]);
  // What it encrypts outlives the platform: see `retained` in imports.ts.
  made.addOverride('lifecycle.prevent_destroy', true);
  return made;
}

export function configurationKey(platform: Platform, region: string): KmsKey {
  return key(platform, region, idIn(platform, region, 'configuration-key'), 'configuration', [
    administration(platform),
    throughServices(platform, region, ['s3']),
  ]);
}
