/** Runner tasks in ECS. */
import { DescribeTasksCommand, type ECSClient, StopTaskCommand } from '@aws-sdk/client-ecs';
import { OperatorError, type Tasks } from '../reconciler/ports/index.ts';
import { clusterOfTask } from './arns.ts';
import { call } from './errors.ts';

/** DescribeTasks takes 100 tasks of one cluster. */
const PAGE_SIZE = 100;
/** StopTask's limit for `reason`. */
const LONGEST_REASON = 255;

type TaskState = 'active' | 'stopped' | 'unknown';

export function createTasks(client: ECSClient, defaultCluster: string): Tasks {
  const describePage = async (cluster: string, arns: readonly string[], states: Map<string, TaskState>) => {
    const answer = await call('ecs:DescribeTasks', `${arns.length} tasks of cluster ${cluster}`, () =>
      client.send(new DescribeTasksCommand({ cluster, tasks: [...arns] })),
    );
    for (const task of answer.tasks ?? []) {
      if (task.taskArn !== undefined) states.set(task.taskArn, task.lastStatus === 'STOPPED' ? 'stopped' : 'active');
    }
    for (const failure of answer.failures ?? []) {
      if (failure.arn !== undefined && failure.reason === 'MISSING') states.set(failure.arn, 'unknown');
    }
    // A lock is freed on the strength of this answer: a task it does not mention is neither stopped nor unknown.
    const silent = arns.find((arn) => !states.has(arn));
    if (silent !== undefined) {
      const reason = answer.failures?.find((failure) => failure.arn === silent)?.reason ?? 'not mentioned';
      throw new OperatorError('Transient', 'ecs:DescribeTasks', `task ${silent}: ${reason} (asked again)`);
    }
  };

  return {
    async describe(arns) {
      const states = new Map<string, TaskState>();
      const clusters = Map.groupBy(new Set(arns), (arn) => clusterOfTask(arn) ?? defaultCluster);
      for (const [cluster, ofCluster] of clusters) {
        for (let index = 0; index < ofCluster.length; index += PAGE_SIZE) {
          await describePage(cluster, ofCluster.slice(index, index + PAGE_SIZE), states);
        }
      }
      return states;
    },

    async stop(arn, reason) {
      const input = {
        cluster: clusterOfTask(arn) ?? defaultCluster,
        task: arn,
        reason: reason.slice(0, LONGEST_REASON),
      };
      await call(
        'ecs:StopTask',
        `task ${arn}`,
        () => client.send(new StopTaskCommand(input)),
        // "The referenced task was not found": stopped long ago, which is what was asked for.
        (error) =>
          error.name === 'InvalidParameterException' && /task was not found/i.test(error.message)
            ? ('gone' as const)
            : undefined,
      );
    },
  };
}
