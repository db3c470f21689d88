/** The AWS adapters over a real database as a harness of the conformance suites. */
import { randomUUID } from 'node:crypto';
import { DeleteItemCommand, DeleteTableCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import { createAwsPorts } from '../../src/aws/index.ts';
import { createTables } from '../../src/local/tables.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import type { TestDatabase } from './conformance-database.ts';
import type { MakeHarness, TableName } from './conformance-harness.ts';
import { memoryLog } from './memory-world.ts';

/** Fresh tables each time, deleted at the end: the endpoint may be somebody's. */
export function awsHarness(database: () => TestDatabase): MakeHarness {
  return async () => {
    const { client } = database();
    const suffix = randomUUID().slice(0, 8);
    const names = {
      enclavesTable: `conformance-enclaves-${suffix}`,
      stateTable: `conformance-state-${suffix}`,
      historyTable: `conformance-history-${suffix}`,
    };
    await createTables(client, names);
    const config = ConfigSchema.parse(names);
    const ports = createAwsPorts({ config, log: memoryLog(), clock: systemClock, random: systemRandom });
    const sent: string[] = [];
    ports.calls.listen({ called: (_service, operation) => void sent.push(operation) });
    const tables: Readonly<Record<TableName, string>> = {
      records: names.enclavesTable,
      state: names.stateTable,
      history: names.historyTable,
    };
    return {
      ports,
      put: async (table, item) =>
        void (await client.send(new PutItemCommand({ TableName: tables[table], Item: item }))),
      delete: async (table, key) =>
        void (await client.send(new DeleteItemCommand({ TableName: tables[table], Key: toItem(key) }))),
      item: async (table, key) => {
        const input = { TableName: tables[table], Key: toItem(key), ConsistentRead: true };
        const { Item: item } = await client.send(new GetItemCommand(input));
        return item === undefined ? undefined : toPlain(item);
      },
      sent: () => sent,
      close: async () => {
        ports.close();
        for (const name of Object.values(names)) await client.send(new DeleteTableCommand({ TableName: name }));
      },
    };
  };
}
