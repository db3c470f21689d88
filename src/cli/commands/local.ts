/** `enclavectl local`: the embedded AWS and the operator, on this machine, until Ctrl-C. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMAND_STATUSES, isManaged, readRecord } from '../../enclave/record.ts';
import { type Prometheus, prometheusIsInstalled, startPrometheus } from '../../local/prometheus.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import type { Log } from '../../reconciler/ports/index.ts';
import type { Setting } from '../config.ts';
import { variableOf } from '../config-keys.ts';
import { readDocuments } from '../documents.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { type LiveTable, liveTable } from '../live-table.ts';
import { PACKAGE } from '../package.ts';
import { type Row, toRows } from '../row.ts';
import { openStore, type Store } from '../store.ts';
import { findLocalStack, type GlobalOptions, pointsElsewhere, readConfig, resolveTarget } from '../target.ts';
import { applyRecord } from './apply.ts';

const POLL_MS = 500;
const PROMETHEUS_PORT = '9090';
/** Phases an enclave stays in until something new happens, and statuses that say that something is still to happen. */
const RESTING = new Set<string | null>(['ready', 'paused', 'invalid', 'stalled', 'destroyed']);
const MOVING = new Set<string | null>([...COMMAND_STATUSES, 'DEPLOYING', 'DESTROYING']);

interface Options extends GlobalOptions {
  readonly port: string;
  readonly speed: string;
  readonly empty?: boolean;
  readonly reset?: boolean;
  /** A port, or true for the usual one. */
  readonly prometheus?: string | true;
  readonly awsEndpoint?: string;
}

export async function local(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const port = numberIn(options.port, '--port', 0, 65_535, true);
  const speed = numberIn(options.speed, '--speed', 0.01, 1_000, false);
  const awsEndpoint = options.awsEndpoint === undefined ? undefined : urlIn(options.awsEndpoint, '--aws-endpoint');
  const prometheusPort = portOfPrometheus(options.prometheus);
  // A wrong variable would only show in the operator's log: it is said here.
  const { settings } = readConfig(io, options);
  const table = liveTable(io);
  table.note('starting the database, the embedded AWS and the operator …');
  const callerEnv = { ...io.env, ...asEnvironment(settings) };
  const stack = await start(io, table, { port, speed, reset: options.reset === true, callerEnv, awsEndpoint });
  let prometheus: Prometheus | undefined;
  try {
    if (prometheusPort !== undefined) prometheus = await besides(io, table, stack, prometheusPort);
    const rows = await follow(io, table, options.empty === true);
    if (!io.signal.aborted) {
      table.leave(whatNext(io, stack, rows[0]?.id));
      await aborted(io.signal);
    }
    return EXIT.yes;
  } finally {
    table.leave(`${io.terminal ? '\r' : ''}stopping …\n`);
    await prometheus?.stop();
    await stack.stop();
  }
}

function numberIn(text: string, flag: string, min: number, max: number, whole: boolean): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new CliError(EXIT.usage, `${flag} ${text}: it takes ${kind} from ${min} to ${max}`);
}

function urlIn(text: string, flag: string): string {
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
  throw new CliError(EXIT.usage, `${flag} ${text}: it takes the URL of an AWS endpoint, as http://127.0.0.1:5000`);
}

/** File and flags, as the variables the operator's process reads; the caller's region is no wish about the local stack. */
export function asEnvironment(settings: readonly Setting[]): Record<string, string> {
  const given = settings.filter(({ source }) => source !== 'default' && source !== 'AWS_REGION');
  return Object.fromEntries(given.map(({ key, value }) => [variableOf(key), String(value)]));
}

interface StartOptions {
  readonly port: number;
  readonly speed: number;
  readonly reset: boolean;
  readonly callerEnv: Io['env'];
  readonly awsEndpoint: string | undefined;
}

function start(io: Io, table: LiveTable, options: StartOptions): Promise<Stack> {
  const dataDir = join(io.cwd, '.local');
  return startStack({ clock: io.clock, log: notes(table), dataDir, ...options }).catch((error: Error) => {
    throw new CliError(EXIT.usage, `the local stack does not start: ${error.message}`, { cause: error });
  });
}

/** Undefined where none is asked for. */
function portOfPrometheus(given: Options['prometheus']): number | undefined {
  if (given === undefined) return undefined;
  const port = numberIn(given === true ? PROMETHEUS_PORT : given, '--prometheus', 0, 65_535, true);
  if (prometheusIsInstalled()) return port;
  throw new CliError(
    EXIT.usage,
    '--prometheus: there is no program `prometheus` on the PATH; install it (Debian: apt-get install prometheus)',
  );
}

