/** The state machines of the platform: deployment, cleanup and drift. */
import type { RunAction } from '../../src/enclave/names.ts';
import type { WorkflowDocument } from './asl.ts';
import { claim, withoutLock } from './lock.ts';
import { conclude } from './outcome.ts';
import type { WorkflowParameters } from './parameters.ts';
import { ENCLAVE, FLEET } from './scope.ts';
import { runTask } from './task.ts';

export type { State, StateMap, WorkflowDocument } from './asl.ts';
export { CONTAINER_NAME, stateMachineName, taskDefinitionFamily, type WorkflowParameters } from './parameters.ts';

const DEFAULT_TIMEOUT_SECONDS = 2_400;

/**
 * The document of one enclave's action: claim the lock, run the task, conclude.
 *
 * Guarantees: Terraform runs only while this execution's run holds the lock; the lock is released only where the task
 * is known to have stopped and to be the run's own; a failed run is a failed execution with its cause.
 */
export function workflow(action: RunAction, parameters: WorkflowParameters): WorkflowDocument {
  return {
    Comment: action === 'deploy' ? 'Creates or updates one enclave.' : 'Destroys one enclave.',
    StartAt: 'HasRun',
    TimeoutSeconds: parameters.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    States: {
      ...claim(action, parameters, 'RunTask'),
      ...runTask(ENCLAVE, action, parameters, 'ReadRun'),
      ...conclude(ENCLAVE, parameters),
    },
  };
}

/**
 * The document of the runs that look at many enclaves and change none: run the task, conclude. Their item is the
 * fleet's (`keys.fleetRun`), and no lock is taken: the runner drops what another run overlapped.
 *
 * Guarantees: a run whose task left no outcome gets one; a failed run is a failed execution with its cause.
 */
export function driftWorkflow(parameters: WorkflowParameters): WorkflowDocument {
  return {
    Comment: 'Plans many enclaves and changes none.',
    StartAt: 'HasRun',
    TimeoutSeconds: parameters.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    States: {
      ...withoutLock('RunTask'),
      ...runTask(FLEET, 'drift', parameters, 'ReadRun'),
      ...conclude(FLEET, parameters),
    },
  };
}
