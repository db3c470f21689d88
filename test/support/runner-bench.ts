/** The runner program with a real database and the simulated cloud behind HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { keys } from '../../src/enclave/items/items.ts';
import { type RunItem, RunItemSchema } from '../../src/enclave/items/run.ts';
import { stateKey } from '../../src/enclave/names.ts';
import { type Cloud, createCloud } from '../../src/local/cloud/index.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';

const DYNOXIDE = fileURLToPath(new URL('../../node_modules/@dynoxide/linux-x64/dynoxide', import.meta.url));
const RUNNER = fileURLToPath(new URL('../../runner/src/main.ts', import.meta.url));
const STATE_TABLE = 'state';
const HISTORY_TABLE = 'history';
export const TASK_ARN = 'arn:aws:ecs:us-west-2:000000000000:task/cluster/0123456789abcdef';
export const EXECUTION_ARN = 'arn:aws:states:us-west-2:000000000000:execution:treza-dev-deployment:run';

/** Looks again and again until the condition holds; fails after 30 s. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const giveUpAt = Date.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > giveUpAt) throw new Error(`not seen within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket();
  socket.listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface Bench {
  readonly cloud: Cloud;
  /** The bench's own HTTP: task metadata, and ECS. */
  readonly url: string;
  /** What ECS says of tasks, by ARN; of others it knows nothing. */
  readonly tasks: Map<string, 'RUNNING' | 'STOPPED'>;
  /** Puts a run item and, unless told otherwise, the lock that names it. */
  prepare(run: Partial<RunItem> & Pick<RunItem, 'id' | 'name' | 'action'>, lockRun?: string): Promise<void>;
  item(id: string, name: string): Promise<RunItem>;
  patch(item: RunItem): Promise<void>;
  /** Starts the runner as the task of that ARN. */
  start(id: string, name: string, action: string, more?: Record<string, string>, taskArn?: string): Started;
  control(order: object): Promise<Record<string, unknown>>;
  stats(id: string): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export const spec = {
  region: 'us-west-2',
  dockerImage: 'nginx:1.27',
  instanceType: 'm6i.xlarge',
  cpuCount: 2,
  memoryMiB: 1024,
  enableDebug: false,
  workloadType: 'service',
  exposePorts: [443],
};

function describeTasks(known: ReadonlyMap<string, string>, arns: readonly string[]) {
  return {
    tasks: arns.flatMap((taskArn) => (known.has(taskArn) ? [{ taskArn, lastStatus: known.get(taskArn) }] : [])),
    failures: arns.flatMap((arn) => (known.has(arn) ? [] : [{ arn, reason: 'MISSING' }])),
  };
}

export async function startBench(speed = 200): Promise<Bench> {
  const databasePort = await freePort();
  const database = spawn(DYNOXIDE, ['--port', String(databasePort)], { stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${databasePort}`;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ region: 'us-west-2', endpoint, credentials, maxAttempts: 20 });
  for (const TableName of [STATE_TABLE, HISTORY_TABLE]) {
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }),
    );
  }
  const put = (TableName: string, item: object) =>
    client.send(new PutItemCommand({ TableName, Item: marshall(item, { removeUndefinedValues: true }) }));

  const silent = () => undefined;
  const cloud = createCloud({
    clock: systemClock,
    random: systemRandom,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    region: 'us-west-2',
    environment: 'dev',
    speed,
    async writeReport(report) {
      await put(STATE_TABLE, { ...keys.report(report.id, report.instanceId), ...report });
    },
  });
  const tasks = new Map<string, 'RUNNING' | 'STOPPED'>();
  const server: Server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
    if (url.pathname.startsWith('/v4/')) {
      const arn = decodeURIComponent(url.pathname.split('/')[2] ?? '');
      response.end(JSON.stringify({ TaskARN: arn, Cluster: 'cluster', Family: 'family' }));
      return;
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const headers = incoming.headers as Record<string, string | undefined>;
    if (headers['x-amz-target']?.endsWith('.DescribeTasks')) {
      response.setHeader('content-type', 'application/x-amz-json-1.1');
      response.end(JSON.stringify(describeTasks(tasks, JSON.parse(body).tasks)));
      return;
    }
    const taken = await cloud.handle({ method: incoming.method ?? 'GET', url, headers, body }, response);
    if (!taken) response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await cloud.start();
  const cloudUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const children = new Set<ChildProcess>();

  const call = async (path: string, body?: object) => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${cloudUrl}/_sim/${path}`, init);
    const parsed = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(parsed)}`);
    return parsed;
  };

  return {
    cloud,
    url: cloudUrl,
    tasks,
    async prepare(run, lockRun = run.name) {
      const item = {
        ...keys.run(run.id, run.name),
        v: 1,
        minReader: 1,
        reason: run.action === 'destroy' ? 'destroy' : 'create',
        generation: 1,
        requestedAt: new Date().toISOString(),
        variables: {
          region: 'us-west-2',
          environment: 'dev',
          stateKey: stateKey(run.id),
          stackVersion: 1,
          walletAddress: '0xabc',
          generation: 1,
          spec,
          pinned: {},
        },
        ...run,
      };
      await put(HISTORY_TABLE, item);
      await put(STATE_TABLE, {
        ...keys.lock(run.id),
        run: lockRun,
        state: 'claimed',
        executionArn: EXECUTION_ARN,
      });
    },
    async item(id, name) {
      const answer = await client.send(
        new GetItemCommand({ TableName: HISTORY_TABLE, Key: marshall(keys.run(id, name)), ConsistentRead: true }),
      );
      return RunItemSchema.parse(unmarshall(answer.Item ?? {}));
    },
    async patch(item) {
      await put(HISTORY_TABLE, { ...keys.run(item.id, item.name), ...item });
    },
    start(id, name, action, more = {}, taskArn = TASK_ARN) {
      const env = {
        PATH: process.env.PATH,
        AWS_REGION: 'us-west-2',
        AWS_ENDPOINT_URL_DYNAMODB: endpoint,
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'a-secret-nobody-may-see',
        GOGC: process.env.GOGC,
        STATE_TABLE,
        HISTORY_TABLE,
        ENCLAVE_ENVIRONMENT: 'dev',
        RUNNER_ENGINE: 'simulated',
        SIMULATED_CLOUD_URL: cloudUrl,
        ECS_CONTAINER_METADATA_URI_V4: `${cloudUrl}/v4/${encodeURIComponent(taskArn)}`,
        EXECUTION_ARN,
        ENCLAVE_ID: id,
        RUN: name,
        ACTION: action,
        ...more,
      };
      // Leader of a group, as a task has its own container: `kill(-pid)` ends it with all it has started.
      const child = spawn(process.execPath, [RUNNER], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
      children.add(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (chunk: string) => {
          output += chunk;
        });
      }
      const ended = once(child, 'close').then(([code, signal]) => {
        children.delete(child);
        return { code: code as number | null, signal: signal as NodeJS.Signals | null, output };
      });
      return { child, ended };
    },
    control: (order) => call('control', order),
    async stats(id) {
      const { enclaves } = (await call('control/stats')) as { enclaves: Record<string, Record<string, number>> };
      return enclaves[id] ?? {};
    },
    async close() {
      for (const { pid } of children) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      await cloud.stop();
      server.close();
      server.closeAllConnections();
      database.kill('SIGKILL');
      await once(database, 'exit');
    },
  };
}
