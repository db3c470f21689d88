/** What is known of the runs that may hold a state lock: their items, and their tasks in ECS. */
import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DescribeTasksCommand, type ECSClient } from '@aws-sdk/client-ecs';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { keys } from '../../src/enclave/items/items.ts';
import { RunItemSchema } from '../../src/enclave/items/run.ts';
import type { Suspect, TaskState } from './state-lock.ts';

export interface LockEvidence {
  /** Runs of the enclave that a task on this host has taken. Strongly consistent. */
  runsOn(host: string): Promise<readonly Suspect[]>;
  /** What ECS says of tasks; what it does not mention is not in the answer, and so neither stopped nor unknown. */
  tasks(arns: readonly string[]): Promise<ReadonlyMap<string, TaskState>>;
}

const SuspectSchema = RunItemSchema.pick({ name: true, host: true, startedAt: true, taskArn: true, outcome: true });
/** DescribeTasks takes 100 tasks of one cluster. */
const PAGE_SIZE = 100;

export function createLockEvidence(options: {
  readonly dynamodb: DynamoDBClient;
  readonly ecs: ECSClient;
  readonly historyTable: string;
  readonly enclaveId: string;
}): LockEvidence {
  const { dynamodb, ecs, historyTable, enclaveId } = options;
  return {
    async runsOn(host) {
      const runs: Suspect[] = [];
      let ExclusiveStartKey: QueryCommand['input']['ExclusiveStartKey'];
      do {
        const page = await dynamodb.send(
          new QueryCommand({
            TableName: historyTable,
            ConsistentRead: true,
            KeyConditionExpression: 'pk = :pk',
            FilterExpression: '#host = :host',
            ProjectionExpression: '#name, #host, startedAt, taskArn, outcome',
            ExpressionAttributeNames: { '#host': 'host', '#name': 'name' },
            ExpressionAttributeValues: marshall({ ':pk': keys.runs(enclaveId), ':host': host }),
            ExclusiveStartKey,
          }),
        );
        // A malformed item throws: a run that cannot be read is not proven dead.
        for (const item of page.Items ?? []) runs.push(SuspectSchema.parse(unmarshall(item)));
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey !== undefined);
      return runs;
    },

    async tasks(arns) {
      const states = new Map<string, TaskState>();
      for (const [cluster, ofCluster] of Map.groupBy(new Set(arns), clusterOf)) {
        for (let index = 0; index < ofCluster.length; index += PAGE_SIZE) {
          const tasks = ofCluster.slice(index, index + PAGE_SIZE);
          const answer = await ecs.send(new DescribeTasksCommand({ cluster, tasks }));
          for (const { taskArn, lastStatus } of answer.tasks ?? []) {
            if (taskArn !== undefined) states.set(taskArn, lastStatus === 'STOPPED' ? 'stopped' : 'active');
          }
          for (const { arn, reason } of answer.failures ?? []) {
            if (arn !== undefined && reason === 'MISSING') states.set(arn, 'unknown');
          }
        }
      }
      return states;
    },
  };
}

/** Undefined: the default cluster, as in the old form of a task's ARN. */
function clusterOf(taskArn: string): string | undefined {
  const [cluster, id] = (taskArn.split(':task/')[1] ?? '').split('/');
  return id === undefined ? undefined : cluster;
}
