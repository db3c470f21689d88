/** EC2, SSM and the host agents in memory, on virtual time. */
import { keys } from '../../src/enclave/items/items.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../src/enclave/names.ts';
import {
  type Clock,
  type Host,
  type HostState,
  type HostStatus,
  type Hosts,
  OperatorError,
  type Posture,
  type Random,
} from '../../src/reconciler/ports/index.ts';
import type { Illness, LaunchOptions, MemoryEnclave, MemoryHost } from './memory-host.ts';
import type { MemoryTable } from './memory-table.ts';

export type { Illness, LaunchOptions, MemoryEnclave, MemoryHost } from './memory-host.ts';

/** DescribeInstances gives at most this many. */
const SWEEP_PAGE = 1_000;

export interface HostTimings {
  /** From launch or start to `running`. */
  readonly startMs: number;
  /** From `running` to the first report of a boot. */
  readonly bootMs: number;
  readonly stopMs: number;
  /** From an applied change or a restart to the report of it. */
  readonly applyMs: number;
  /** Between reports of a host on which nothing happens; 0: none. */
  readonly reportEveryMs: number;
}

export const HOST_TIMINGS: HostTimings = {
  startMs: 10_000,
  bootMs: 30_000,
  stopMs: 10_000,
  applyMs: 5_000,
  reportEveryMs: 300_000,
};

const STRENGTHS: readonly Illness['cure'][] = ['restartEnclave', 'restartAllocator', 'boot'];

const NOT_APPLICABLE = { system: 'not-applicable', instance: 'not-applicable', ebs: 'not-applicable' };
const DEFAULT_ENCLAVE: MemoryEnclave = { name: 'enclave', cpuCount: 2, memoryMiB: 1_024, debug: false };

export interface MemoryHostsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: MemoryTable;
  readonly environment: string;
  readonly timings?: Partial<HostTimings> | undefined;
  /** @default 1000 */
  readonly pageSize?: number | undefined;
}

/** What EC2 tells of a host from a time on. */
interface Shown {
  readonly fromMs: number;
  readonly state: HostState;
}

export class MemoryHosts implements Hosts {
  readonly all = new Map<string, MemoryHost>();
  /** How long EC2 goes on telling the old state after a change, ms: DescribeInstances is eventually consistent. */
  lagMs: () => number = () => 0;
  /** EC2 describes nothing, and says that this is all. */
  blind = false;
  /** Told of every change of a host's true state. */
  onState: (host: MemoryHost) => void = () => {};
  readonly #byEnclave = new Map<string, MemoryHost[]>();
  readonly #shown = new WeakMap<MemoryHost, Shown[]>();
  readonly #pageSize: number;
  readonly #timings: HostTimings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #state: MemoryTable;
  readonly #environment: string;

  constructor({ clock, random, state, environment, timings, pageSize = SWEEP_PAGE }: MemoryHostsOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#state = state;
    this.#environment = environment;
    this.#timings = { ...HOST_TIMINGS, ...timings };
    this.#pageSize = pageSize;
  }

  // What runs and tests do.

  launch(options: LaunchOptions): MemoryHost {
    const { state = 'pending' } = options;
    const host: MemoryHost = {
      instanceId: `i-${String(this.all.size + 1).padStart(17, '0')}`,
      enclaveId: options.enclaveId,
      environment: options.environment ?? this.#environment,
      region: options.region,
      launchedBy: options.launchedBy,
      state,
      launchedAt: this.#now(),
      appliedGeneration: options.generation ?? 1,
      enclave: options.enclave ?? DEFAULT_ENCLAVE,
      enclaveState: 'TERMINATED',
      ranAt: Number.NEGATIVE_INFINITY,
      bootId: '',
      sequence: 0,
      reports: options.reports ?? true,
      managed: options.reports ?? true,
      legacy: options.reports === false,
      illness: undefined,
      posture: options.posture,
      made: options.posture,
      alteredAt: this.#clock.monotonic(),
      checks: { system: 'ok', instance: 'ok', ebs: 'ok' },
      events: [],
    };
    this.all.set(host.instanceId, host);
    const siblings = this.#byEnclave.get(host.enclaveId) ?? [];
    this.#byEnclave.set(host.enclaveId, siblings);
    siblings.push(host);
    // One that runs or stands already is none that EC2 has just been asked for.
    this.#to(host, state, state === 'pending' ? 'nothing' : state);
    if (state === 'pending') this.#boot(host);
    if (state === 'running') this.#booted(host);
    return host;
  }

