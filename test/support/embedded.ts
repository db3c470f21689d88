/** The whole embedded stack in a temporary folder, for integration and end-to-end tests. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { SFNClient } from '@aws-sdk/client-sfn';
import { onTestFailed } from 'vitest';
import type { Endpoints } from '../../src/local/data-dir.ts';
import { type Stack, type StackOptions, startStack } from '../../src/local/stack.ts';
import type { Log } from '../../src/reconciler/ports/index.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';

export interface EmbeddedOptions extends Partial<Omit<StackOptions, 'clock' | 'log' | 'callerEnv'>> {
  /** @default 0: any free port */
  readonly port?: number;
}

export interface Embedded {
  readonly dataDir: string;
  readonly endpoints: Endpoints;
  readonly env: Readonly<Record<string, string>>;
  readonly dynamodb: DynamoDBClient;
  readonly sfn: SFNClient;
  readonly ecs: ECSClient;
  readonly stack: Stack;
  /** `POST /_sim/control {op, …}`: the answer, as JSON. */
  sim(op: string, body?: object): Promise<unknown>;
  /** `GET /_sim/control/stats`. */
  stats(): Promise<unknown>;
  /** Ends the operator; it is not started again before `startOperator`. Resolves when it is gone. */
  killOperator(signal?: NodeJS.Signals): Promise<void>;
  startOperator(extraEnv?: Readonly<Record<string, string>>): Promise<void>;
  /** The last lines of every log of the stack, operator, AWS and tasks alike. */
  logs(linesEach?: number): string;
  /** Stops all, then starts it again in the same folder. Clients and endpoints are new. */
  restart(): Promise<Embedded>;
  /** Stops all and removes the folder. */
  stop(): Promise<void>;
}

const OPERATOR_GRACE_MS = 20_000;

function tails(folder: string, linesEach: number): string {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return files
    .map(({ name }) => {
      const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').slice(-linesEach);
      return `--- ${name}\n${lines.join('\n')}`;
    })
    .join('\n');
}

async function json(url: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  const body = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${body}`);
  return body === '' ? undefined : JSON.parse(body);
}

/** Polls until the probe gives a value that is neither undefined nor false; says what it waited for if it never does. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
  everyMs = 20,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`${timeoutMs} ms passed without: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Starts the stack. Where a test that used it fails, the ends of its logs are printed. */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'enclave-embedded-'));
  const supervisor: string[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    supervisor.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const logs = (linesEach = 60) =>
    `--- supervisor\n${supervisor.join('\n')}\n${tails(join(dataDir, 'logs'), linesEach)}`;

  const callerEnv = { PATH: process.env.PATH, GOGC: process.env.GOGC };
  let stack: Stack;
  try {
    stack = await startStack({ port: 0, speed: 100, ...options, dataDir, log, clock: systemClock, callerEnv });
  } catch (error) {
    if (error instanceof Error) error.cause ??= logs();
    throw error;
  }
  const { endpoints, env, operator } = stack;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const { region } = endpoints;
  const dynamodb = new DynamoDBClient({ region, credentials, endpoint: endpoints.dynamodb });
  const sfn = new SFNClient({ region, credentials, endpoint: endpoints.aws });
  const ecs = new ECSClient({ region, credentials, endpoint: endpoints.aws });
  const halt = async () => {
    for (const client of [dynamodb, sfn, ecs]) client.destroy();
    await stack.stop();
  };

  return {
    dataDir,
    endpoints,
    env,
    dynamodb,
    sfn,
    ecs,
    stack,
    sim: (op, body = {}) =>
      json(`${endpoints.aws}/_sim/control`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ op, ...body }),
      }),
    stats: () => json(`${endpoints.aws}/_sim/control/stats`),
    killOperator: (signal = 'SIGKILL') => operator.stop(OPERATOR_GRACE_MS, signal),
    startOperator: (extraEnv = {}) => operator.start({ ...options.operatorEnv, ...extraEnv }),
    logs,
    async restart() {
      await halt();
      return startEmbedded({ ...options, dataDir, reset: false });
    },
    async stop() {
      await halt();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** In a test: prints the stack's logs if the test fails. */
export function printLogsOnFailure(embedded: Embedded): void {
  onTestFailed(() => console.error(embedded.logs()));
}
