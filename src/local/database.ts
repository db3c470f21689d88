/** The database process: DynamoDB and its streams in one binary. */
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import type { Clock, Log } from '../reconciler/ports/index.ts';
import { type Child, startChild } from './child.ts';
import { endLeftOver } from './left-over.ts';

export interface Database {
  readonly url: string;
  kill(signal: NodeJS.Signals): void;
  stop(graceMs: number): Promise<void>;
}

export interface DatabaseOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDir: string;
}

const START_TIMEOUT_MS = 15_000;
const PROBE_PAUSE_MS = 50;
const CHECK_EVERY_MS = 5_000;
/** Failed checks in a row after which a process that still lives is taken for hung. */
const HUNG_AFTER = 3;

/** Path of the binary; undefined where the platform has none. */
function databaseBinary(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json');
    return join(dirname(manifest), 'dynoxide');
  } catch {
    return undefined;
  }
}

/** A port that is free now. Another process may take it first: whoever uses it must be ready to try again. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

export function databaseClient(url: string, region = 'us-west-2'): DynamoDBClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return new DynamoDBClient({ region, endpoint: url, credentials, maxAttempts: 1 });
}

async function answers(client: DynamoDBClient): Promise<boolean> {
  try {
    await client.send(new ListTablesCommand({ Limit: 1 }), { abortSignal: AbortSignal.timeout(2_000) });
    return true;
  } catch {
    return false;
  }
}

/**
 * Every write looks for the newest sequence number of its table among all stream records; without an index it takes
 * longer the more were ever written. A binary that keeps them otherwise is only slower.
 */
function indexStreamRecords(dbPath: string, log: Log): void {
  try {
    const database = new DatabaseSync(dbPath, { timeout: 1_000 });
    try {
      database.exec('CREATE INDEX IF NOT EXISTS newest_stream_record ON _stream_records(table_name, sequence_number)');
    } finally {
      database.close();
    }
  } catch (error) {
    log.warn(
      { error: String(error) },
      "the database's stream records could not be indexed: writes get slower with time",
    );
  }
}

/** Starts the database and resolves when it answers. It is started again, on the same port, when it dies or hangs. */
export async function startDatabase(options: DatabaseOptions): Promise<Database> {
  const { clock, log, dataDir } = options;
  const binary = databaseBinary();
  if (binary === undefined) {
    throw new Error(
      `no database for ${process.platform}-${process.arch}: start any DynamoDB-compatible server with streams ` +
        '(e.g. DynamoDB local) and set AWS_ENDPOINT_URL_DYNAMODB to its URL',
    );
  }
  const dbPath = join(dataDir, 'dynamodb.sqlite');
  const pidFile = join(dataDir, 'database.pid');
  // One left over would hold the file.
  await endLeftOver(pidFile, dbPath, clock);

  let port = await freePort();
  let up = false;
  const child: Child = startChild({
    name: 'database',
    clock,
    log,
    file: binary,
    arguments: () => ['serve', '--host', '127.0.0.1', '--port', String(port), '--db-path', dbPath],
    env: {},
    logFile: join(dataDir, 'logs', 'database.log'),
    onStart: (pid) => writeFileSync(pidFile, String(pid)),
  });

  const deadline = clock.monotonic() + START_TIMEOUT_MS;
  while (!(await answers(databaseClient(`http://127.0.0.1:${port}`)))) {
    if (clock.monotonic() > deadline) {
      await child.stop(1_000);
      throw new Error(`the database does not answer: see ${join(dataDir, 'logs', 'database.log')}`);
    }
    // It ended before it ever answered: perhaps another process was first to take the port.
    if (child.pid === undefined) port = await freePort();
    await clock.sleep(PROBE_PAUSE_MS);
  }
  up = true;
  indexStreamRecords(dbPath, log);

  const url = `http://127.0.0.1:${port}`;
  const client = databaseClient(url);
  const watching = new AbortController();
  const watch = async () => {
    let failed = 0;
    while (!watching.signal.aborted) {
      await clock.sleep(CHECK_EVERY_MS, watching.signal);
      if (!up) return;
      failed = (await answers(client)) ? 0 : failed + 1;
      if (failed < HUNG_AFTER || child.pid === undefined) continue;
      log.error({ failed }, 'the database does not answer; it is started again');
      child.kill('SIGKILL');
      failed = 0;
    }
  };
  void watch();

  return {
    url,
    kill: (signal) => child.kill(signal),
    async stop(graceMs) {
      up = false;
      watching.abort();
      await child.stop(graceMs);
      client.destroy();
      rmSync(pidFile, { force: true });
    },
  };
}
