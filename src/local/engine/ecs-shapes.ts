/** A task as the ECS API shows it, and as Step Functions does. */
import { isPlainMap, type JsonMap, type JsonValue } from '../../enclave/json.ts';
import type { Task } from './tasks.ts';

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);

/** The members of ECS' `Task` that its clients read; times in seconds since 1970. */
export function ecsTask(task: Task): JsonMap {
  const arnPrefix = task.arn.slice(0, task.arn.indexOf(':task/'));
  return {
    taskArn: task.arn,
    clusterArn: `${arnPrefix}:cluster/${task.cluster}`,
    taskDefinitionArn: `${arnPrefix}:task-definition/${task.family}:1`,
    group: `family:${task.family}`,
    launchType: 'FARGATE',
    lastStatus: task.lastStatus,
    desiredStatus: task.desiredStatus,
    createdAt: seconds(task.createdAt),
    stoppedAt: seconds(task.stoppedAt),
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    containers: [{ name: task.container, taskArn: task.arn, lastStatus: task.lastStatus, exitCode: task.exitCode }],
    overrides: {
      containerOverrides: [
        {
          name: task.container,
          environment: Object.entries(task.environment).map(([name, value]) => ({ name, value })),
        },
      ],
    },
  };
}

/** Step Functions spells the members of its integrations' results with a capital. */
export function pascal(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((item: JsonValue) => pascal(item) ?? null);
  if (!isPlainMap(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    members.map(([key, member]) => [key.charAt(0).toUpperCase() + key.slice(1), pascal(member)]),
  );
}
