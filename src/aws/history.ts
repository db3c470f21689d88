/** The history table in DynamoDB: runs and events, kept for a while. */
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { keys, RunItemSchema } from '../enclave/items.ts';
import type { JsonMap } from '../enclave/json.ts';
import { type Clock, type HistoryStore, type Log, OperatorError, type Random } from '../reconciler/ports.ts';
import { call } from './errors.ts';
import { absent, all, type Condition, exists } from './expressions.ts';
import { toAttribute, toItem, toPlain } from './marshal.ts';
import { readOr } from './stored.ts';
import { openTable } from './table.ts';

export interface HistoryStoreOptions {
  readonly client: DynamoDBClient;
  readonly historyTable: string;
  /** When an item written now expires, in seconds since 1970. */
  readonly expiresAt: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** BatchWriteItem takes 25 items. */
const BATCH_SIZE = 25;
/** Items DynamoDB had no capacity for come back unwritten, without an error. */
const BATCH_ATTEMPTS = 5;
const BATCH_PAUSE_MS = 100;

export function createHistoryStore(options: HistoryStoreOptions): HistoryStore {
  const { client, historyTable, expiresAt, clock, random, log } = options;
  const table = openTable(client, historyTable);

  // Unlike a lifecycle, a run item that cannot be read stops nothing: its lock still stands, and its outcome is
  // looked for elsewhere.
  const runItem = (item: JsonMap | undefined) =>
    readOr(RunItemSchema, item, (problem) =>
      log.warn({ pk: item?.pk, sk: item?.sk, problem }, 'a malformed run item is left out'),
    );

  /** Sets one attribute of a run item; where the condition fails, the item that made it fail. */
  const setOnce = async (id: string, name: string, attribute: string, value: unknown, condition: Condition) => {
    const answer = await call(
      'dynamodb:UpdateItem',
      `run ${name} of enclave ${id}`,
      () =>
        client.send(
          new UpdateItemCommand({
            TableName: historyTable,
            Key: toItem(keys.run(id, name)),
            UpdateExpression: `SET #${attribute} = :value`,
            ConditionExpression: condition.text,
            ExpressionAttributeNames: { ...condition.names, [`#${attribute}`]: attribute },
            ExpressionAttributeValues: { ...condition.values, ':value': toAttribute(value) },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        ),
      (error) =>
        error instanceof ConditionalCheckFailedException ? { failedOn: toPlain(error.Item ?? {}) } : undefined,
    );
    return 'failedOn' in answer ? answer : ('set' as const);
  };

  const writeBatch = async (batch: readonly WriteRequest[]) => {
    let left: WriteRequest[] = [...batch];
    for (let attempt = 1; ; attempt++) {
      const items = left;
      const { UnprocessedItems: unprocessed } = await call('dynamodb:BatchWriteItem', `table ${historyTable}`, () =>
        client.send(new BatchWriteItemCommand({ RequestItems: { [historyTable]: items } })),
      );
      left = unprocessed?.[historyTable] ?? [];
      if (left.length === 0) return;
      if (attempt === BATCH_ATTEMPTS) {
        throw new OperatorError(
          'Throttled',
          'dynamodb:BatchWriteItem',
          `${left.length} events unwritten after ${attempt} attempts; raise the capacity of ${historyTable}`,
        );
      }
      await clock.sleep(random.next() * BATCH_PAUSE_MS * 2 ** attempt);
    }
  };

  return {
    async run(id, name) {
      return runItem(await table.get(keys.run(id, name), `run ${name} of enclave ${id}`));
    },

    async runs(id, limit) {
      if (limit <= 0) return [];
      // Names rise with the sequence number only as numbers do, not as text: `…-10-deploy` sorts before `…-9-deploy`.
      const items = await table.partition(keys.runs(id));
      return items
        .map(runItem)
        .filter((run) => run !== undefined)
        .sort((a, b) => (a.requestedAt < b.requestedAt ? 1 : a.requestedAt > b.requestedAt ? -1 : 0))
        .slice(0, limit);
    },

    async requestCancel(id, name, at) {
      const unasked = all(exists('pk'), absent('outcome'), absent('cancelRequestedAt'));
      const answer = await setOnce(id, name, 'cancelRequestedAt', at, unasked);
      if (answer === 'set') return 'requested';
      // Asked before and still at work; else it has an outcome, or has expired.
      const { cancelRequestedAt, outcome } = answer.failedOn;
      return cancelRequestedAt !== undefined && outcome === undefined ? 'requested' : 'settled';
    },

    async settle(id, name, outcome) {
      const answer = await setOnce(id, name, 'outcome', outcome, all(exists('pk'), absent('outcome')));
      return answer === 'set' ? 'settled' : 'already';
    },

    async append(events) {
      const puts: WriteRequest[] = events.map((event) => ({
        PutRequest: {
          Item: toItem({
            ...event,
            expiresAt: event.expiresAt ?? expiresAt(),
            ...keys.event(event.id, `${event.at}-${random.id(8)}`),
          }),
        },
      }));
      for (let index = 0; index < puts.length; index += BATCH_SIZE) {
        await writeBatch(puts.slice(index, index + BATCH_SIZE));
      }
    },
  };
}
