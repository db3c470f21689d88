/** Fills tables of the embedded database in bulk: put by put, ten thousand records take it many minutes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';

export interface BulkTable {
  readonly name: string;
  readonly items: Iterable<object>;
}

/** What `DescribeTable` says of the tables, as the import wants its schema. */
export async function schemaOf(client: DynamoDBClient, names: readonly string[]): Promise<readonly object[]> {
  const answers = names.map((TableName) => client.send(new DescribeTableCommand({ TableName })));
  return (await Promise.all(answers)).map(({ Table }) => ({ Table }));
}

/** Replaces the database file of a stack that is stopped. Tables that are not named are gone; the stack makes them anew. */
export function bulkImport(dataDir: string, schema: readonly object[], tables: readonly BulkTable[]): void {
  const folder = join(dataDir, 'export');
  for (const { name, items } of tables) {
    const data = join(folder, name, 'data');
    mkdirSync(data, { recursive: true });
    const lines = Array.from(items, (item) => `${JSON.stringify({ Item: marshall(item) })}\n`);
    writeFileSync(join(data, 'items.json'), lines.join(''));
  }
  const schemaFile = join(dataDir, 'export-schema.json');
  writeFileSync(schemaFile, JSON.stringify(schema));
  const binary = join(dirname(createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json')), 'dynoxide');
  const output = join(dataDir, 'dynamodb.sqlite');
  for (const suffix of ['', '-shm', '-wal']) rmSync(`${output}${suffix}`, { force: true });
  const args = ['import', '--source', folder, '--schema', schemaFile, '--output', output];
  execFileSync(binary, args, { stdio: 'ignore' });
  rmSync(folder, { recursive: true });
}
