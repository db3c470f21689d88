/** The supervisor: database, embedded AWS and operator, started in order and stopped in reverse. */
import { resolve } from 'node:path';
import { ConfigSchema } from '../reconciler/config.ts';
import type { Clock, Log } from '../reconciler/ports/index.ts';
import { ACCOUNT_ID, type AwsConfigInput, clientEnvironment } from './aws-config.ts';
import { type Child, startChild } from './child.ts';
import { type Endpoints, takeDataDir } from './data-dir.ts';
import { databaseClient, startDatabase } from './database.ts';
import { AWS_PROGRAM, guarded } from './engine/programs.ts';
import { type OperatorProcess, operatorProcess } from './operator-process.ts';
import { ensurePlatform } from './platform.ts';
import { createTables } from './tables.ts';

export interface StackOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** All state, and the logs. Usually `.local`. */
  readonly dataDir: string;
  /** Of the operator's health and metrics; 0: any free one. */
  readonly port: number;
  /** Begins with an empty folder. */
  readonly reset?: boolean;
  /**
   * Divides the simulated cloud's delays.
   * @default 1
   */
  readonly speed?: number;
  /** Runs use real Terraform against this AWS endpoint, instead of the simulated cloud. */
  readonly awsEndpoint?: string | undefined;
  /** @default true */
  readonly withOperator?: boolean;
  /** Over the caller's `ENCLAVE_OPERATOR_*`. */
  readonly operatorEnv?: Readonly<Record<string, string>>;
  /** Of the embedded AWS: deadlines and the program of tasks, for tests. */
  readonly aws?: Partial<AwsConfigInput>;
  /** @default `process.env` */
  readonly callerEnv?: Readonly<Record<string, string | undefined>>;
}

export interface Stack {
  readonly endpoints: Endpoints;
  /** What a program needs to talk to this stack as to AWS. */
  readonly env: Readonly<Record<string, string>>;
  readonly operator: OperatorProcess;
  /** A signal to one of the other processes, as an outsider would send it; it is started again. */
  kill(which: 'database' | 'aws', signal: NodeJS.Signals): void;
  /** Operator, embedded AWS, database: each is asked first, and killed after a bounded wait. */
  stop(): Promise<void>;
}

const OPERATOR_GRACE_MS = 10_000;
const AWS_GRACE_MS = 15_000;
const DATABASE_GRACE_MS = 5_000;
const AWS_START_TIMEOUT_MS = 20_000;

/** The operator's keys that name things, which the stack must name alike. */
const NAMES = ['environment', 'prefix', 'region', 'enclavesTable', 'stateTable', 'historyTable', 'cluster'] as const;
type Names = Readonly<Record<(typeof NAMES)[number], string>>;

/** The simulated cloud acts within seconds and costs nothing to ask: a laptop's operator looks more often. */
const LOCAL_PACE = {
  observeMs: '1000',
  sweepMs: '5000',
  feedIdleMaxMs: '500',
  runBackstopMs: '10000',
  settleMs: '10000',
  runInstancesPerSecond: '0',
  awsBudgetShare: '0',
} as const;

