/** A run item in the history table: taken by one task, concluded once. */
import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { z } from 'zod';
import { isFromTheFuture, READER_VERSION } from '../../src/enclave/items/items.ts';
import type { Outcome } from '../../src/enclave/items/run.ts';
import type { AnyRunAction } from '../../src/enclave/names.ts';

export interface Claimant {
  readonly taskArn: string;
  readonly executionArn: string | undefined;
  /** Names this task in a Terraform state lock's `Who`. */
  readonly host: string;
  readonly startedAt: string;
}

export type Claim<Item> =
  | { readonly kind: 'claimed'; readonly item: Item }
  /** Another task works on the run, or it is over. */
  | { readonly kind: 'twin'; readonly why: string }
  /** There is no such run, or its item cannot be read by this version. */
  | { readonly kind: 'unusable'; readonly why: string };

export interface ItemStore<Item> {
  /** Takes the run for this task, if it is of this task's action, no task has it and it has no outcome. Repeatable by the same task. */
  claim(claimant: Claimant): Promise<Claim<Item>>;
  /** Sets attributes, while the run is this task's and has no outcome; answers what is stored then. */
  update(taskArn: string, attributes: Readonly<Record<string, unknown>>): Promise<StoredRun | 'lost'>;
  /** Writes the outcome if there is none. `already`: somebody else has concluded the run. */
  settle(taskArn: string, outcome: Outcome): Promise<'settled' | 'already'>;
}

export interface StoredRun {
  readonly cancelRequestedAt?: unknown;
}

type StoredItem = Parameters<typeof unmarshall>[0];

/** A number no double can hold is data like any other: it comes as text instead of failing the run. */
const numberOf = (digits: string) =>
  Number.isSafeInteger(Number(digits)) || !/^-?\d+$/.test(digits) ? Number(digits) : digits;
export const read = (item: StoredItem) => unmarshall(item, { wrapNumbers: numberOf });

/** Sets attributes; every name goes through a placeholder, since many are reserved words. */
function setting(attributes: Readonly<Record<string, unknown>>) {
  const names: Record<string, string> = {};
  const values: Record<string, unknown> = {};
  const assignments: string[] = [];
  for (const [index, [name, value]] of Object.entries(attributes).entries()) {
    if (value === undefined) continue;
    names[`#n${index}`] = name;
    values[`:v${index}`] = value;
    assignments.push(`#n${index} = :v${index}`);
  }
  return { UpdateExpression: `SET ${assignments.join(', ')}`, names, values };
}

const marshalled = (values: Readonly<Record<string, unknown>>) => marshall(values, { removeUndefinedValues: true });

export function createItemStore<Item>(options: {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly key: Readonly<Record<string, string>>;
  readonly schema: z.ZodType<Item>;
  /** What this task is started to do: a run of another action is left alone. */
  readonly action: AnyRunAction;
}): ItemStore<Item> {
  const { client, schema, action } = options;
  const key = { TableName: options.table, Key: marshall(options.key) };
  const mine = 'taskArn = :me AND attribute_not_exists(outcome)';

  const readClaimed = (attributes: StoredItem | undefined): Claim<Item> => {
    const item = schema.safeParse(attributes === undefined ? undefined : read(attributes));
    if (item.success) return { kind: 'claimed', item: item.data };
    const fields = item.error.issues.map((issue) => issue.path.join('.')).join(', ');
    return { kind: 'unusable', why: `the run item is malformed: ${fields}` };
  };

  const whyRefused = (stored: StoredItem | undefined, taskArn: string): Claim<Item> => {
    const item = stored === undefined ? undefined : read(stored);
    if (item === undefined) return { kind: 'unusable', why: 'there is no such run' };
    if (item.action !== action) {
      return { kind: 'unusable', why: `the run is a ${item.action} run, but this task executes ${action} runs` };
    }
    if (item.outcome !== undefined) return { kind: 'twin', why: 'the run is over' };
    if (isFromTheFuture(item)) return { kind: 'unusable', why: 'the run was written by a newer version' };
    // Our own claim, whose answer was lost on the way.
    if (item.taskArn === taskArn) return readClaimed(stored);
    return { kind: 'twin', why: 'another task works on the run' };
  };

  const update = async (taskArn: string, attributes: Readonly<Record<string, unknown>>) => {
    const set = setting(attributes);
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
      return read(answer.Attributes ?? {});
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return 'lost';
      throw error;
    }
  };

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
              '(attribute_not_exists(minReader) OR minReader <= :reader) AND #action = :action',
            ExpressionAttributeNames: { ...set.names, '#action': 'action' },
            ExpressionAttributeValues: marshalled({ ...set.values, ':reader': READER_VERSION, ':action': action }),
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

    update,

    async settle(taskArn, outcome) {
      return (await update(taskArn, { outcome })) === 'lost' ? 'already' : 'settled';
    },
  };
}
