/** From an execution's input to its work: taking the enclave's lock, which makes a run the only one; and giving it back. */
import type { RunAction } from '../../src/enclave/names.ts';
import { CONDITION_FAILED, dynamodb, isText, matches, type State, type StateMap } from './asl.ts';
import type { WorkflowParameters } from './parameters.ts';
import { ENCLAVE, FLEET, workingState } from './scope.ts';

const lockKey = { pk: { 'S.$': "States.Format('enclave#{}', $.enclave_id)" }, sk: { S: 'lock' } };

/** `HasRun` → `next`, or `Coalesced`: whoever names no run starts none. */
function hasRun(members: readonly string[], next: string): StateMap {
  return {
    HasRun: { Type: 'Choice', Choices: [{ And: members.map(isText), Next: next }], Default: 'Coalesced' },
    Coalesced: { Type: 'Pass', Result: { result: 'coalesced' }, End: true },
  };
}

/**
 * `HasRun` → `IsOfThisMachine` → `Claim` → `next`, or `Coalesced`, or `WrongAction`.
 *
 * Claims only a lock that intends this execution, or that this execution claimed before (a retried call, a redrive). Any
 * other execution ends as coalesced, without Terraform: another run holds the enclave, or the application has started
 * the cleanup machine without a run. The application's command is the record's status.
 *
 * A run of the other action fails as WrongAction: the application may start the cleanup machine and can read the names
 * of deploy runs. A run's name ends with its action (`runName`), so this check also covers a lock by an operator of an
 * earlier version, which names neither action nor execution.
 */
export function claim(action: RunAction, parameters: WorkflowParameters, next: string): StateMap {
  return {
    ...hasRun(['$.enclave_id', '$.run'], 'IsOfThisMachine'),
    IsOfThisMachine: {
      Type: 'Choice',
      Choices: [{ ...matches('$.run', `*-${action}`), Next: 'Claim' }],
      Default: 'WrongAction',
    },
    WrongAction: {
      Type: 'Fail',
      Error: 'WrongAction',
      Cause:
        `This state machine carries out ${action} runs only, and the run in the input is not one, so nothing was done. ` +
        'Find out in CloudTrail who started this execution: the operator starts each run on the machine of its action.',
    },
    Claim: dynamodb(
      'updateItem',
      {
        TableName: parameters.stateTable,
        Key: lockKey,
        UpdateExpression: 'SET #state = :claimed, executionArn = :me',
        ConditionExpression:
          '#run = :run AND (executionArn = :me OR (#state = :intended AND ' +
          '(attribute_not_exists(intendedExecution) OR (intendedExecution = :me AND #action = :action))))',
        ExpressionAttributeNames: { '#run': 'run', '#state': 'state', '#action': 'action' },
        ExpressionAttributeValues: {
          ':run': { 'S.$': '$.run' },
          ':me': { 'S.$': '$$.Execution.Id' },
          ':claimed': { S: 'claimed' },
          ':intended': { S: 'intended' },
          ':action': { S: action },
        },
      },
      {
        ResultPath: null,
        Catch: [{ ErrorEquals: [CONDITION_FAILED], ResultPath: null, Next: 'Coalesced' }],
        Next: 'Claimed',
      },
    ),
    Claimed: { Type: 'Pass', Parameters: workingState(ENCLAVE, { count: 1 }), Next: next },
  };
}

/** `HasRun` → `next`, or `Coalesced`: a run of the fleet changes nothing, so it excludes nobody. */
export function withoutLock(next: string): StateMap {
  return {
    ...hasRun(['$.run'], 'Begun'),
    Begun: { Type: 'Pass', Parameters: workingState(FLEET, { count: 1 }), Next: next },
  };
}

/** Gives the lock back. One that is no longer ours was freed by the operator: nothing to do. */
export function release(parameters: WorkflowParameters, next: string): State {
  return dynamodb(
    'deleteItem',
    {
      TableName: parameters.stateTable,
      Key: lockKey,
      ConditionExpression: '#run = :run',
      ExpressionAttributeNames: { '#run': 'run' },
      ExpressionAttributeValues: { ':run': { 'S.$': '$.run' } },
    },
    {
      ResultPath: null,
      Catch: [{ ErrorEquals: [CONDITION_FAILED], ResultPath: null, Next: next }],
      Next: next,
    },
  );
}
