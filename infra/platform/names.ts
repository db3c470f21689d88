/** Names and ARNs of the platform's parts; those the contract fixes are marked. */
import type { FleetRunAction, RunAction } from '../../src/enclave/names.ts';
import { taskDefinitionFamily } from '../workflows/index.ts';
import type { PlacedConfig } from './config.ts';

export const MACHINE_ACTIONS = ['deploy', 'destroy', 'drift'] as const satisfies (RunAction | FleetRunAction)[];
export type MachineAction = (typeof MACHINE_ACTIONS)[number];

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

export type Names = ReturnType<typeof namesOf>;

export function namesOf(config: PlacedConfig) {
  const { prefix, accountId, region: home } = config;
  const partition = partitionOf(home);
  const arn = (service: string, resource: string, region = home) =>
    `arn:${partition}:${service}:${region}:${accountId}:${resource}`;
  const bucket = (purpose: string, region?: string) =>
    `${prefix}-${purpose}-${accountId}${region === undefined ? '' : `-${region}`}`;
  const machine = (action: MachineAction) =>
    // Fixed: the application starts the cleanup machine by its name and reads the executions of both.
    `${prefix}-${{ deploy: 'deployment', destroy: 'cleanup', drift: 'drift' }[action]}`;
  const { roles } = config.existing;
  return {
    partition,
    arn,
    bucketArn: (name: string) => `arn:${partition}:s3:::${name}`,
    roleArn: (role: string, path = '/') => `arn:${partition}:iam::${accountId}:role${path}${role}`,
    machine,
    machineArn: (action: MachineAction) => arn('states', `stateMachine:${machine(action)}`),
    executionsArn: (action: MachineAction) => arn('states', `execution:${machine(action)}:*`),
    tableArn: (table: string) => arn('dynamodb', `table/${table}`),

    /** State of this stack itself; made by `npm run bootstrap`. */
    platformStateBucket: bucket('platform-state'),
    /** Fixed where an installation has one. */
    stateBucket: config.existing.stateBucket ?? bucket('terraform-state'),
    plansBucket: bucket('plans'),
    configurationBucket: (region: string) => bucket('config', region),

    stateTable: `${prefix}-operator-state`,
    historyTable: `${prefix}-operator-history`,
    /** Fixed: the application's Logs tab reads it. */
    runnerLogGroup: `/ecs/${prefix}-terraform-runner`,
    operatorLogGroup: `/ecs/${prefix}-operator`,
    collectorLogGroup: `/ecs/${prefix}-collector`,
    /** What Managed Prometheus says of rules it cannot evaluate and alerts it cannot send. */
    metricsLogGroup: `/aws/vendedlogs/prometheus/${prefix}`,
    /** Under `vendedlogs`: the log resource policy of Step Functions does not grow with every group there. */
    machinesLogGroup: `/aws/vendedlogs/states/${prefix}`,
    /** Fixed. */
    taskFamily: taskDefinitionFamily(prefix),
    /** Fixed. */
    runnerRepository: `${prefix}-terraform-runner`,
    operatorRepository: `${prefix}-operator`,
    operatorService: `${prefix}-operator`,
    metricsWorkspace: prefix,
    /** Its id is AWS' to choose: Terraform fills it in. */
    metricsWorkspaceArn: `\${aws_prometheus_workspace.metrics.arn}`,
    alarmsTopic: `${prefix}-alarms`,
    alarmsTopicArn: arn('sns', `${prefix}-alarms`),

    rolePath: config.rolePath ?? `/${prefix}-enclaves/`,
    roles: {
      operator: `${prefix}-operator`,
      runner: roles.runner ?? `${prefix}-runner`,
      execution: roles.execution ?? `${prefix}-task-execution`,
      workflows: roles.workflows ?? `${prefix}-workflows`,
      breakGlass: `${prefix}-break-glass`,
    },
    boundary: `${prefix}-host-boundary`,
    boundaryArn: `arn:${partition}:iam::${accountId}:policy/${prefix}-host-boundary`,
  } as const;
}
