/** The state machines: two under the contract's names, and drift. They log errors, never data. */
import { SfnStateMachine } from '@cdktf/provider-aws/lib/sfn-state-machine/index.js';
import { CONTAINER_NAME, driftWorkflow, type WorkflowParameters, workflow } from '../workflows/index.ts';
import type { Platform } from './context.ts';
import type { LogGroups } from './logs.ts';
import { MACHINE_ACTIONS, type MachineAction } from './names.ts';
import type { RegionNetwork } from './network.ts';

export interface MachineParts {
  readonly clusterArn: string;
  readonly network: RegionNetwork;
  readonly groupId: string;
  readonly roleArn: string;
  readonly logs: LogGroups;
  /** What must be in force before the first execution: the role's policy. */
  readonly needs: readonly string[];
}

export function machines(platform: Platform, parts: MachineParts): Readonly<Record<MachineAction, SfnStateMachine>> {
  const { stack, names } = platform;
  const parameters: WorkflowParameters = {
    stateTable: names.stateTable,
    historyTable: names.historyTable,
    cluster: parts.clusterArn,
    taskDefinition: names.taskFamily,
    containerName: CONTAINER_NAME,
    subnets: parts.network.subnets.map((subnet) => subnet.id),
    securityGroups: [parts.groupId],
  };
  const machine = (action: MachineAction) => {
    const document = action === 'drift' ? driftWorkflow(parameters) : workflow(action, parameters);
    const made = new SfnStateMachine(stack, `${action}-machine`, {
      name: names.machine(action),
      type: 'STANDARD',
      roleArn: parts.roleArn,
      definition: JSON.stringify(document),
      // Inputs and outputs stay out: the application shows logs without authentication.
      loggingConfiguration: {
        level: 'ERROR',
        includeExecutionData: false,
        logDestination: `${parts.logs.machines.arn}:*`,
      },
    });
    made.addOverride('depends_on', parts.needs);
    return made;
  };
  return Object.fromEntries(MACHINE_ACTIONS.map((action) => [action, machine(action)])) as Record<
    MachineAction,
    SfnStateMachine
  >;
}
