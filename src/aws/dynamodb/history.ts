/** The history table in DynamoDB: runs, events and drift answers, kept for a while. */
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type CountedEvent, countEvents } from '../../enclave/items/event-window.ts';
import { keys } from '../../enclave/items/items.ts';
import { RunItemSchema } from '../../enclave/items/run.ts';
import type { JsonMap } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import type { HistoryStore, Log } from '../../reconciler/ports/index.ts';
import { call, onNames } from '../errors.ts';
import { absent, all, type Condition, conditionInput, exists } from './expressions.ts';
import { toAttribute, toItem, toPlain } from './marshal.ts';
import { readOr } from './stored.ts';
import { openTable } from './table.ts';

export interface HistoryStoreOptions {
  readonly client: DynamoDBClient;
  readonly historyTable: string;
  /** When an item written now expires, in seconds since 1970. */
  readonly expiresAt: () => number;
  readonly log: Log;
}

/** Events written at a time. */
const WRITES_AT_ONCE = 25;

export function createHistoryStore(options: HistoryStoreOptions): HistoryStore {
  const { client, historyTable, expiresAt, log } = options;
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

  /** Caveat: where an answer is lost and the SDK asks again, one event counts twice. */
  const writeEvent = async ({ key, event, firstAt, count }: CountedEvent) => {
    const attributes = { ...omit(event, 'count'), firstAt, expiresAt: event.expiresAt ?? expiresAt() };
    // Numbered: an event may have attributes of any name, and `at` and `type` are words of DynamoDB's own.
    const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
    const assignments = entries.map(([name], index) =>
      name === 'firstAt' ? `#n${index} = if_not_exists(#n${index}, :v${index})` : `#n${index} = :v${index}`,
    );
    await call('dynamodb:UpdateItem', `an event of enclave ${event.id}`, () =>
      client.send(
        new UpdateItemCommand({
          TableName: historyTable,
          Key: toItem(key),
          UpdateExpression: `SET ${assignments.join(', ')} ADD #count :count`,
          ExpressionAttributeNames: {
            '#count': 'count',
            ...Object.fromEntries(entries.map(([name], index) => [`#n${index}`, name])),
          },
          ExpressionAttributeValues: {
            ':count': toAttribute(count),
            ...Object.fromEntries(entries.map(([, value], index) => [`:v${index}`, toAttribute(value)])),
          },
        }),
      ),
    );
  };

  return {
    async run(id, name) {
      return runItem(await table.get(keys.run(id, name), `run ${name} of enclave ${id}`));
    },

    async runs(id, limit) {
      if (limit <= 0) return [];
      // Names have a random part before their number: they do not sort by time.
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
      const counted = countEvents(events);
      for (let index = 0; index < counted.length; index += WRITES_AT_ONCE) {
        await Promise.all(counted.slice(index, index + WRITES_AT_ONCE).map(writeEvent));
      }
    },

    async answer(answer) {
      const input = {
        TableName: historyTable,
        Item: toItem({ ...answer, ...keys.driftAnswer(answer.id, answer.key) }),
        ...conditionInput(absent('pk')),
      };
      const result = await call(
        'dynamodb:PutItem',
        `a drift answer of enclave ${answer.id}`,
        () => client.send(new PutItemCommand(input)),
        onNames('already' as const, 'ConditionalCheckFailedException'),
      );
      return result === 'already' ? 'already' : 'answered';
    },
  };
}