function variableOf(key: string): string {
  return `ENCLAVE_OPERATOR_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The local pace, except for what the caller has set. */
function paceUnless(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const pace = Object.entries(LOCAL_PACE).map(([key, value]) => [variableOf(key), value] as const);
  return Object.fromEntries(pace.filter(([name]) => env[name] === undefined));
}

function namesFrom(env: Readonly<Record<string, string | undefined>>): Names {
  const given = Object.fromEntries(NAMES.map((key) => [key, env[variableOf(key)]]));
  const config = ConfigSchema.parse(given);
  return {
    environment: config.environment,
    prefix: config.prefix,
    region: config.region,
    enclavesTable: config.enclavesTable,
    stateTable: config.stateTable,
    historyTable: config.historyTable,
    cluster: config.cluster,
  };
}

/** Of the caller's environment, what Terraform needs besides endpoints and credentials. */
const TERRAFORM_NEEDS = ['PATH', 'HOME', 'TMPDIR', 'TF_CLI_CONFIG_FILE', 'TF_PLUGIN_MIRROR', 'GOGC', 'GOMEMLIMIT'];

/** What the tasks' environment holds where they run real Terraform. */
async function terraformTasks(
  endpoint: string,
  names: Names,
  callerEnv: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const facts = await ensurePlatform({ endpoint, ...names });
  const inherited = TERRAFORM_NEEDS.flatMap((name) => {
    const value = callerEnv[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), PLATFORM_FACTS: JSON.stringify(facts) };
}

interface Started {
  readonly url: string;
  readonly child: Child;
}

/** Starts the embedded AWS and resolves when it listens. Started again, it listens on the same port. */
async function startAws(options: StackOptions, config: AwsConfigInput): Promise<Started> {
  const listening = Promise.withResolvers<string>();
  let { port } = config;
  const child = startChild({
    name: 'aws',
    clock: options.clock,
    log: options.log,
    file: process.execPath,
    arguments: () => guarded(AWS_PROGRAM, JSON.stringify({ ...config, port })),
    env: { PATH: process.env.PATH ?? '' },
    logFile: resolve(options.dataDir, 'logs', 'aws.log'),
    onLine(line) {
      const { url } = JSON.parse(line);
      port = Number(new URL(url).port);
      listening.resolve(url);
    },
  });
  const cancel = options.clock.schedule(AWS_START_TIMEOUT_MS, () =>
    listening.reject(new Error(`the embedded AWS does not start: see ${resolve(options.dataDir, 'logs', 'aws.log')}`)),
  );
  try {
    return { url: await listening.promise, child };
  } catch (error) {
    await child.stop(AWS_GRACE_MS);
    throw error;
  } finally {
    cancel();
  }
}

/**
 * Starts everything and resolves when it is healthy.
 *
 * Guarantees: one stack a folder; a process that dies is started again; none outlives the supervisor (the database is
 * ended at the next start where the supervisor was killed). Errors: one line that names the fix.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { clock, log } = options;
  const callerEnv = options.callerEnv ?? process.env;
  const names = namesFrom({ ...callerEnv, ...options.operatorEnv });
  const dataDir = resolve(options.dataDir);
  const folder = takeDataDir(dataDir);
  const stops: (() => Promise<void> | void)[] = [() => folder.release()];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };

  try {
    if (options.reset) folder.reset();
    const given = callerEnv.AWS_ENDPOINT_URL_DYNAMODB;
    const database = given ? undefined : await startDatabase({ clock, log, dataDir });
    if (database) stops.push(() => database.stop(DATABASE_GRACE_MS));
    const dynamodb = database?.url ?? given ?? '';
    const client = databaseClient(dynamodb, names.region);
    await createTables(client, names);
    client.destroy();

    const terraform =
      options.awsEndpoint === undefined ? {} : await terraformTasks(options.awsEndpoint, names, callerEnv);
    const config = {
      ...{ dataDir, port: 0, ...names, dynamodb, speed: options.speed ?? 1 },
      ...options.aws,
      awsEndpoint: options.awsEndpoint,
      taskEnvironment: { ...terraform, ...options.aws?.taskEnvironment },
    };
    const aws = await startAws(options, config);
    stops.push(() => aws.child.stop(AWS_GRACE_MS));

    const env = {
      ...clientEnvironment(config, aws.url),
      ...paceUnless(callerEnv),
      ...Object.fromEntries(NAMES.map((key) => [variableOf(key), names[key]])),
      ENCLAVE_OPERATOR_ACCOUNT_ID: ACCOUNT_ID,
    };
    const operator = operatorProcess({ clock, log, dataDir, port: options.port, callerEnv, env });
    stops.push(() => operator.stop(OPERATOR_GRACE_MS));
    if (options.withOperator !== false) await operator.start(options.operatorEnv ?? {});

    const endpoints = { pid: process.pid, aws: aws.url, dynamodb, operator: operator.url, ...names };
    folder.announce(endpoints);
    return {
      endpoints,
      env,
      operator,
      kill: (which, signal) => (which === 'aws' ? aws.child.kill(signal) : database?.kill(signal)),
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}
