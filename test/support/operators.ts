/** Operators as processes of their own, each with its own taps, over one embedded stack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { HealthView } from '../../src/reconciler/health/health.ts';
import { FAST, SHORT_LEASE } from './app.ts';
import { type Embedded, eventually } from './embedded.ts';
import { startTap, type Tap } from './tap.ts';

const PROGRAM = join(import.meta.dirname, '../../src/cli/main.ts');

export interface OperatorUnderTest {
  readonly name: string;
  readonly database: Tap;
  /** Targets of all calls to the database so far, e.g. `DynamoDBStreams_20120810.GetRecords`. */
  readonly calls: readonly string[];
  readonly output: () => string;
  ready(): Promise<{ readonly status: number; readonly view: HealthView }>;
  role(): Promise<HealthView['role'] | undefined>;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal; resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

/** Starts one and resolves when it serves health. */
export async function spawnOperator(name: string, embedded: Embedded): Promise<OperatorUnderTest> {
  const database = await startTap(embedded.endpoints.dynamodb);
  const calls: string[] = [];
  database.seen = (call) => calls.push(call.target);
  let output = '';
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, 'operator', 'run'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      ...embedded.env,
      ...FAST,
      ...SHORT_LEASE,
      AWS_ENDPOINT_URL_DYNAMODB: database.url,
      AWS_ENDPOINT_URL_DYNAMODB_STREAMS: database.url,
      ENCLAVE_OPERATOR_HTTP_HOST: '127.0.0.1',
      ENCLAVE_OPERATOR_HTTP_PORT: '0',
    },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const gone = once(child, 'exit');
  const port = await eventually(`operator ${name} started`, () => {
    if (child.exitCode !== null) throw new Error(`operator ${name} ended: ${output}`);
    return /"port":(\d+)/.exec(output)?.[1];
  });
  const ready = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, view: (await response.json()) as HealthView };
  };
  const operator: OperatorUnderTest = {
    name,
    database,
    calls,
    output: () => output,
    ready,
    role: () =>
      ready().then(
        ({ view }) => view.role,
        () => undefined,
      ),
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      child.kill(signal);
      await gone;
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) await operator.end('SIGKILL');
      await database.close();
    },
  };
  return operator;
}
