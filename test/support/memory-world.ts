/** A whole AWS in memory, on virtual time, as the reconciler's ports see it. */
import { keys, type Request } from '../../src/enclave/items/items.ts';
import type { Clock, Log, Ports, Random, RawRecord } from '../../src/reconciler/ports/index.ts';
import { Faults } from './memory-faults.ts';
import { memoryFleetRuns } from './memory-fleet-runs.ts';
import { type HostTimings, MemoryHosts } from './memory-hosts.ts';
import { MemoryInspector } from './memory-inspector.ts';
import { MemoryRuns, type RunTimings } from './memory-runs.ts';
import { memoryHistory, memoryLeases, memoryRecords, memoryState } from './memory-stores.ts';
import { MemorySurroundings } from './memory-surroundings.ts';
import { MemoryTable } from './memory-table.ts';

/** Lines of a severity a test may want to look at. */
export interface MemoryLog extends Log {
  readonly lines: { readonly level: 'warn' | 'error'; readonly fields: object; readonly message: string }[];
}

export function memoryLog(): MemoryLog {
  const lines: MemoryLog['lines'] = [];
  const keep = (level: 'warn' | 'error') => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: () => {}, info: () => {}, warn: keep('warn'), error: keep('error') };
}

/** One operator's way to the world. A test that kills an operator connects another. */
export interface Connection {
  readonly ports: Ports;
  readonly log: MemoryLog;
  readonly faults: Faults;
  /** As SIGKILL: nothing of this connection is answered any more, and its timers never fire. The world goes on. */
  kill(): void;
}

/** Methods of those ports that are objects with more to them than their port. */
export const PORT_METHODS = {
  workflows: ['start', 'startFleetRun', 'running', 'describe', 'tasks', 'abort'],
  hosts: [
    'sweep',
    'find',
    'byInstanceId',
    'status',
    'start',
    'stop',
    'askToReport',
    'restartEnclave',
    'restartAllocator',
  ],
  surroundings: ['groups', 'volumes', 'logGroups', 'agents', 'roles', 'attestations', 'key'],
  inspector: ['instanceAttributes', 'rootVolume', 'agentOnline', 'rules', 'logGroup', 'role'],
  stream: ['describeTable', 'shards', 'iterator', 'page'],
} as const;

export interface MemoryWorld extends Connection {
  /** The ports with nothing around them: a call has its effect before it returns its promise. */
  readonly bare: Omit<Ports, 'clock' | 'random' | 'log'>;
  readonly tables: { readonly records: MemoryTable; readonly state: MemoryTable; readonly history: MemoryTable };
  readonly hosts: MemoryHosts;
  readonly surroundings: MemorySurroundings;
  readonly inspector: MemoryInspector;
  readonly runs: MemoryRuns;
  connect(): Connection;
  /** Writes as the application does: unconditionally, the whole item. */
  putRecord(record: RawRecord): void;
  /** Merges attributes into a record, as the application's updates do; creates it where it is gone, as they do. */
  updateRecord(id: string, attributes: Readonly<Record<string, unknown>>): void;
  deleteRecord(id: string): void;
  record(id: string): RawRecord | undefined;
  /** As enclavectl does. */
  putRequest(id: string, verb: string): Request;
}

export interface MemoryWorldOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** @default 'dev' */
  readonly environment?: string;
  /** @default 90 */
  readonly historyDays?: number;
  readonly runTimings?: Partial<RunTimings>;
  readonly hostTimings?: Partial<HostTimings>;
  /** Hosts a page of a sweep. @default 1000 */
  readonly sweepPageSize?: number;
}

/** The clock of a process that may be killed: its timers die with it. */
function mortal(clock: Clock, faults: Faults): Clock {
  const schedule: Clock['schedule'] = (delayMs, callback) =>
    clock.schedule(delayMs, () => {
      if (!faults.killed) callback();
    });
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    schedule,
    sleep: async (delayMs, signal) => {
      await clock.sleep(delayMs, signal);
      if (faults.killed) await new Promise<never>(() => {});
    },
  };
}

export function createMemoryWorld(options: MemoryWorldOptions): MemoryWorld {
  const { clock, random, environment = 'dev', historyDays = 90 } = options;
  const records = new MemoryTable('enclaves', ['id']);
  const state = new MemoryTable('state', ['pk', 'sk']);
  const history = new MemoryTable('history', ['pk', 'sk']);
  const hosts = new MemoryHosts({
    clock,
    random,
    state,
    environment,
    timings: options.hostTimings,
    pageSize: options.sweepPageSize,
  });
  const surroundings = new MemorySurroundings(hosts, options.sweepPageSize);
  const inspector = new MemoryInspector(hosts, surroundings);
  const runs = new MemoryRuns({ clock, state, history, hosts, surroundings, timings: options.runTimings });
  const expiresAt = () => Math.floor(clock.now() / 1_000) + historyDays * 24 * 60 * 60;

  const bare: MemoryWorld['bare'] = {
    records: memoryRecords(records),
    state: memoryState(state, history, expiresAt),
    leases: memoryLeases(state),
    history: memoryHistory(history, expiresAt),
    fleetRuns: memoryFleetRuns(state, history, expiresAt),
    workflows: runs,
    tasks: runs.ecs,
    hosts,
    surroundings,
    inspector,
    streams: { records: records.stream, state: state.stream, history: history.stream },
  };

  const connect = (): Connection => {
    const faults = new Faults();
    const log = memoryLog();
    const ports: Ports = {
      clock: mortal(clock, faults),
      random,
      log,
      records: faults.around('records', bare.records),
      state: faults.around('state', bare.state),
      leases: faults.around('leases', bare.leases),
      history: faults.around('history', bare.history),
      fleetRuns: faults.around('fleetRuns', bare.fleetRuns),
      workflows: faults.around('workflows', runs, PORT_METHODS.workflows),
      tasks: faults.around('tasks', bare.tasks),
      hosts: faults.around('hosts', hosts, PORT_METHODS.hosts),
      surroundings: faults.around('surroundings', surroundings, PORT_METHODS.surroundings),
      inspector: faults.around('inspector', inspector, PORT_METHODS.inspector),
      streams: {
        records: faults.around('streams.records', records.stream, PORT_METHODS.stream),
        state: faults.around('streams.state', state.stream, PORT_METHODS.stream),
        history: faults.around('streams.history', history.stream, PORT_METHODS.stream),
      },
    };
    return { ports, log, faults, kill: () => faults.kill() };
  };

  return {
    ...connect(),
    bare,
    tables: { records, state, history },
    hosts,
    surroundings,
    inspector,
    runs,
    connect,
    putRecord: (record) => records.put(record),
    updateRecord: (id, attributes) => records.put({ ...records.get(id), ...attributes, id }),
    deleteRecord: (id) => records.delete(id),
    record: (id) => records.get(id) as RawRecord | undefined,
    putRequest: (id, verb) => {
      const at = new Date(clock.now()).toISOString();
      const request: Request = { v: 1, minReader: 1, id, key: `${at}-${random.id(6)}`, verb, actor: 'test', at };
      state.put({ ...request, ...keys.request(id, request.key) });
      return request;
    },
  };
}
