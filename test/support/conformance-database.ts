/** A DynamoDB endpoint for tests: the one named by the environment, or the dynoxide binary, in memory. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';

const BINARY = fileURLToPath(new URL('../../node_modules/@dynoxide/linux-x64/dynoxide', import.meta.url));
const GIVEN = process.env.TEST_AWS_ENDPOINT_URL;

/** Why there is no database here; undefined where there is one. */
export const noDatabase =
  GIVEN !== undefined || existsSync(BINARY)
    ? undefined
    : `no database for ${process.platform}-${process.arch}: set TEST_AWS_ENDPOINT_URL to a DynamoDB with streams`;

export const databaseName = GIVEN ?? 'dynoxide';

export interface TestDatabase {
  readonly url: string;
  readonly client: DynamoDBClient;
  stop(): Promise<void>;
}

/** The SDK's own environment is what configures the adapters, as in production. */
export function pointSdkAt(url: string): void {
  process.env.AWS_REGION = 'us-west-2';
  process.env.AWS_ACCESS_KEY_ID ??= 'local';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'local';
  process.env.AWS_ENDPOINT_URL_DYNAMODB = url;
  process.env.AWS_ENDPOINT_URL_DYNAMODB_STREAMS = url;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Resolves when the process says that it listens; `undefined` when it ends instead, as when the port was taken. */
async function startBinary(): Promise<{ url: string; stop(): Promise<void> } | undefined> {
  const port = await freePort();
  const child = spawn(BINARY, ['--host', '127.0.0.1', '--port', String(port)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const listens = new Promise<true>((resolve) => {
    const look = (chunk: Buffer) => void (chunk.toString().includes('listening') && resolve(true));
    child.stdout.on('data', look);
    child.stderr.on('data', look);
  });
  const up = await Promise.race([listens, ended]);
  if (up !== true) return undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      process.off('exit', killWithUs);
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export async function startTestDatabase(): Promise<TestDatabase> {
  let started: Awaited<ReturnType<typeof startBinary>>;
  for (let attempt = 0; GIVEN === undefined && started === undefined && attempt < 5; attempt++) {
    started = await startBinary();
  }
  const url = GIVEN ?? started?.url;
  if (url === undefined) throw new Error('the database binary ends at every start');
  pointSdkAt(url);
  const client = new DynamoDBClient({});
  return {
    url,
    client,
    async stop() {
      client.destroy();
      await started?.stop();
    },
  };
}
