/** The task definition of one Terraform run, under the contract's family and container name. */
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js';
import { CONTAINER_NAME } from '../workflows/index.ts';
import { container, WORK_VOLUME } from './container.ts';
import type { Platform } from './context.ts';
import type { LogGroups } from './logs.ts';
import type { Registries } from './registries.ts';
import type { Roles } from './roles/index.ts';

/** Fargate's longest: Terraform finishes the operation under way and saves its state. */
const STOP_TIMEOUT_SECONDS = 120;

export function runnerTask(
  platform: Platform,
  parts: { readonly roles: Roles; readonly registries: Registries; readonly logs: LogGroups; readonly facts: string },
): EcsTaskDefinition {
  const { stack, config, names } = platform;
  return new EcsTaskDefinition(stack, 'runner-task', {
    family: names.taskFamily,
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: String(config.runner.cpu),
    memory: String(config.runner.memoryMiB),
    runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' },
    executionRoleArn: parts.roles.execution.arn,
    taskRoleArn: parts.roles.runner.arn,
    // An inactive revision starts no task: an execution under way may still name the old one.
    skipDestroy: true,
    volume: [WORK_VOLUME],
    containerDefinitions: JSON.stringify([
      container(platform, {
        name: CONTAINER_NAME,
        image: `${parts.registries.runner.repositoryUrl}:${config.images.runner}`,
        logGroup: parts.logs.runner.name,
        stopTimeoutSeconds: STOP_TIMEOUT_SECONDS,
        environment: {
          AWS_REGION: config.region,
          ENCLAVE_ENVIRONMENT: config.environment,
          HISTORY_TABLE: names.historyTable,
          PLATFORM_FACTS: parts.facts,
          RUNNER_ENGINE: 'terraform',
          STATE_TABLE: names.stateTable,
        },
      }),
    ]),
  });
}
