/** Whose run a workflow carries out: one enclave's, under the enclave's lock, or the fleet's, under none. */
import { keys } from '../../src/enclave/items/items.ts';
import type { JsonMap } from '../../src/enclave/json.ts';

export interface Scope {
  /** What all states after the first keep of the execution's input. */
  readonly input: JsonMap;
  /** Key of the run item in the history table. */
  readonly runKey: JsonMap;
  /** Variables of the task besides RUN, ACTION and EXECUTION_ARN. */
  readonly variables: readonly JsonMap[];
  /** False: nothing is claimed, so nothing is released. */
  readonly locked: boolean;
}

const run = { 'run.$': '$.run' };
const sk = { 'S.$': '$.run' };

export const ENCLAVE: Scope = {
  input: { 'enclave_id.$': '$.enclave_id', ...run },
  runKey: { pk: { 'S.$': "States.Format('run#{}', $.enclave_id)" }, sk },
  variables: [{ Name: 'ENCLAVE_ID', 'Value.$': '$.enclave_id' }],
  locked: true,
};

export const FLEET: Scope = {
  input: run,
  runKey: { pk: { S: keys.fleetRuns }, sk },
  variables: [],
  locked: false,
};

/** What the states after the first work with; a new launch starts from it again. */
export function workingState(scope: Scope, launches: JsonMap): JsonMap {
  return {
    ...scope.input,
    launches,
    error: { Error: 'None', Cause: 'The task ended without an error.' },
  };
}