  /** Hosts of an enclave of this environment that are not terminated, nor on the way there. */
  living(enclaveId: string): readonly MemoryHost[] {
    const hosts = this.#byEnclave.get(enclaveId) ?? [];
    const isOver = ({ state }: MemoryHost) => state === 'terminated' || state === 'shutting-down';
    return hosts.filter((host) => host.environment === this.#environment && !isOver(host));
  }

  /** What an apply does to a host that exists: the agent takes up the new configuration. */
  apply(host: MemoryHost, generation: number, enclave: MemoryEnclave, posture?: Posture): void {
    host.posture = posture;
    host.made = posture;
    host.alteredAt = this.#clock.monotonic();
    host.appliedGeneration = generation;
    host.enclave = enclave;
    if (host.legacy) host.reports = true;
    host.legacy = false;
    const restart = () => this.#runEnclave(host, 'restartEnclave');
    if (host.state === 'running') this.#laterOn(host, this.#timings.applyMs, 'running', restart);
  }

  terminate(host: MemoryHost): void {
    this.#to(host, 'shutting-down');
    host.enclaveState = 'TERMINATED';
    this.#laterOn(host, this.#timings.stopMs, 'shutting-down', () => {
      this.#to(host, 'terminated');
    });
  }

  /** The enclave dies; the host reports it. */
  crashEnclave(host: MemoryHost): void {
    host.enclaveState = 'TERMINATED';
    this.report(host);
  }

  /** Somebody changes what EC2 shows of it. */
  alter(host: MemoryHost, changes: Partial<Posture>): void {
    host.posture = { ...host.posture, ...changes };
    host.alteredAt = this.#clock.monotonic();
  }

  /** Something is wrong with what runs on it, and it says so. */
  ail(host: MemoryHost, illness: Illness): void {
    host.illness = illness;
    this.report(host);
  }

  freezeReports(host: MemoryHost, frozen = true): void {
    host.reports = !frozen;
  }

  /** Writes what the host's agent would report now. */
  report(host: MemoryHost): void {
    if (!host.reports || host.state !== 'running') return;
    host.sequence += 1;
    const { name, cpuCount, memoryMiB, debug, measurements = {} } = host.enclave;
    const report: Report = {
      v: 1,
      minReader: 1,
      id: host.enclaveId,
      instanceId: host.instanceId,
      bootId: host.bootId,
      sequence: host.sequence,
      appliedGeneration: host.appliedGeneration,
      at: this.#now(),
      enclaves: [{ name, state: host.enclaveState, cpuCount, memoryMiB, debug }],
      health: 'none',
      completed: false,
      measurements,
      ...host.illness?.says,
    };
    this.#state.put({ ...report, ...keys.report(host.enclaveId, host.instanceId) });
  }

  // The port.

  async *sweep(region: string, signal: AbortSignal): AsyncIterable<readonly Host[]> {
    let page: Host[] = [];
    for (const host of this.all.values()) {
      const shown = this.#view(host);
      if (this.blind || host.region !== region || !this.#isOurs(shown)) continue;
      page.push(shown);
      if (page.length < this.#pageSize) continue;
      signal.throwIfAborted();
      yield page;
      page = [];
    }
    signal.throwIfAborted();
    yield page;
  }

  async find(region: string, enclaveId: string): Promise<readonly Host[]> {
    const hosts = this.#byEnclave.get(enclaveId) ?? [];
    const shown = hosts.filter((host) => host.region === region).map((host) => this.#view(host));
    return shown.filter((host) => this.#isOurs(host));
  }

  async byInstanceId(region: string, instanceId: string): Promise<Host | undefined> {
    const host = this.all.get(instanceId);
    return !this.blind && host?.region === region ? this.#view(host) : undefined;
  }

  async *status(
    region: string,
    instanceIds: readonly string[],
    signal: AbortSignal,
  ): AsyncIterable<readonly HostStatus[]> {
    for (let first = 0; first < instanceIds.length; first += this.#pageSize) {
      signal.throwIfAborted();
      yield instanceIds.slice(first, first + this.#pageSize).flatMap((instanceId) => {
        const host = this.all.get(instanceId);
        if (host?.region !== region) return [];
        const { checks, events } = host;
        return [{ instanceId, checks: host.state === 'running' ? checks : NOT_APPLICABLE, events }];
      });
    }
  }

  async start(region: string, instanceId: string): Promise<void> {
    const host = this.#existing('ec2:StartInstances', region, instanceId);
    if (host.state === 'running' || host.state === 'pending') return;
    if (host.state !== 'stopped') throw incorrectState('ec2:StartInstances', host);
    this.#to(host, 'pending');
    host.launchedAt = this.#now();
    this.#boot(host);
  }

  async stop(region: string, instanceId: string): Promise<void> {
    const host = this.#existing('ec2:StopInstances', region, instanceId);
    if (host.state === 'stopped' || host.state === 'stopping') return;
    if (host.state !== 'running') throw incorrectState('ec2:StopInstances', host);
    this.#to(host, 'stopping');
    host.enclaveState = 'TERMINATED';
    this.#laterOn(host, this.#timings.stopMs, 'stopping', () => {
      this.#to(host, 'stopped');
    });
  }

  async askToReport(region: string, instanceId: string): Promise<'asked' | 'unreachable'> {
    const host = this.all.get(instanceId);
    if (host?.region !== region || host.state !== 'running' || !host.managed) return 'unreachable';
    this.#laterOn(host, 1_000, 'running', () => this.report(host));
    return 'asked';
  }

  restartEnclave(region: string, instanceId: string): Promise<void> {
    return this.#command(region, instanceId, 'restartEnclave');
  }

  async #command(region: string, instanceId: string, cure: Illness['cure']): Promise<void> {
    const host = this.#existing('ssm:SendCommand', region, instanceId);
    if (host.state !== 'running') {
      throw new OperatorError('Transient', 'ssm:SendCommand', `host ${instanceId}: InvalidInstanceId (tried again)`);
    }
    this.#laterOn(host, this.#timings.applyMs, 'running', () => this.#runEnclave(host, cure));
  }

  restartAllocator(region: string, instanceId: string): Promise<void> {
    return this.#command(region, instanceId, 'restartAllocator');
  }

  #existing(operation: string, region: string, instanceId: string): MemoryHost {
    const host = this.all.get(instanceId);
    if (host?.region === region && host.state !== 'terminated') return host;
    throw new OperatorError('Conflict', operation, `host ${instanceId}: InvalidInstanceID.NotFound (read again)`);
  }

  #boot(host: MemoryHost): void {
    this.#laterOn(host, this.#timings.startMs, 'pending', () => {
      this.#to(host, 'running');
      this.#laterOn(host, this.#timings.bootMs, 'running', () => this.#booted(host));
    });
  }

  #booted(host: MemoryHost): void {
    const bootId = this.#random.id(12);
    host.bootId = bootId;
    host.sequence = 0;
    this.#runEnclave(host, 'boot');
    const every = this.#timings.reportEveryMs;
    if (every === 0) return;
    const tick = () => {
      if (host.bootId !== bootId || host.state !== 'running') return;
      this.report(host);
      this.#clock.schedule(every, tick);
    };
    this.#clock.schedule(every, tick);
  }

  #runEnclave(host: MemoryHost, by: Illness['cure']): void {
    const { cure } = host.illness ?? {};
    if (cure !== undefined && STRENGTHS.indexOf(by) >= STRENGTHS.indexOf(cure)) host.illness = undefined;
    host.enclaveState = 'RUNNING';
    host.ranAt = this.#clock.monotonic();
    this.report(host);
  }

  /** Acts unless the host has left `state` meanwhile, or has left it and come back (another boot). */
  #laterOn(host: MemoryHost, delayMs: number, state: HostState, act: () => void): void {
    const { bootId, launchedAt } = host;
    this.#clock.schedule(delayMs, () => {
      if (host.state === state && host.bootId === bootId && host.launchedAt === launchedAt) act();
    });
  }

  /** `before` is what EC2 tells until it tells the change; nothing of a host that is launched. */
  #to(host: MemoryHost, state: HostState, before: HostState | 'nothing' = host.state): void {
    (host as { state: HostState }).state = state;
    const lagMs = this.lagMs();
    const shown = this.#shown.get(host) ?? (before === 'nothing' ? [] : [{ fromMs: 0, state: before }]);
    // What is shown never goes back in time: a change is not told before an earlier one.
    const fromMs = Math.max(this.#clock.monotonic() + lagMs, shown.at(-1)?.fromMs ?? 0);
    if (lagMs > 0 || this.#shown.has(host)) this.#shown.set(host, [...shown, { fromMs, state }]);
    this.onState(host);
  }

  /** The host as EC2 tells it; undefined: EC2 does not know it yet. */
  #view(host: MemoryHost): Host | undefined {
    const { instanceId, launchedAt, posture } = host;
    // By its tags it is found; where none are shown, by what it was launched with.
    const enclaveId = posture?.tags === undefined ? host.enclaveId : (posture.tags[TAG_ENCLAVE_ID] ?? '');
    const environment = posture?.tags === undefined ? host.environment : (posture.tags[TAG_ENVIRONMENT] ?? '');
    const now = this.#clock.monotonic();
    const shown = this.#shown.get(host);
    const state = shown === undefined ? host.state : shown.findLast(({ fromMs }) => fromMs <= now)?.state;
    return state === undefined ? undefined : { instanceId, enclaveId, environment, state, launchedAt, posture };
  }

  #isOurs(host: Host | undefined): host is Host {
    const isTagged = host !== undefined && host.enclaveId !== '' && host.environment === this.#environment;
    return isTagged && host.state !== 'terminated';
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

function incorrectState(operation: string, host: MemoryHost): OperatorError {
  return new OperatorError('Conflict', operation, `host ${host.instanceId} is ${host.state}: IncorrectInstanceState`);
}
