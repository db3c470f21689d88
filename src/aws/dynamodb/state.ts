/** The state table in DynamoDB: the operator's memory of each enclave. */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  TransactGetItemsCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { ControlSchema } from '../../enclave/items/fleet.ts';
import { PlanResultSchema } from '../../enclave/items/fleet-run.ts';
import { keys, LockSchema, READER_VERSION, RequestSchema } from '../../enclave/items/items.ts';
import { LifecycleSchema, ListedLifecycleSchema } from '../../enclave/items/lifecycle.ts';
import { packLifecycle, packRun } from '../../enclave/items/packed.ts';
import { ReportSchema } from '../../enclave/items/report.ts';
import type { JsonMap } from '../../enclave/json.ts';
import type { Config } from '../../reconciler/config.ts';
import { type Commit, type Log, OperatorError, type StateStore } from '../../reconciler/ports/index.ts';
import { executionArn } from '../arns.ts';
import { call, onNames } from '../errors.ts';
import {
  absent,
  all,
  atMost,
  type Condition,
  conditionInput,
  either,
  equal,
  oneOf,
  startsWith,
} from './expressions.ts';
import { toItem, toPlain } from './marshal.ts';
import { minReaderOf, readOr, readOrRefuse, readReport } from './stored.ts';
import { type ItemKey, openTable } from './table.ts';
import { lostRace } from './transactions.ts';

export interface StateStoreOptions {
  readonly client: DynamoDBClient;
  readonly stateTable: string;
  readonly historyTable: string;
  /** When a run item written now expires, in seconds since 1970. */
  readonly expiresAt: () => number;
  readonly log: Log;
}

/** Needed to compute the ARN of the one execution that may claim a lock. */
export interface LockingOptions extends StateStoreOptions {
  readonly place: Pick<Config, 'region' | 'accountId' | 'prefix'>;
}

/** TransactWriteItems takes 100 items: lifecycle, lock, run and these. What is beyond is consumed by a later commit. */
const MOST_REQUESTS_A_COMMIT = 90;
const MOST_PLAN_RESULTS_A_COMMIT = 7;

/** What a list must know of the state table: reports and locks are left where they are. */
const LISTED = either(equal('sk', 'lifecycle'), startsWith('pk', keys.requests(''), keys.planResults('')));
const LISTED_ATTRIBUTES = ['pk', 'sk', ...Object.keys(ListedLifecycleSchema.shape)].map((name) =>
  name === 'snapshot' ? 'snapshot.region' : name,
);

/** A host adds attributes of its own at will. */
const REPORT_ATTRIBUTES = ['pk', 'sk', ...Object.keys(ReportSchema.shape)];

/** Creates the lifecycle, or replaces the very revision that was read, and never a newer leader's. */
const lifecycleAsRead = ({ readRevision, lifecycle }: Commit) =>
  readRevision === undefined ? absent('pk') : all(equal('revision', readRevision), atMost('epoch', lifecycle.epoch));

/** A host chooses the sort keys of its report partition, and could write `lifecycle` for one. */
export const isLifecycle = ({ pk, sk }: JsonMap) => sk === 'lifecycle' && String(pk).startsWith(keys.enclave(''));

