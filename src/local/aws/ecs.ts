/** The ECS API and the task metadata endpoint over the embedded tasks. */
import { isPlainMap, type JsonMap, type JsonValue } from '../../enclave/json.ts';
import { ecsTask } from '../engine/ecs-shapes.ts';
import type { Task, Tasks } from '../engine/tasks.ts';
import { ApiError, type Operations, optionalText, pageSize, strings, text } from './protocol.ts';

/** ECS takes names and ARNs alike. */
const nameOf = (nameOrArn: string) => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);

function overrides(input: JsonMap): { container: string; environment: Record<string, string> } {
  const list = isPlainMap(input.overrides) ? input.overrides.containerOverrides : undefined;
  const first: JsonValue | undefined = Array.isArray(list) ? list[0] : undefined;
  if (!isPlainMap(first)) return { container: 'container', environment: {} };
  const environment: Record<string, string> = {};
  for (const variable of Array.isArray(first.environment) ? first.environment : []) {
    if (isPlainMap(variable)) environment[text(variable, 'name')] = text(variable, 'value');
  }
  return { container: text(first, 'name'), environment };
}

/** RunTask, DescribeTasks, StopTask, ListTasks, of one cluster. */
export function ecs(tasks: Tasks, clusterName: string): Operations {
  const checkCluster = (input: JsonMap) => {
    if (nameOf(optionalText(input, 'cluster') ?? 'default') !== clusterName) {
      throw new ApiError('ClusterNotFoundException', 'Cluster not found.');
    }
  };
  const find = (nameOrArn: string): Task | undefined =>
    tasks.get(nameOrArn) ?? tasks.all().find((task) => nameOf(task.arn) === nameOrArn);

  return {
    RunTask(input) {
      checkCluster(input);
      const family = nameOf(text(input, 'taskDefinition')).replace(/:\d+$/, '');
      const task = tasks.run({ cluster: clusterName, family, ...overrides(input) });
      return { tasks: [ecsTask(task)], failures: [] };
    },
    DescribeTasks(input) {
      checkCluster(input);
      const asked = strings(input, 'tasks');
      if (asked.length === 0 || asked.length > 100) {
        throw new ApiError('InvalidParameterException', 'tasks must name 1 to 100 tasks');
      }
      const found = asked.map((arn) => ({ arn, task: find(arn) }));
      return {
        tasks: found.flatMap(({ task }) => (task === undefined ? [] : [ecsTask(task)])),
        failures: found.flatMap(({ arn, task }) => (task === undefined ? [{ arn, reason: 'MISSING' }] : [])),
      };
    },
    StopTask(input) {
      checkCluster(input);
      const task = find(text(input, 'task'));
      if (task === undefined) throw new ApiError('InvalidParameterException', 'The referenced task was not found.');
      const stopped = tasks.stop(task.arn, optionalText(input, 'reason') ?? 'Task stopped by user');
      return { task: ecsTask(stopped ?? task) };
    },
    ListTasks(input) {
      checkCluster(input);
      const desired = optionalText(input, 'desiredStatus') ?? 'RUNNING';
      const all = tasks.all().filter((task) => task.desiredStatus === desired);
      const from = Number(optionalText(input, 'nextToken') ?? 0);
      const to = from + pageSize(input, 100, 100);
      const nextToken = to < all.length ? String(to) : undefined;
      return { taskArns: all.slice(from, to).map((task) => task.arn), nextToken };
    },
  };
}

/** Answers `GET /v4/<task id>` and `/v4/<task id>/task` as ECS' metadata endpoint, version 4. */
export function taskMetadata(tasks: Tasks, path: string): JsonMap | undefined {
  const [, taskId, what] = /^\/v4\/([a-z0-9]+)(\/task)?$/.exec(path) ?? [];
  const task = tasks.all().find((candidate) => nameOf(candidate.arn) === taskId);
  if (task === undefined) return undefined;
  const container = { Name: task.container, DesiredStatus: task.desiredStatus, KnownStatus: task.lastStatus };
  if (what === undefined) return container;
  return {
    Cluster: task.cluster,
    TaskARN: task.arn,
    Family: task.family,
    Revision: '1',
    DesiredStatus: task.desiredStatus,
    KnownStatus: task.lastStatus,
    LaunchType: 'FARGATE',
    Containers: [container],
  };
}
