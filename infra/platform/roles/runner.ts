/** The runner: what one enclave's Terraform creates, reads and deletes, in the configured regions alone. */

import { keys } from '../../../src/enclave/items/items.ts';
import { PLANS_PREFIX } from '../buckets.ts';
import type { Platform } from '../context.ts';
import { allow, leadingKeys, type Statement } from '../policy.ts';
import { hostStatements, seeHosts } from './runner-hosts.ts';
import { identityStatements } from './runner-identities.ts';
import { keyStatements } from './runner-keys.ts';

export function runnerStatements(platform: Platform): readonly Statement[] {
  const { config, names } = platform;
  const states = names.bucketArn(names.stateBucket);
  const plans = names.bucketArn(names.plansBucket);
  const { lockTable } = config.existing;
  return [
    // The backend lists workspaces at every init, whatever their names.
    allow('ListStates', ['s3:ListBucket'], [states]),
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
    allow('Plans', ['s3:GetObject', 's3:PutObject'], [`${plans}/${PLANS_PREFIX}*`]),
    // A state that could not be saved where it belongs is parked here, and taken away once it is there.
    allow('ParkedStates', ['s3:DeleteObject'], [`${plans}/${PLANS_PREFIX}*/parked.tfstate`]),
    // Without it, what is missing would be answered as forbidden.
    allow('ListPlans', ['s3:ListBucket'], [plans]),
    allow('Locks', ['dynamodb:GetItem'], [names.tableArn(names.stateTable)], leadingKeys('enclave#*')),
    allow(
      'Runs',
      ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
      [names.tableArn(names.historyTable)],
      leadingKeys('run#*'),
    ),
    // Drift runs: the runner claims and updates them by name.
    allow('FleetRuns', ['dynamodb:UpdateItem'], [names.tableArn(names.historyTable)], leadingKeys(keys.fleetRuns)),
    allow('TasksOfOtherRuns', ['ecs:DescribeTasks'], [names.arn('ecs', `task/${config.cluster}/*`)]),
    seeHosts(),
    ...identityStatements(platform),
  ];
}

/** What one region adds. */
export function runnerRegionStatements(platform: Platform, region: string): readonly Statement[] {
  const { names } = platform;
  const configuration = names.bucketArn(names.configurationBucket(region));
  return [
    // The bucket keeps versions, and the provider deletes all of an object's.
    allow(
      'Configuration',
      [
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        's3:GetObject',
        's3:GetObjectTagging',
        's3:PutObject',
        's3:PutObjectTagging',
      ],
      [`${configuration}/enclaves/*`],
    ),
    allow('ListConfiguration', ['s3:ListBucket', 's3:ListBucketVersions'], [configuration]),
    ...hostStatements(platform, region),
    ...keyStatements(platform, region),
  ];
}
