/** The runner's part in KMS: it keeps the keys that carry this environment's tag, and uses none. */
import { TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import type { Platform } from '../context.ts';
import { allow, type Statement } from '../policy.ts';
import { ofEnclave } from './tags.ts';

export function keyStatements({ config, names }: Platform, region: string): readonly Statement[] {
  const keys = [names.arn('kms', 'key/*', region)];
  const aliases = [names.arn('kms', 'alias/treza-enclave-*', region)];
  const newKey = ofEnclave(config.environment, 'aws:RequestTag');
  return [
    allow('MakeKeys', ['kms:CreateKey'], { everything: 'a key has no ARN before it exists' }, newKey),
    // A key is tagged as it is made; one that has an environment already is not taken over by a tag.
    allow('TagNewKeys', ['kms:TagResource'], keys, {
      ...newKey,
      Null: { ...newKey.Null, [`aws:ResourceTag/${TAG_ENVIRONMENT}`]: 'true' },
    }),
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
      ofEnclave(config.environment, 'aws:ResourceTag'),
    ),
    allow('KeepAliases', ['kms:CreateAlias', 'kms:DeleteAlias', 'kms:UpdateAlias'], aliases),
    allow('FindAliases', ['kms:ListAliases'], { everything: 'the list of aliases knows no resource' }),
  ];
}