export function createStateStore(options: LockingOptions): StateStore {
  const { client, stateTable, historyTable, expiresAt, log, place } = options;
  const table = openTable(client, stateTable);

  const leaveOut = (item: JsonMap) => (problem: string) =>
    log.warn({ pk: item.pk, sk: item.sk, problem }, 'a malformed item of the state table is left out');

  const put = (tableName: string, key: ItemKey, body: object, condition: Condition) => ({
    TableName: tableName,
    Item: toItem({ ...body, ...key }),
    ...conditionInput(condition),
  });

  const deleteIf = (key: ItemKey, condition: Condition, what: string) =>
    call(
      'dynamodb:DeleteItem',
      what,
      () =>
        client.send(new DeleteItemCommand({ TableName: stateTable, Key: toItem(key), ...conditionInput(condition) })),
      onNames('gone' as const, 'ConditionalCheckFailedException'),
    );

  /** What a commit writes and deletes beside the lifecycle. */
  const besides = ({ lifecycle, start, consumed, planResults = [] }: Commit): TransactWriteItem[] => {
    const deleted = [
      ...consumed.slice(0, MOST_REQUESTS_A_COMMIT).map(({ id, key }) => keys.request(id, key)),
      ...planResults.slice(0, MOST_PLAN_RESULTS_A_COMMIT).map(({ id, run }) => keys.planResult(id, run)),
    ];
    const items: TransactWriteItem[] = deleted.map((key) => ({
      Delete: { TableName: stateTable, Key: toItem(key) },
    }));
    if (start === undefined) return items;
    const run = { ...start.run, expiresAt: start.run.expiresAt ?? expiresAt() };
    const { action } = run;
    const lock = { ...start.lock, action, intendedExecution: executionArn(place, action, start.lock.run) };
    return [
      { Put: put(stateTable, keys.lock(lifecycle.id), lock, absent('pk')) },
      { Put: put(historyTable, keys.run(lifecycle.id, run.name), packRun(run), absent('pk')) },
      ...items,
    ];
  };

  return {
    async read(id) {
      // In one transaction, as marker and lock are written in one: a marker seen without its lock would pass for a
      // lock that was released.
      const answer = await call(
        'dynamodb:TransactGetItems',
        `enclave ${id}`,
        () =>
          client.send(
            new TransactGetItemsCommand({
              TransactItems: [keys.lifecycle(id), keys.lock(id)].map((key) => ({
                Get: { TableName: stateTable, Key: toItem(key) },
              })),
            }),
          ),
        lostRace('dynamodb:TransactGetItems'),
      );
      if (answer === 'conflict') {
        throw new OperatorError('Conflict', 'dynamodb:TransactGetItems', `enclave ${id}: being written; read again`);
      }
      const [lifecycle, lock] = [0, 1].map((index) => {
        const item = answer.Responses?.[index]?.Item;
        return item === undefined ? undefined : toPlain(item);
      });
      if (Math.max(minReaderOf(lifecycle), minReaderOf(lock)) > READER_VERSION) {
        const ignore = () => {};
        return {
          lifecycle: readOr(LifecycleSchema, lifecycle, ignore),
          lock: readOr(LockSchema, lock, ignore),
          fromTheFuture: true,
        };
      }
      return {
        lifecycle: readOrRefuse(LifecycleSchema, lifecycle, 'state.read', `the lifecycle of enclave ${id}`),
        lock: readOrRefuse(LockSchema, lock, 'state.read', `the lock of enclave ${id}`),
        fromTheFuture: false,
      };
    },

    async reports(id, instanceIds) {
      const read = async (instanceId: string) => {
        const item = await table.get(keys.report(id, instanceId), `a report of enclave ${id}`, REPORT_ATTRIBUTES);
        return readReport(item, instanceId, (problem) =>
          log.warn({ enclaveId: id, instanceId, problem }, 'the report of a host cannot be read and is ignored'),
        );
      };
      const reports = await Promise.all([...new Set(instanceIds)].map(read));
      return reports.filter((report) => report !== undefined);
    },

    async requests(id) {
      const items = await table.partition(keys.requests(id));
      return items
        .map((item) => readOr(RequestSchema, item, leaveOut(item)))
        .filter((request) => request !== undefined);
    },

    async planResults(id) {
      const items = await table.partition(keys.planResults(id));
      return items
        .map((item) => readOr(PlanResultSchema, item, leaveOut(item)))
        .filter((result) => result !== undefined);
    },

    async commit(commit) {
      const { id } = commit.lifecycle;
      const lifecycle = put(stateTable, keys.lifecycle(id), packLifecycle(commit.lifecycle), lifecycleAsRead(commit));
      const more = besides(commit);
      const answer =
        more.length === 0
          ? await call(
              'dynamodb:PutItem',
              `enclave ${id}`,
              () => client.send(new PutItemCommand(lifecycle)),
              lostRace('dynamodb:PutItem'),
            )
          : await call(
              'dynamodb:TransactWriteItems',
              `enclave ${id}`,
              () => client.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: lifecycle }, ...more] })),
              lostRace('dynamodb:TransactWriteItems'),
            );
      return answer === 'conflict' ? 'conflict' : 'committed';
    },

    async dismiss(requests) {
      for (const { id, key, at } of requests) {
        await deleteIf(keys.request(id, key), equal('at', at), `a request of enclave ${id}`);
      }
    },

    async discardPlanResults(results) {
      for (const { id, run, askedAt } of results) {
        await deleteIf(keys.planResult(id, run), equal('askedAt', askedAt), `a plan result of enclave ${id}`);
      }
    },

    async forget(id, readRevision) {
      const input = {
        TableName: stateTable,
        Key: toItem(keys.lifecycle(id)),
        ...conditionInput(equal('revision', readRevision)),
      };
      const answer = await call(
        'dynamodb:DeleteItem',
        `enclave ${id}`,
        () => client.send(new DeleteItemCommand(input)),
        lostRace('dynamodb:DeleteItem'),
      );
      return answer === 'conflict' ? 'conflict' : 'committed';
    },

    async release(id, run, states) {
      if (states.length === 0) return 'notHeld';
      const input = {
        TableName: stateTable,
        Key: toItem(keys.lock(id)),
        ...conditionInput(all(equal('run', run), oneOf('state', states))),
      };
      const answer = await call(
        'dynamodb:DeleteItem',
        `lock of enclave ${id}`,
        () => client.send(new DeleteItemCommand(input)),
        onNames('notHeld' as const, 'ConditionalCheckFailedException'),
      );
      return answer === 'notHeld' ? 'notHeld' : 'released';
    },

    async *scan(signal) {
      // One malformed item must not hide all others; its enclave's own read refuses it by name.
      for await (const page of table.scan(signal, LISTED, LISTED_ATTRIBUTES)) {
        const lifecycles = page
          .filter(isLifecycle)
          .map((item) => readOr(ListedLifecycleSchema, item, leaveOut(item)))
          .filter((lifecycle) => lifecycle !== undefined);
        yield { lifecycles, requested: page.flatMap(({ pk }) => keys.requestedOf(String(pk))) };
      }
    },

    async control() {
      const item = await table.get(keys.control, 'fleet/control');
      return readOrRefuse(ControlSchema, item, 'state.control', 'fleet/control');
    },

    async install(control) {
      const input = {
        TableName: stateTable,
        Item: toItem({ ...control, ...keys.control }),
        ...conditionInput(absent('pk')),
      };
      await call(
        'dynamodb:PutItem',
        'fleet/control',
        () => client.send(new PutItemCommand(input)),
        onNames('exists' as const, 'ConditionalCheckFailedException'),
      );
    },

    async amendControl(set) {
      const members = Object.entries(set).filter(([, value]) => value !== undefined);
      const input = {
        TableName: stateTable,
        Key: toItem(keys.control),
        UpdateExpression: `SET ${members.map((_, index) => `#m${index} = :m${index}`).join(', ')}`,
        ConditionExpression: 'attribute_exists(#pk)',
        ExpressionAttributeNames: {
          '#pk': 'pk',
          ...Object.fromEntries(members.map(([name], index) => [`#m${index}`, name])),
        },
        ExpressionAttributeValues: toItem(Object.fromEntries(members.map(([, value], index) => [`:m${index}`, value]))),
      };
      await call('dynamodb:UpdateItem', 'fleet/control', () => client.send(new UpdateItemCommand(input)));
    },
  };
}