async function besides(io: Io, table: LiveTable, { endpoints }: Stack, port: number): Promise<Prometheus> {
  const prometheus = await startPrometheus({
    clock: io.clock,
    log: notes(table),
    dataDir: join(io.cwd, '.local'),
    shipped: new URL('dashboards/', PACKAGE.root),
    operator: endpoints.operator,
    port,
  }).catch((error: Error) => {
    throw new CliError(EXIT.usage, `Prometheus does not start: ${error.message}`, { cause: error });
  });
  table.note(`Prometheus: ${prometheus.url}, alerts at ${prometheus.url}/alerts`);
  return prometheus;
}

function notes(table: LiveTable): Log {
  return {
    debug: () => {},
    info: () => {},
    warn: (fields, message) => table.note(noteOf(fields, message)),
    error: (fields, message) => table.note(noteOf(fields, message)),
  };
}

/** What the supervisor says, with what a person can do about it. */
function noteOf(fields: object, message: string): string {
  const { end, restartInMs, logFile } = fields as { end?: unknown; restartInMs?: unknown; logFile?: unknown };
  const how = typeof end === 'string' ? ` (${end})` : '';
  const next = typeof restartInMs === 'number' ? `; it is started again in ${restartInMs} ms` : '';
  const where = typeof logFile === 'string' ? `; its log: ${logFile}` : '';
  return `${message}${how}${next}${where}`;
}

/** Applies the examples where there is nothing yet, and shows the enclaves until all are at rest. */
async function follow(io: Io, table: LiveTable, empty: boolean): Promise<readonly Row[]> {
  const store = openStore(resolveTarget({ ...io, err: () => {} }, { local: true }));
  try {
    if (!empty && (await store.records()).length === 0) await applyExamples(io, store, table);
    let rows: readonly Row[] = [];
    while (!io.signal.aborted) {
      const seen = await look(io, store).catch(restarting);
      if (seen !== undefined) {
        rows = seen.rows;
        if (rows.length > 0) table.show(rows);
        if (seen.atRest) return rows;
      }
      await io.clock.sleep(POLL_MS, io.signal);
    }
    return rows;
  } finally {
    store.close();
  }
}

async function applyExamples(io: Io, store: Store, table: LiveTable): Promise<void> {
  const folder = fileURLToPath(new URL('examples/', PACKAGE.root));
  for (const file of globSync('*.yaml', { cwd: folder }).sort()) {
    for (const { record, where } of await readDocuments(io, join(folder, file))) {
      if (record === undefined || typeof record.id !== 'string') throw new CliError(EXIT.no, `${where} is no record`);
      await applyRecord(io, store, { ...record, id: record.id });
    }
  }
  table.note('applied examples/*.yaml; --empty skips them');
}

/** The supervisor starts a database that died again, and says so; what else is wrong ends the stack. */
function restarting(error: unknown): undefined {
  if (!(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error;
}

async function look(io: Io, store: Store): Promise<{ rows: readonly Row[]; atRest: boolean }> {
  const [records, lifecycles] = await Promise.all([store.records(), store.lifecycles()]);
  const rows = toRows(records, lifecycles, io.clock.now());
  const others = new Set(records.filter((record) => !isManaged(readRecord(record))).map(({ id }) => id));
  const rests = ({ id, phase, status }: Row) => others.has(id) || (RESTING.has(phase) && !MOVING.has(status));
  return { rows, atRest: rows.every(rests) };
}

function whatNext(io: Io, { endpoints }: Stack, id: string | undefined): string {
  // The caller's own AWS environment would lead the commands away from here.
  const enclavectl = `npx enclavectl${pointsElsewhere(io, {}) === undefined ? '' : ' --local'}`;
  const folder = findLocalStack(io.cwd)?.folder ?? '.local';
  const tries =
    id === undefined
      ? ['apply -f examples/service.yaml', 'get -w', 'explain']
      : ['get -w', `describe ${id}`, `pause ${id}`];
  return `
health   ${endpoints.operator}/healthz and /readyz
metrics  ${endpoints.operator}/metrics
data     ${folder}, logs in ${join(folder, 'logs')}

Try, in another terminal:
${tries.map((command) => `  ${enclavectl} ${command}`).join('\n')}

Ctrl-C stops all of it; started again, it goes on where it was.
`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
