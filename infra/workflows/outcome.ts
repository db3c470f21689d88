/** From a stopped task to the end: whose task it was, how the run ended, who says so. */
import type { ErrorClass } from '../../src/enclave/items/run.ts';
import { CONDITION_FAILED, dynamodb, equals, isPresent, isText, matches, type State, type StateMap } from './asl.ts';
import { release } from './lock.ts';
import type { WorkflowParameters } from './parameters.ts';
import type { Scope } from './scope.ts';

const OUTCOME = '$.stored.Item.outcome.M';

/** The outcome where the runner left none. Its message reaches the record, so the raw cause is kept apart from it. */
function failure(errorClass: ErrorClass, message: string, fix: string): State {
  return {
    Type: 'Pass',
    Parameters: {
      result: errorClass === 'cancelled' ? 'cancelled' : 'failed',
      class: errorClass,
      ...(message.includes('{}') ? { 'message.$': `States.Format('${message}', $.error.Error)` } : { message }),
      fix,
      'cause.$': '$.error.Cause',
    },
    ResultPath: '$.failure',
    Next: 'Record',
  };
}

/** Sets `$.failure` and records it: first the causes that are known, last the one that is not. */
const classified: StateMap = {
  WhyNoOutcome: {
    Type: 'Choice',
    Choices: [
      { ...isPresent('$.stored.Item.cancelRequestedAt'), Next: 'WasCancelled' },
      { ...matches('$.error.Error', '*Throttling*'), Next: 'WasThrottled' },
      {
        Or: [matches('$.error.Error', '*AccessDenied*'), equals('$.error.Error', 'States.Permissions')],
        Next: 'WasForbidden',
      },
      {
        Or: [
          equals('$.error.Error', 'AmazonECS.Unknown'),
          equals('$.error.Error', 'ECS.AmazonECSException'),
          { And: [equals('$.task.TaskArn', 'none'), matches('$.error.Cause', '*apacity*')] },
          { And: [matches('$.task.StopCode', 'TaskFailedToStart'), matches('$.task.StoppedReason', '*apacity*')] },
        ],
        Next: 'HadNoCapacity',
      },
      {
        Or: [equals('$.task.TaskArn', 'none'), matches('$.task.StopCode', 'TaskFailedToStart')],
        Next: 'DidNotStart',
      },
    ],
    Default: 'EndedSilently',
  },
  WasCancelled: failure('cancelled', 'The run was cancelled before it began.', 'Nothing to do.'),
  WasThrottled: failure('throttled', 'ECS throttled the start of the run.', 'It is tried again by itself.'),
  WasForbidden: failure(
    'permission',
    'The workflow may not start the run ({}).',
    'Compare the role of the state machine with the platform stack.',
  ),
  HadNoCapacity: failure('capacity', 'ECS had no capacity for the run.', 'It is tried again by itself.'),
  DidNotStart: failure(
    'unknown',
    'The task of the run could not be started ({}).',
    'See the cause in enclavectl describe, and the image and network of the task definition.',
  ),
  EndedSilently: failure(
    'unknown',
    'The task of the run ended without a result.',
    'See the log of the run: enclavectl logs.',
  ),
};

/**
 * `ReadRun` and all after it, up to the end of the execution.
 *
 * A task that is not the run item's is a twin (RunTask was retried after a lost reply): the task that works is another,
 * so nothing is recorded and nothing released. Recording names the task it speaks for, so that a twin that takes the
 * run between reading and recording is noticed: the condition fails and the item is read again.
 */
export function conclude(scope: Scope, parameters: WorkflowParameters): StateMap {
  const succeeded = scope.locked ? 'ReleaseSucceeded' : 'Succeeded';
  const failed = scope.locked ? 'ReleaseFailed' : 'Failed';
  const nothing = scope.locked ? 'nothing was recorded and the lock is kept.' : 'nothing was recorded.';
  return {
    ReadRun: dynamodb(
      'getItem',
      {
        TableName: parameters.historyTable,
        Key: scope.runKey,
        ConsistentRead: true,
        ProjectionExpression: 'pk, taskArn, outcome, cancelRequestedAt',
      },
      { ResultPath: '$.stored', Next: 'WhoseTask' },
    ),
    WhoseTask: {
      Type: 'Choice',
      Choices: [
        { Not: isPresent('$.stored.Item.pk'), Next: 'RunItemMissing' },
        {
          And: [
            isPresent('$.stored.Item.taskArn.S'),
            { Not: { Variable: '$.stored.Item.taskArn.S', StringEqualsPath: '$.task.TaskArn' } },
          ],
          Next: 'TaskMismatch',
        },
        { ...isPresent(`${OUTCOME}.result.S`), Next: 'WhichOutcome' },
      ],
      Default: 'WhyNoOutcome',
    },
    WhichOutcome: {
      Type: 'Choice',
      Choices: [
        { ...equals(`${OUTCOME}.result.S`, 'succeeded'), Next: succeeded },
        { And: [isText(`${OUTCOME}.class.S`), isText(`${OUTCOME}.message.S`)], Next: 'FailureOfOutcome' },
      ],
      Default: 'FailureUnexplained',
    },
    FailureOfOutcome: {
      Type: 'Pass',
      Parameters: { 'class.$': `${OUTCOME}.class.S`, 'message.$': `${OUTCOME}.message.S` },
      ResultPath: '$.failure',
      Next: failed,
    },
    FailureUnexplained: {
      Type: 'Pass',
      Result: { class: 'unknown', message: 'The runner recorded a failure without a class or message.' },
      ResultPath: '$.failure',
      Next: failed,
    },
    ...classified,
    Record: dynamodb(
      'updateItem',
      {
        TableName: parameters.historyTable,
        Key: scope.runKey,
        UpdateExpression: 'SET outcome = :outcome',
        ConditionExpression:
          'attribute_exists(pk) AND attribute_not_exists(outcome) AND ' +
          '(attribute_not_exists(taskArn) OR taskArn = :task)',
        ExpressionAttributeValues: {
          ':task': { 'S.$': '$.task.TaskArn' },
          ':outcome': {
            M: {
              result: { 'S.$': '$.failure.result' },
              class: { 'S.$': '$.failure.class' },
              message: { 'S.$': '$.failure.message' },
              fix: { 'S.$': '$.failure.fix' },
              cause: { 'S.$': '$.failure.cause' },
              at: { 'S.$': '$$.State.EnteredTime' },
              by: { S: 'workflow' },
            },
          },
        },
      },
      {
        ResultPath: null,
        Catch: [{ ErrorEquals: [CONDITION_FAILED], ResultPath: null, Next: 'ReadRun' }],
        Next: failed,
      },
    ),
    ...(scope.locked && {
      ReleaseSucceeded: release(parameters, 'Succeeded'),
      ReleaseFailed: release(parameters, 'Failed'),
    }),
    Succeeded: { Type: 'Pass', Parameters: { result: 'succeeded', 'run.$': '$.run' }, End: true },
    Failed: { Type: 'Fail', ErrorPath: '$.failure.class', CausePath: '$.failure.message' },
    TaskMismatch: {
      Type: 'Fail',
      Error: 'TaskMismatch',
      Cause:
        `The task that stopped is not the one that works on this run, so ${nothing} ` +
        'The operator concludes the run when every task of it has stopped.',
    },
    RunItemMissing: {
      Type: 'Fail',
      Error: 'RunItemMissing',
      Cause: `The history table has no item for this run, so ${nothing}`,
    },
  };
}
