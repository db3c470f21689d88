/** What a workflow must be told about the platform it runs on. */
import type { FleetRunAction, RunAction } from '../../src/enclave/names.ts';

export interface WorkflowParameters {
  readonly stateTable: string;
  readonly historyTable: string;
  /** Name or ARN. */
  readonly cluster: string;
  /** Family or ARN of the runner's task definition. */
  readonly taskDefinition: string;
  readonly containerName: string;
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  /**
   * Longest time one task may take. The runner gives up before, the execution after it: runner < task < machine.
   * @default 1,680 s
   */
  readonly taskTimeoutSeconds?: number;
  /**
   * Longest time of the execution, launches that found no capacity included.
   * @default 2,400 s
   */
  readonly timeoutSeconds?: number;
  /**
   * Tasks that may be launched for one run where Fargate has no capacity.
   * @default 5
   */
  readonly launches?: number;
  /**
   * Pause before the next launch.
   * @default 60 s
   */
  readonly launchPauseSeconds?: number;
}

const MACHINES: Readonly<Record<RunAction | FleetRunAction, string>> = {
  deploy: 'deployment',
  destroy: 'cleanup',
  drift: 'drift',
};

/** Name of the state machine that carries out an action; the first two are fixed by the contract with the application. */
export function stateMachineName(prefix: string, action: RunAction | FleetRunAction): string {
  return `${prefix}-${MACHINES[action]}`;
}

/** Family of the runner's task definition. */
export function taskDefinitionFamily(prefix: string): string {
  return `${prefix}-terraform-runner`;
}

export const CONTAINER_NAME = 'terraform-runner';
