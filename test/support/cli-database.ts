/** enclavectl on a real database of its own, for the tests of one file. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll } from 'vitest';
import { type Database, databaseClient, startDatabase } from '../../src/local/database.ts';
import { createTables } from '../../src/local/tables.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { type CliOptions, type CliRun, cli } from './cli.ts';

export const enclavesTable = 'treza-enclaves-test';
export const stateTable = 'treza-test-operator-state';
export const historyTable = 'treza-test-operator-history';

export interface CliDatabase {
  /** Once the tests run. */
  readonly client: DynamoDBClient;
  readonly url: string;
  /** enclavectl with these words, on this database. */
  run(argv: readonly string[], options?: CliOptions): Promise<CliRun>;
}

/** Started before the first test of the file, stopped after the last. */
export function cliDatabase(): CliDatabase {
  let started: { readonly database: Database; readonly client: DynamoDBClient } | undefined;
  const there = () => {
    if (started === undefined) throw new Error('the database runs while tests do');
    return started;
  };
  beforeAll(async () => {
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const database = await startDatabase({
      clock: systemClock,
      log,
      dataDir: mkdtempSync(join(tmpdir(), 'enclavectl-')),
    });
    started = { database, client: databaseClient(database.url) };
    await createTables(started.client, { enclavesTable, stateTable, historyTable });
  });
  afterAll(async () => {
    started?.client.destroy();
    await started?.database.stop(5_000);
  });
  return {
    get client() {
      return there().client;
    },
    get url() {
      return there().database.url;
    },
    run: (argv, options = {}) => cli([...argv, '--endpoint', there().database.url, '--environment', 'test'], options),
  };
}
