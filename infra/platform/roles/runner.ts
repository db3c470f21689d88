/** The runner: what one enclave's Terraform creates, reads and deletes, in the configured regions alone. */

import { PLANS_PREFIX } from '../buckets.ts';
import type { Platform } from '../context.ts';
import { allow, type Statement } from '../policy.ts';
import { hostStatements } from './runner-hosts.ts';
import { identityStatements } from './runner-identities.ts';

export function runnerStatements(platform: Platform): readonly Statement[] {
  const { config, names } = platform;
  const regions = Object.keys(config.regions);
  const states = names.bucketArn(names.stateBucket);
  const { lockTable } = config.existing;
  return [
    allow('ListStates', ['s3:ListBucket'], [states], { StringLike: { 's3:prefix': ['enclaves/*'] } }),
    allow('States', ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'], [`${states}/enclaves/*`]),
    ...(lockTable === undefined
      ? []
      : [
          allow(
            'StateLocks',
            ['dynamodb:DeleteItem', 'dynamodb:DescribeTable', 'dynamodb:GetItem', 'dynamodb:PutItem'],
            [names.tableArn(lockTable)],
          ),
        ]),
    allow('Plans', ['s3:GetObject', 's3:PutObject'], [`${names.bucketArn(names.plansBucket)}/${PLANS_PREFIX}*`]),
    allow(
      'Configuration',
      ['s3:DeleteObject', 's3:GetObject', 's3:GetObjectTagging', 's3:PutObject', 's3:PutObjectTagging'],
      regions.map((region) => `${names.bucketArn(names.configurationBucket(region))}/enclaves/*`),
    ),
    allow(
      'FindConfiguration',
      ['s3:ListBucket'],
      regions.map((region) => names.bucketArn(names.configurationBucket(region))),
      { StringLike: { 's3:prefix': ['enclaves/*'] } },
    ),
    allow('Locks', ['dynamodb:GetItem'], [names.tableArn(names.stateTable)], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['enclave#*'] },
    }),
    allow('Runs', ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'], [names.tableArn(names.historyTable)], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['run#*'] },
    }),
    allow('TasksOfOtherRuns', ['ecs:DescribeTasks'], [names.arn('ecs', `task/${config.cluster}/*`)]),
    ...hostStatements(platform),
    ...identityStatements(platform),
  ];
}
