/** Running the Terraform task, and telling how it ended where ECS says that it failed. */
import type { FleetRunAction, RunAction } from '../../src/enclave/names.ts';
import { equals, isPresent, matches, type StateMap } from './asl.ts';
import type { WorkflowParameters } from './parameters.ts';
import { type Scope, workingState } from './scope.ts';

export const DEFAULT_TASK_TIMEOUT_SECONDS = 1_680;
const DEFAULT_LAUNCHES = 5;
const DEFAULT_LAUNCH_PAUSE_SECONDS = 60;

/**
 * RunTask itself failed, before any task: throttled (`ECS.ThrottlingException`), the service at fault, no capacity
 * (`ECS.AmazonECSException`, and `AmazonECS.Unknown` for a non-empty `failures`). Sources: AWS' re:Post article on
 * "Capacity is unavailable", and the ECS page of the Step Functions developer guide.
 */
const LAUNCH_ERRORS = [
  'ECS.ThrottlingException',
  'ECS.ServerException',
  'ECS.SdkClientException',
  'ECS.LimitExceededException',
  'ECS.AmazonECSException',
  'AmazonECS.Unknown',
];

const variable = (name: string, path: string) => ({ Name: name, 'Value.$': path });

/**
 * `RunTask` and what follows a failure, up to `next`, which finds `$.task.TaskArn`: the task that is known to have
 * stopped, or `none` where none was made.
 *
 * Two ends conclude nothing and keep the lock, because the task may live: `TimedOut` (ECS may take longer to stop it than Step Functions
 * waits) and `TaskUnknown` (an error that names no stopped task). The operator frees the lock when it has seen every
 * task of the run stopped.
 */
export function runTask(
  scope: Scope,
  action: RunAction | FleetRunAction,
  parameters: WorkflowParameters,
  next: string,
): StateMap {
  return {
    RunTask: {
      Type: 'Task',
      Resource: 'arn:aws:states:::ecs:runTask.sync',
      TimeoutSeconds: parameters.taskTimeoutSeconds ?? DEFAULT_TASK_TIMEOUT_SECONDS,
      Parameters: {
        LaunchType: 'FARGATE',
        Cluster: parameters.cluster,
        TaskDefinition: parameters.taskDefinition,
        PropagateTags: 'TASK_DEFINITION',
        NetworkConfiguration: {
          AwsvpcConfiguration: {
            Subnets: parameters.subnets,
            SecurityGroups: parameters.securityGroups,
            AssignPublicIp: 'DISABLED',
          },
        },
        Overrides: {
          ContainerOverrides: [
            {
              Name: parameters.containerName,
              Environment: [
                ...scope.variables,
                variable('RUN', '$.run'),
                { Name: 'ACTION', Value: action },
                variable('EXECUTION_ARN', '$$.Execution.Id'),
              ],
            },
          ],
        },
      },
      ResultPath: '$.task',
      Retry: [
        {
          ErrorEquals: LAUNCH_ERRORS,
          IntervalSeconds: 5,
          BackoffRate: 2,
          MaxDelaySeconds: 60,
          MaxAttempts: 6,
          JitterStrategy: 'FULL',
        },
      ],
      Catch: [
        { ErrorEquals: ['States.Timeout'], ResultPath: '$.error', Next: 'TimedOut' },
        { ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: 'WhatFailed' },
      ],
      Next: next,
    },
    WhatFailed: {
      Type: 'Choice',
      Choices: [{ ...equals('$.error.Error', 'States.TaskFailed'), Next: 'ReadCause' }],
      Default: 'NoTask',
    },
    // A Parallel only because a Pass cannot catch: the cause is the task as JSON, unless AWS cut it short.
    ReadCause: {
      Type: 'Parallel',
      Branches: [
        {
          StartAt: 'ParseCause',
          States: {
            ParseCause: {
              Type: 'Pass',
              Parameters: { 'json.$': 'States.StringToJson($.error.Cause)' },
              ResultPath: '$.cause',
              End: true,
            },
          },
        },
      ],
      OutputPath: '$[0]',
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.unread', Next: 'TaskUnknown' }],
      Next: 'WhyStopped',
    },
    WhyStopped: {
      Type: 'Choice',
      Choices: [
        { Not: isPresent('$.cause.json.TaskArn'), Next: 'NoTask' },
        { Not: matches('$.cause.json.LastStatus', 'STOPPED'), Next: 'TaskUnknown' },
        {
          And: [
            matches('$.cause.json.StopCode', 'TaskFailedToStart'),
            matches('$.cause.json.StoppedReason', '*apacity*'),
            { Variable: '$.launches.count', NumericLessThan: parameters.launches ?? DEFAULT_LAUNCHES },
          ],
          Next: 'WaitForCapacity',
        },
      ],
      Default: 'StoppedTask',
    },
    StoppedTask: { Type: 'Pass', InputPath: '$.cause.json', ResultPath: '$.task', Next: next },
    NoTask: { Type: 'Pass', Result: { TaskArn: 'none' }, ResultPath: '$.task', Next: next },
    WaitForCapacity: {
      Type: 'Wait',
      Seconds: parameters.launchPauseSeconds ?? DEFAULT_LAUNCH_PAUSE_SECONDS,
      Next: 'LaunchAgain',
    },
    LaunchAgain: {
      Type: 'Pass',
      Parameters: workingState(scope, { 'count.$': 'States.MathAdd($.launches.count, 1)' }),
      Next: 'RunTask',
    },
    TimedOut: {
      Type: 'Fail',
      Error: 'States.Timeout',
      Cause:
        'The task was still at work at its deadline. ' +
        (scope.locked
          ? 'Its lock stays until the operator has seen the task stopped; see the run in enclavectl describe.'
          : 'See the log of the task.'),
    },
    TaskUnknown: {
      Type: 'Fail',
      ErrorPath: '$.error.Error',
      CausePath: '$.error.Cause',
    },
  };
}
