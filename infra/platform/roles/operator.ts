/** The operator: reads and writes three tables, starts runs, starts and stops hosts, sees what surrounds them. It creates nothing. */

import { namePrefix, STATES_PREFIX } from '../../../src/enclave/names.ts';
import { HOST_COMMANDS, ssmDocumentName } from '../../host/index.ts';
import type { PlacedConfig } from '../config.ts';
import { MACHINE_ACTIONS, type Names } from '../names.ts';
import { allow, type Statement } from '../policy.ts';
import { ofEnclave } from './tags.ts';

export function operatorStatements(config: PlacedConfig, names: Names): readonly Statement[] {
  const { cluster, enclavesTable, environment, prefix } = config;
  const regions = Object.keys(config.regions);
  const table = (name: string) => [names.tableArn(name)];
  const tables = [enclavesTable, names.stateTable, names.historyTable];
  const hosts = regions.map((region) => names.arn('ec2', 'instance/*', region));
  return [
    allow('Records', ['dynamodb:GetItem', 'dynamodb:Scan', 'dynamodb:UpdateItem'], table(enclavesTable)),
    allow(
      'State',
      ['ConditionCheckItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'Scan', 'UpdateItem'].map(
        (action) => `dynamodb:${action}`,
      ),
      table(names.stateTable),
    ),
    allow(
      'History',
      ['ConditionCheckItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'].map((action) => `dynamodb:${action}`),
      table(names.historyTable),
    ),
    allow('FindStreams', ['dynamodb:DescribeTable'], tables.map(names.tableArn)),
    allow(
      'FollowStreams',
      ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
      tables.map((name) => `${names.tableArn(name)}/stream/*`),
    ),
    allow('StartRuns', ['states:ListExecutions', 'states:StartExecution'], MACHINE_ACTIONS.map(names.machineArn)),
    allow(
      'FollowRuns',
      ['states:DescribeExecution', 'states:GetExecutionHistory', 'states:StopExecution'],
      MACHINE_ACTIONS.map(names.executionsArn),
    ),
    allow('Tasks', ['ecs:DescribeTasks', 'ecs:StopTask'], [names.arn('ecs', `task/${cluster}/*`)]),
    allow(
      'SeeHosts',
      ['Instances', 'InstanceStatus', 'SecurityGroups', 'Volumes'].map((what) => `ec2:Describe${what}`),
      { everything: 'EC2 knows no resource for its Describe calls' },
    ),
    // User data may hold anything: it is read of enclaves' hosts alone, and kept as a digest.
    allow('InspectHosts', ['ec2:DescribeInstanceAttribute'], hosts, ofEnclave(environment, 'aws:ResourceTag')),
    allow(
      'InspectRoles',
      ['GetRole', 'GetRolePolicy', 'ListAttachedRolePolicies', 'ListRolePolicies'].map((action) => `iam:${action}`),
      hostRoles(config, names),
    ),
    allow('SeeRoles', ['iam:GetAccountAuthorizationDetails'], { everything: 'IAM tells all roles together or none' }),
    allow(
      'FindLogs',
      ['logs:DescribeLogGroups'],
      regions.map((region) => names.arn('logs', 'log-group:*', region)),
    ),
    // Of enclaves' own keys their policies say the same; these are the keys that records name.
    allow(
      'SeeKeys',
      ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:ListGrants'],
      regions.map((region) => names.arn('kms', 'key/*', region)),
    ),
    allow('SeeStates', ['s3:ListBucket'], [names.bucketArn(names.stateBucket)], {
      StringLike: { 's3:prefix': `${STATES_PREFIX}*` },
    }),
    allow(
      'StartAndStopHosts',
      ['ec2:StartInstances', 'ec2:StopInstances'],
      hosts,
      ofEnclave(environment, 'aws:ResourceTag'),
    ),
    allow(
      'HostCommands',
      ['ssm:SendCommand'],
      regions.flatMap((region) =>
        HOST_COMMANDS.map((command) => names.arn('ssm', `document/${ssmDocumentName(prefix, command)}`, region)),
      ),
    ),
    // Of everybody's calls in these regions: granted only where it is asked for.
    ...(config.operator.attestationTrail
      ? [
          allow(
            'SeeAttestations',
            ['cloudtrail:LookupEvents'],
            { everything: 'CloudTrail knows no resource for it' },
            { StringEquals: { 'aws:RequestedRegion': regions } },
          ),
        ]
      : []),
    allow('SeeAgents', ['ssm:DescribeInstanceInformation'], { everything: 'SSM knows no resource for it' }),
    allow('Notify', ['sns:Publish'], [names.alarmsTopicArn]),
    // The collector beside it has the task's role.
    ...(config.monitoring.enabled ? [allow('SendMetrics', ['aps:RemoteWrite'], [names.metricsWorkspaceArn])] : []),
    allow('CommandHosts', ['ssm:SendCommand'], hosts, ofEnclave(environment, 'ssm:resourceTag')),
  ];
}

/** By their names; those of the incumbent's hosts lie at path `/`. */
function hostRoles({ legacyHosts }: PlacedConfig, names: Names): readonly string[] {
  const pattern = `${namePrefix('instance-role')}*`;
  return [names.roleArn(pattern, names.rolePath), ...(legacyHosts ? [names.roleArn(pattern)] : [])];
}
