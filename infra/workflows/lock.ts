/** Taking and giving back the enclave's lock: what makes a run the only one. */
import { CONDITION_FAILED, dynamodb, isText, type State, type StateMap } from './asl.ts';
import type { WorkflowParameters } from './parameters.ts';

const lockKey = { pk: { 'S.$': "States.Format('enclave#{}', $.enclave_id)" }, sk: { S: 'lock' } };

/** What the states after the claim work with; a new launch starts from it again. */
export function workingState(launches: Readonly<Record<string, number | string>>) {
  return {
    'enclave_id.$': '$.enclave_id',
    'run.$': '$.run',
    launches,
    error: { Error: 'None', Cause: 'The task ended without an error.' },
  };
}

/**
 * `HasRun` → `Claim` → `next`, or `Coalesced`.
 *
 * Only a lock that intends this run, or one this very execution has claimed before (a retried call, a redrive), is
 * taken. All else ends the execution as coalesced without Terraform: another run holds the enclave, or the caller is
 * the application, which starts the cleanup machine without a run; its command is the record's status.
 */
export function claim(parameters: WorkflowParameters, next: string): StateMap {
  return {
    HasRun: {
      Type: 'Choice',
      Choices: [{ And: [isText('$.enclave_id'), isText('$.run')], Next: 'Claim' }],
      Default: 'Coalesced',
    },
    Claim: dynamodb(
      'updateItem',
      {
        TableName: parameters.stateTable,
        Key: lockKey,
        UpdateExpression: 'SET #state = :claimed, executionArn = :me',
        ConditionExpression: '#run = :run AND (#state = :intended OR executionArn = :me)',
        ExpressionAttributeNames: { '#run': 'run', '#state': 'state' },
        ExpressionAttributeValues: {
          ':run': { 'S.$': '$.run' },
          ':me': { 'S.$': '$$.Execution.Id' },
          ':claimed': { S: 'claimed' },
          ':intended': { S: 'intended' },
        },
      },
      {
        ResultPath: null,
        Catch: [{ ErrorEquals: [CONDITION_FAILED], ResultPath: null, Next: 'Coalesced' }],
        Next: 'Claimed',
      },
    ),
    Claimed: { Type: 'Pass', Parameters: workingState({ count: 1 }), Next: next },
    Coalesced: { Type: 'Pass', Result: { result: 'coalesced' }, End: true },
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
