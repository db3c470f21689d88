/** The tables, as enclavectl reads and writes them. Nothing else in the CLI talks to AWS. */
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  paginateScan,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import { toItem, toPlain } from '../aws/dynamodb/marshal.ts';
import { readReport } from '../aws/dynamodb/stored.ts';
import { type DriftAnswer, DriftAnswerSchema } from '../enclave/items/drift-answer.ts';
import { type Control, ControlSchema } from '../enclave/items/fleet.ts';
import { EventSchema, keys, type Lock, LockSchema, type OperatorEvent, type Request } from '../enclave/items/items.ts';
import { type Lifecycle, LifecycleSchema } from '../enclave/items/lifecycle.ts';
import type { Report } from '../enclave/items/report.ts';
import { type RunItem, RunItemSchema } from '../enclave/items/run.ts';
import type { JsonMap } from '../enclave/json.ts';
import type { RawRecord } from '../reconciler/ports/index.ts';
import type { Target } from './target.ts';
import { explainFailure } from './unreachable.ts';
import { updateOf } from './update-expression.ts';

/** What a list shows of a record; the rest (up to 400 KB each) stays in the table. */
const LISTED = ['id', 'name', 'status', 'createdAt', 'updatedAt', 'providerId', 'instance_id', 'error_message'];

/**
 * Reads and writes of enclavectl.
 *
 * Guarantees: writes fields of records that the application also writes, requests, and its own members of
 * `fleet/control`; never another item of the operator. Every write is conditional on what was read. Malformed items
 * read as absent.
 * Errors: `CliError` naming the endpoint or table and a fix.
 */
export interface Store {
  record(id: string): Promise<RawRecord | undefined>;
  /** Listed attributes only. */
  records(): Promise<readonly RawRecord[]>;
  lifecycle(id: string): Promise<Lifecycle | undefined>;
  lifecycles(): Promise<readonly Lifecycle[]>;
  lock(id: string): Promise<Lock | undefined>;
  /** Of these instances only: a host may write any number of items beside its report. */
  reports(id: string, instanceIds: readonly string[]): Promise<readonly Report[]>;
  run(id: string, name: string): Promise<RunItem | undefined>;
  /** Newest first. */
  runs(id: string, limit: number): Promise<readonly RunItem[]>;
  /** Oldest first; of one enclave, or of all (which reads the whole history table). */
  events(id: string | undefined, since: string): Promise<readonly OperatorEvent[]>;
  /** A record that did not exist. */
  create(record: RawRecord): Promise<'created' | 'exists'>;
  /** Sets attributes if the record exists and the given ones still are what was read (undefined: absent). */
  update(id: string, set: JsonMap, read: Readonly<Record<string, unknown>>): Promise<'updated' | 'conflict'>;
  request(request: Request): Promise<void>;
  /** Of a request of the verb `drift`, by its key; undefined: none yet. */
  driftAnswer(id: string, requestKey: string): Promise<DriftAnswer | undefined>;
  /** What holds for the whole fleet; undefined: no operator has run here yet. */
  control(): Promise<Control | undefined>;
  /** Sets and removes members of `fleet/control` if the given ones still are what was read (undefined: absent). */
  amendControl(
    set: Partial<Control>,
    remove: readonly (keyof Control & string)[],
    read: Readonly<Record<string, unknown>>,
  ): Promise<'updated' | 'conflict'>;
  close(): void;
}

/** The instance whose report counts, where one is known. */
export function reportingHost(lifecycle: Lifecycle | undefined): readonly string[] {
  return lifecycle?.pinned.instanceId === undefined ? [] : [lifecycle.pinned.instanceId];
}

