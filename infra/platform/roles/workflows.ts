/** The state machines: run the runner's task, claim and release locks, conclude runs. */
import { keys } from '../../../src/enclave/items/items.ts';
import type { PlacedConfig } from '../config.ts';
import type { Names } from '../names.ts';
import { allow, leadingKeys, type Statement } from '../policy.ts';

export function workflowStatements(config: PlacedConfig, names: Names): readonly Statement[] {
  const tasks = [names.arn('ecs', `task/${config.cluster}/*`)];
  return [
    // Any revision: the documents name the family, so that executions under way survive a new one.
    allow('RunTasks', ['ecs:RunTask'], [names.arn('ecs', `task-definition/${names.taskFamily}:*`)], {
      ArnEquals: { 'ecs:cluster': names.arn('ecs', `cluster/${config.cluster}`) },
    }),
    allow('TagTasks', ['ecs:TagResource'], tasks, { StringEquals: { 'ecs:CreateAction': 'RunTask' } }),
    allow('FollowTasks', ['ecs:DescribeTasks', 'ecs:StopTask'], tasks),
    allow(
      'PassTaskRoles',
      ['iam:PassRole'],
      [names.roleArn(names.roles.runner), names.roleArn(names.roles.execution)],
      { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    ),
    allow(
      'WaitForTasks',
      ['events:DescribeRule', 'events:PutRule', 'events:PutTargets'],
      [names.arn('events', 'rule/StepFunctionsGetEventsForECSTaskRule')],
    ),
    allow(
      'Locks',
      ['dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
      [names.tableArn(names.stateTable)],
      leadingKeys('enclave#*'),
    ),
    allow(
      'Runs',
      ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
      [names.tableArn(names.historyTable)],
      // An enclave's runs, and those of the drift machine.
      leadingKeys('run#*', keys.fleetRuns),
    ),
    allow(
      'DeliverLogs',
      [
        'logs:CreateLogDelivery',
        'logs:DeleteLogDelivery',
        'logs:DescribeLogGroups',
        'logs:DescribeResourcePolicies',
        'logs:GetLogDelivery',
        'logs:ListLogDeliveries',
        'logs:PutResourcePolicy',
        'logs:UpdateLogDelivery',
      ],
      { everything: 'the log delivery API knows no resource' },
    ),
  ];
}
