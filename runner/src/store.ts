/** The items of an enclave's run: its own, and the lock of the enclave. */
import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { keys, type Lock, LockSchema } from '../../src/enclave/items/items.ts';
import { type Outcome, type PlanSummary, type RunItem, RunItemSchema } from '../../src/enclave/items/run.ts';
import type { RunAction } from '../../src/enclave/names.ts';
import { type Claim, type Claimant, createItemStore, read } from './run-item.ts';

export interface RunStore {
  claim(claimant: Claimant): Promise<Claim<RunItem>>;
  /** Strongly consistent. */
  lock(): Promise<Lock | undefined>;
  /** Notes what the run is about to do. Answers whether its cancellation has been asked for, in the same step. */
  advance(taskArn: string, progress: string, plan: PlanSummary): Promise<'goOn' | 'cancelled' | 'lost'>;
  settle(taskArn: string, outcome: Outcome): Promise<'settled' | 'already'>;
}

export function createRunStore(options: {
  readonly client: DynamoDBClient;
  readonly stateTable: string;
  readonly historyTable: string;
  readonly enclaveId: string;
  readonly run: string;
  readonly action: RunAction;
}): RunStore {
  const { client, enclaveId, run, action } = options;
  const item = createItemStore({
    client,
    table: options.historyTable,
    key: keys.run(enclaveId, run),
    schema: RunItemSchema,
    action,
  });

  return {
    claim: item.claim,
    settle: item.settle,

    async lock() {
      const answer = await client.send(
        new GetItemCommand({
          TableName: options.stateTable,
          Key: marshall(keys.lock(enclaveId)),
          ConsistentRead: true,
        }),
      );
      const lock = answer.Item === undefined ? undefined : LockSchema.safeParse(read(answer.Item));
      return lock?.data;
    },

    async advance(taskArn, progress, plan) {
      const stored = await item.update(taskArn, { progress, plan });
      if (stored === 'lost') return 'lost';
      return stored.cancelRequestedAt === undefined ? 'goOn' : 'cancelled';
    },
  };
}