export function openStore(target: Target): Store {
  const { config, endpoint } = target;
  const loopback = endpoint !== undefined && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
  const client = new DynamoDBClient({
    region: config.region,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 15_000 },
    ...(endpoint === undefined ? {} : { endpoint }),
    // A database on this machine takes any credentials, and asking the chain for none takes seconds.
    ...(loopback && !process.env.AWS_ACCESS_KEY_ID && !process.env.AWS_PROFILE
      ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
      : {}),
  });

  async function send<T>(table: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw explainFailure(error, { table, region: config.region, endpoint });
    }
  }

  async function get(table: string, key: Readonly<Record<string, string>>): Promise<JsonMap | undefined> {
    const answer = await send(table, () =>
      client.send(new GetItemCommand({ TableName: table, Key: toItem(key), ConsistentRead: true })),
    );
    return answer.Item === undefined ? undefined : toPlain(answer.Item);
  }

  function collect(table: string, pages: AsyncIterable<{ Items?: Record<string, AttributeValue>[] | undefined }>) {
    return send(table, async () => {
      const items: JsonMap[] = [];
      for await (const page of pages) items.push(...(page.Items ?? []).map(toPlain));
      return items;
    });
  }

  const query = (table: string, pk: string, from: string) =>
    collect(
      table,
      paginateQuery(
        { client },
        {
          TableName: table,
          KeyConditionExpression: '#pk = :pk AND #sk >= :from',
          ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
          // A sort key cannot be empty: a blank comes before every name and every time.
          ExpressionAttributeValues: { ':pk': { S: pk }, ':from': { S: from === '' ? ' ' : from } },
          ConsistentRead: true,
        },
      ),
    );

  return {
    record: async (id) => (await get(config.enclavesTable, { id })) as RawRecord | undefined,
    records: async () => {
      const names = Object.fromEntries(LISTED.map((name, index) => [`#a${index}`, name]));
      return (await collect(
        config.enclavesTable,
        paginateScan(
          { client },
          {
            TableName: config.enclavesTable,
            ProjectionExpression: Object.keys(names).join(', '),
            ExpressionAttributeNames: names,
          },
        ),
      )) as unknown as RawRecord[];
    },
    lifecycle: async (id) => valid(LifecycleSchema, await get(config.stateTable, keys.lifecycle(id))),
    lifecycles: async () =>
      allValid(
        LifecycleSchema,
        await collect(
          config.stateTable,
          paginateScan(
            { client },
            {
              TableName: config.stateTable,
              // Hosts choose the sort keys of their report partitions.
              FilterExpression: '#sk = :lifecycle AND begins_with(#pk, :enclave)',
              ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
              ExpressionAttributeValues: {
                ':lifecycle': { S: keys.lifecycle('').sk },
                ':enclave': { S: keys.enclave('') },
              },
            },
          ),
        ),
      ),
    lock: async (id) => valid(LockSchema, await get(config.stateTable, keys.lock(id))),
    reports: async (id, instanceIds) => {
      const read = async (instanceId: string) =>
        readReport(await get(config.stateTable, keys.report(id, instanceId)), instanceId, () => {});
      return (await Promise.all(instanceIds.map(read))).filter((report) => report !== undefined);
    },
    run: async (id, name) => valid(RunItemSchema, await get(config.historyTable, keys.run(id, name))),
    runs: async (id, limit) => {
      // Sort keys are names, whose order is not that of time: all runs of one enclave are read (TTL bounds them).
      const runs = allValid(RunItemSchema, await query(config.historyTable, keys.runs(id), ''));
      return runs.toSorted((a, b) => b.requestedAt.localeCompare(a.requestedAt)).slice(0, limit);
    },
    events: async (id, since) => {
      const items =
        id !== undefined
          ? await query(config.historyTable, keys.events(id), since)
          : await collect(
              config.historyTable,
              paginateScan(
                { client },
                {
                  TableName: config.historyTable,
                  FilterExpression: 'begins_with(#pk, :events) AND #sk >= :since',
                  ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
                  ExpressionAttributeValues: {
                    ':events': { S: keys.events('') },
                    ':since': { S: since === '' ? ' ' : since },
                  },
                },
              ),
            );
      return allValid(EventSchema, items).toSorted((a, b) => a.at.localeCompare(b.at));
    },
    create: async (record) =>
      send(config.enclavesTable, async () => {
        try {
          await client.send(
            new PutItemCommand({
              TableName: config.enclavesTable,
              Item: toItem(record),
              ConditionExpression: 'attribute_not_exists(#id)',
              ExpressionAttributeNames: { '#id': 'id' },
            }),
          );
          return 'created';
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return 'exists';
          throw error;
        }
      }),
    update: async (id, set, read) =>
      send(config.enclavesTable, async () => {
        try {
          await client.send(
            new UpdateItemCommand({ TableName: config.enclavesTable, Key: toItem({ id }), ...updateOf(set, read) }),
          );
          return 'updated';
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return 'conflict';
          throw error;
        }
      }),
    request: async (request) => {
      await send(config.stateTable, () =>
        client.send(
          new PutItemCommand({
            TableName: config.stateTable,
            Item: toItem({ ...keys.request(request.id, request.key), ...request }),
            ConditionExpression: 'attribute_not_exists(#pk)',
            ExpressionAttributeNames: { '#pk': 'pk' },
          }),
        ),
      );
    },
    driftAnswer: async (id, requestKey) =>
      valid(DriftAnswerSchema, await get(config.historyTable, keys.driftAnswer(id, requestKey))),
    control: async () => valid(ControlSchema, await get(config.stateTable, keys.control)),
    amendControl: async (set, remove, read) =>
      send(config.stateTable, async () => {
        try {
          const update = updateOf(set as JsonMap, read, 'pk', remove);
          await client.send(
            new UpdateItemCommand({ TableName: config.stateTable, Key: toItem(keys.control), ...update }),
          );
          return 'updated';
        } catch (error) {
          if (error instanceof ConditionalCheckFailedException) return 'conflict';
          throw error;
        }
      }),
    close: () => client.destroy(),
  };
}

function valid<T extends z.ZodType>(schema: T, item: JsonMap | undefined): z.infer<T> | undefined {
  return item === undefined ? undefined : schema.safeParse(item).data;
}

function allValid<T extends z.ZodType>(schema: T, items: readonly JsonMap[]): z.infer<T>[] {
  return items.flatMap((item) => {
    const parsed = schema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
}
