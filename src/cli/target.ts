/** Which tables a command talks to: flags, environment, or the local stack while it runs. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Endpoints, EndpointsSchema } from '../local/data-dir.ts';
import type { Config } from '../reconciler/config.ts';
import { formatProblems, loadConfig, type Setting } from './config.ts';
import { type ConfigKey, VARIABLE_PREFIX } from './config-keys.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';

/** Flags every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly local?: boolean;
  readonly endpoint?: string;
  readonly region?: string;
  readonly environment?: string;
  readonly prefix?: string;
  readonly enclavesTable?: string;
  readonly stateTable?: string;
  readonly historyTable?: string;
}
const CONFIG_FLAGS = ['region', 'environment', 'prefix', 'enclavesTable', 'stateTable', 'historyTable'] as const;

export interface LocalStack {
  /** The folder that holds `endpoint.json` and `logs/`. */
  readonly folder: string;
  readonly endpoint: Endpoints;
}

export interface Target {
  readonly config: Config;
  /** DynamoDB's address; undefined: the SDK's own rules (environment, profile, the region's public one). */
  readonly endpoint: string | undefined;
  /** Set where the local stack is used. */
  readonly local: LocalStack | undefined;
}

/** Reads the configuration, or ends with every problem of it at once. */
export function readConfig(io: Io, options: GlobalOptions): { config: Config; settings: readonly Setting[] } {
  let file: { name: string; text: string } | undefined;
  if (options.config !== undefined) {
    try {
      file = { name: options.config, text: readFileSync(resolve(io.cwd, options.config), 'utf8') };
    } catch (error) {
      throw new CliError(EXIT.usage, `cannot read the configuration ${options.config}: ${(error as Error).message}`);
    }
  }
  const flags: Partial<Record<ConfigKey, string | undefined>> = {};
  for (const flag of CONFIG_FLAGS) flags[flag] = options[flag];
  const loaded = loadConfig({ env: io.env, file, flags });
  if (!loaded.ok) throw new CliError(EXIT.usage, `the configuration is wrong:\n${formatProblems(loaded.problems)}`);
  return loaded;
}

/** Decides where a command goes, and says so on stderr where it goes to the local stack. */
export function resolveTarget(io: Io, options: GlobalOptions): Target {
  const elsewhere = pointsElsewhere(io, options);
  const local = options.local === true || elsewhere === undefined ? findLocalStack(io.cwd) : undefined;
  if (local !== undefined) {
    const { endpoint } = local;
    io.err(`using the local stack (process ${endpoint.pid}, ${endpoint.dynamodb})\n`);
    const { region, environment, prefix, enclavesTable, stateTable, historyTable, cluster } = endpoint;
    const loaded = loadConfig({
      env: {},
      flags: { region, environment, prefix, enclavesTable, stateTable, historyTable, cluster },
    });
    if (!loaded.ok)
      throw new CliError(EXIT.usage, `.local/endpoint.json is wrong:\n${formatProblems(loaded.problems)}`);
    return { config: loaded.config, endpoint: endpoint.dynamodb, local };
  }
  if (options.local === true) {
    throw new CliError(EXIT.unreachable, 'no local stack is running here: start it with `npm start`');
  }
  if (options.endpoint !== undefined && !URL.canParse(options.endpoint)) {
    throw new CliError(EXIT.usage, `--endpoint ${options.endpoint} is not a URL; for example http://127.0.0.1:8000`);
  }
  const { config } = readConfig(io, options);
  const endpoint = options.endpoint ?? io.env.AWS_ENDPOINT_URL_DYNAMODB ?? io.env.AWS_ENDPOINT_URL;
  return { config, endpoint: endpoint === '' ? undefined : endpoint, local: undefined };
}

/** The flag or variable that says where to go; undefined where nothing does, so that the local stack is meant. */
export function pointsElsewhere(io: Pick<Io, 'env'>, options: GlobalOptions): string | undefined {
  for (const flag of ['config', 'endpoint', ...CONFIG_FLAGS] as const) {
    if (options[flag] !== undefined) return `--${flag}`;
  }
  const names = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'AWS_ACCESS_KEY_ID'];
  return Object.keys(io.env).find(
    (name) =>
      io.env[name] && (names.includes(name) || name.startsWith('AWS_ENDPOINT_URL') || name.startsWith(VARIABLE_PREFIX)),
  );
}

/** The stack whose `.local/endpoint.json` (written when all is up, removed at the end) lies here or in a folder above, while its process lives. */
export function findLocalStack(cwd: string): LocalStack | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const endpoint = readEndpoint(join(folder, '.local', 'endpoint.json'));
    if (endpoint !== undefined && isAlive(endpoint.pid)) return { folder: join(folder, '.local'), endpoint };
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether the stack's process still lives; its database can be away for a moment all the same. */
export function isRunning(stack: LocalStack): boolean {
  return isAlive(stack.endpoint.pid);
}

function readEndpoint(path: string): Endpoints | undefined {
  try {
    return EndpointsSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
