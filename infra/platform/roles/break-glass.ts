/** For emergencies: administrates enclaves' keys where the runner cannot. It uses none of them. */
import type { PlacedConfig } from '../config.ts';
import type { Names } from '../names.ts';
import { allow, type Statement } from '../policy.ts';
import { ofEnclave } from './tags.ts';

export function breakGlassStatements(config: PlacedConfig, names: Names): readonly Statement[] {
  return [
    allow(
      'AdministrateKeys',
      [
        'kms:CancelKeyDeletion',
        'kms:DescribeKey',
        'kms:DisableKey',
        'kms:EnableKey',
        'kms:GetKeyPolicy',
        'kms:PutKeyPolicy',
        'kms:ScheduleKeyDeletion',
      ],
      Object.keys(config.regions).map((region) => names.arn('kms', 'key/*', region)),
      ofEnclave(config.environment, 'aws:ResourceTag'),
    ),
  ];
}

/** People of this account who are allowed to, with a second factor. */
export function breakGlassTrust(config: PlacedConfig, names: Names): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'People',
        Effect: 'Allow',
        Principal: { AWS: `arn:${names.partition}:iam::${config.accountId}:root` },
        Action: 'sts:AssumeRole',
        Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
      },
    ],
  });
}
