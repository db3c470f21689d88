/** The runner's part in KMS: it keeps the keys that carry this environment's tag, and uses none. */
import { TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import type { Platform } from '../context.ts';
import { allow, type Statement } from '../policy.ts';

export function keyStatements({ config, names }: Platform, region: string): readonly Statement[] {
  const keys = [names.arn('kms', 'key/*', region)];
  const aliases = [names.arn('kms', 'alias/treza-enclave-*', region)];
  const is = (of: 'RequestTag' | 'ResourceTag') => ({
    StringEquals: { [`aws:${of}/${TAG_ENVIRONMENT}`]: config.environment },
  });
  return [
    allow('MakeKeys', ['kms:CreateKey'], { everything: 'a key has no ARN before it exists' }, is('RequestTag')),
    // No call here uses a key: enclaves alone decrypt, by attestation.
    allow(
      'KeepKeys',
      [
        'kms:CancelKeyDeletion',
        'kms:CreateAlias',
        'kms:DeleteAlias',
        'kms:DescribeKey',
        'kms:EnableKeyRotation',
        'kms:GetKeyPolicy',
        'kms:GetKeyRotationStatus',
        'kms:ListResourceTags',
        'kms:PutKeyPolicy',
        'kms:ScheduleKeyDeletion',
        'kms:TagResource',
        'kms:UntagResource',
        'kms:UpdateAlias',
        'kms:UpdateKeyDescription',
      ],
      keys,
      is('ResourceTag'),
    ),
    allow('KeepAliases', ['kms:CreateAlias', 'kms:DeleteAlias', 'kms:UpdateAlias'], aliases),
    allow('FindAliases', ['kms:ListAliases'], { everything: 'the list of aliases knows no resource' }),
  ];
}
