/** The run item and the lock: all the runner reads and writes in DynamoDB. */
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import {
  isFromTheFuture,
  keys,
  type Lock,
  LockSchema,
  type Outcome,
  type PlanSummary,
  READER_VERSION,
  type RunItem,
  RunItemSchema,
} from '../../src/enclave/items.ts';

export interface Claimant {
  readonly taskArn: string;
  readonly executionArn: string | undefined;
  /** Names this task in a Terraform state lock's `Who`. */
  readonly host: string;
  readonly startedAt: string;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly item: RunItem }
  /** Another task works on the run, or it is over. */
  | { readonly kind: 'twin'; readonly why: string }
  /** There is no such run, or its item cannot be read by this version. */
  | { readonly kind: 'unusable'; readonly why: string };

export interface RunStore {
  /** Takes the run for this task, if no task has it and it has no outcome. Repeatable by the same task. */
  claim(claimant: Claimant): Promise<Claim>;
  /** Strongly consistent. */
  lock(): Promise<Lock | undefined>;
  /** Notes what the run is about to do. Answers whether its cancellation has been asked for, in the same step. */
  advance(taskArn: string, progress: string, plan: PlanSummary): Promise<'goOn' | 'cancelled' | 'lost'>;
  /** Writes the outcome if there is none. `already`: somebody else has concluded the run. */
  settle(taskArn: string, outcome: Outcome): Promise<'settled' | 'already'>;
}

/** Sets string-named attributes; every name goes through a placeholder, since many are reserved words. */
function setting(attributes: Readonly<Record<string, unknown>>) {
  const names = Object.keys(attributes).filter((name) => attributes[name] !== undefined);
  return {
    UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
    names: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    values: Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]])),
  };
}

const marshalled = (values: Readonly<Record<string, unknown>>) => marshall(values, { removeUndefinedValues: true });

export function createRunStore(options: {
  readonly client: DynamoDBClient;
  readonly stateTable: string;
  readonly historyTable: string;
  readonly enclaveId: string;
  readonly run: string;
}): RunStore {
  const { client, enclaveId, run } = options;
  const key = { TableName: options.historyTable, Key: marshall(keys.run(enclaveId, run)) };
  const mine = 'taskArn = :me AND attribute_not_exists(outcome)';

  return {
    async claim(claimant) {
      const set = setting({ ...claimant });
      try {
        const answer = await client.send(
          new UpdateItemCommand({
            ...key,
            UpdateExpression: set.UpdateExpression,
            ConditionExpression:
              'attribute_exists(pk) AND attribute_not_exists(taskArn) AND attribute_not_exists(outcome) AND ' +
              '(attribute_not_exists(minReader) OR minReader <= :reader)',
            ExpressionAttributeNames: set.names,
            ExpressionAttributeValues: marshalled({ ...set.values, ':reader': READER_VERSION }),
            ReturnValues: 'ALL_NEW',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        );
        return readClaimed(answer.Attributes);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        return whyRefused(error.Item, claimant.taskArn);
      }
    },

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
      const set = setting({ progress, plan });
      try {
        const answer = await client.send(
          new UpdateItemCommand({
            ...key,
            UpdateExpression: set.UpdateExpression,
            ConditionExpression: mine,
            ExpressionAttributeNames: set.names,
            ExpressionAttributeValues: marshalled({ ...set.values, ':me': taskArn }),
            ReturnValues: 'ALL_NEW',
          }),
        );
        return answer.Attributes?.cancelRequestedAt === undefined ? 'goOn' : 'cancelled';
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return 'lost';
        throw error;
      }
    },

    async settle(taskArn, outcome) {
      const set = setting({ outcome });
      try {
        await client.send(
          new UpdateItemCommand({
            ...key,
            UpdateExpression: set.UpdateExpression,
            ConditionExpression: mine,
            ExpressionAttributeNames: set.names,
            ExpressionAttributeValues: marshalled({ ...set.values, ':me': taskArn }),
          }),
        );
        return 'settled';
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return 'already';
        throw error;
      }
    },
  };
}

/** A number no double can hold is data like any other: it comes as text instead of failing the run. */
const numberOf = (digits: string) =>
  Number.isSafeInteger(Number(digits)) || !/^-?\d+$/.test(digits) ? Number(digits) : digits;
const read = (item: StoredItem) => unmarshall(item, { wrapNumbers: numberOf });

type StoredItem = Parameters<typeof unmarshall>[0];

function readClaimed(attributes: StoredItem | undefined): Claim {
  const item = RunItemSchema.safeParse(attributes === undefined ? undefined : read(attributes));
  if (item.success) return { kind: 'claimed', item: item.data };
  const fields = item.error.issues.map((issue) => issue.path.join('.')).join(', ');
  return { kind: 'unusable', why: `the run item is malformed: ${fields}` };
}

function whyRefused(stored: StoredItem | undefined, taskArn: string): Claim {
  const item = stored === undefined ? undefined : read(stored);
  if (item === undefined) return { kind: 'unusable', why: 'there is no such run' };
  if (item.outcome !== undefined) return { kind: 'twin', why: 'the run is over' };
  if (isFromTheFuture(item)) return { kind: 'unusable', why: 'the run was written by a newer version' };
  // Our own claim, whose answer was lost on the way.
  if (item.taskArn === taskArn) return readClaimed(stored);
  return { kind: 'twin', why: 'another task works on the run' };
}
