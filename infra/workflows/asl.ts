/** The part of the Amazon States Language the workflows use. */
import type { JsonMap } from '../../src/enclave/json.ts';

export type State = JsonMap & {
  readonly Type: 'Task' | 'Pass' | 'Choice' | 'Wait' | 'Parallel' | 'Succeed' | 'Fail';
};

export type StateMap = Readonly<Record<string, State>>;

/** A state machine's definition, JSONPath. Plain JSON: `JSON.stringify` gives what CreateStateMachine takes. */
export interface WorkflowDocument {
  readonly Comment: string;
  readonly StartAt: string;
  /** Of the whole execution. */
  readonly TimeoutSeconds: number;
  readonly States: StateMap;
}

export const isPresent = (path: string) => ({ Variable: path, IsPresent: true });
export const isText = (path: string) => ({ And: [isPresent(path), { Variable: path, IsString: true }] });
export const equals = (path: string, text: string) => ({ Variable: path, StringEquals: text });
export const matches = (path: string, pattern: string) => ({
  And: [isPresent(path), { Variable: path, StringMatches: pattern }],
});

/** Step Functions' name of DynamoDB's refusal of a conditional write. */
export const CONDITION_FAILED = 'DynamoDB.ConditionalCheckFailedException';

/** Seconds a DynamoDB call may take; with the retries below it outlasts any partial outage worth waiting for. */
const CALL_TIMEOUT_SECONDS = 30;

/** A DynamoDB call that is tried again on every error but a failed condition. */
export function dynamodb(action: 'getItem' | 'updateItem' | 'deleteItem', parameters: JsonMap, rest: JsonMap): State {
  return {
    Type: 'Task',
    Resource: `arn:aws:states:::dynamodb:${action}`,
    TimeoutSeconds: CALL_TIMEOUT_SECONDS,
    Parameters: parameters,
    Retry: [
      { ErrorEquals: [CONDITION_FAILED], MaxAttempts: 0 },
      {
        ErrorEquals: ['States.ALL'],
        IntervalSeconds: 1,
        BackoffRate: 2,
        MaxDelaySeconds: 30,
        MaxAttempts: 8,
        JitterStrategy: 'FULL',
      },
    ],
    ...rest,
  };
}
