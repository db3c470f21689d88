/** EC2, SSM and the host agents in memory, on virtual time. */
import { keys, type Report } from '../../src/enclave/items.ts';
import {
  type Clock,
  type Host,
  type HostState,
  type Hosts,
  OperatorError,
  type Random,
} from '../../src/reconciler/ports.ts';
import type { MemoryTable } from './memory-table.ts';

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

export interface MemoryEnclave {
  readonly name: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly debug: boolean;
}

export interface MemoryHost {
  readonly instanceId: string;
  readonly enclaveId: string;
  readonly environment: string;
  readonly region: string;
  state: HostState;
  launchedAt: string;
  appliedGeneration: number;
  enclave: MemoryEnclave;
  /** As nitro-cli names it. */
  enclaveState: 'RUNNING' | 'TERMINATED';
  bootId: string;
  sequence: number;
  /** False: the agent is frozen, the host works on. */
  reports: boolean;
}

export interface LaunchOptions {
  readonly enclaveId: string;
  readonly region: string;
  readonly environment?: string;
  readonly generation?: number;
  readonly enclave?: MemoryEnclave;
  /** Default `pending`, which boots; `running` is there at once and reports at once; `stopped` stays so. */
  readonly state?: 'pending' | 'running' | 'stopped';
  /** A host made by the incumbent has no agent. */
  readonly reports?: boolean;
}

const DEFAULT_ENCLAVE: MemoryEnclave = { name: 'enclave', cpuCount: 2, memoryMiB: 1_024, debug: false };

export interface MemoryHostsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: MemoryTable;
  readonly environment: string;
  readonly timings?: Partial<HostTimings> | undefined;
}

export class MemoryHosts implements Hosts {
  readonly all = new Map<string, MemoryHost>();
  readonly #byEnclave = new Map<string, MemoryHost[]>();
  readonly #timings: HostTimings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #state: MemoryTable;
  readonly #environment: string;

  constructor({ clock, random, state, environment, timings }: MemoryHostsOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#state = state;
    this.#environment = environment;
    this.#timings = { ...HOST_TIMINGS, ...timings };
  }

  // What runs and tests do.

  launch(options: LaunchOptions): MemoryHost {
    const { state = 'pending' } = options;
    const host: MemoryHost = {
      instanceId: `i-${String(this.all.size + 1).padStart(17, '0')}`,
      enclaveId: options.enclaveId,
      environment: options.environment ?? this.#environment,
      region: options.region,
      state,
      launchedAt: this.#now(),
      appliedGeneration: options.generation ?? 1,
      enclave: options.enclave ?? DEFAULT_ENCLAVE,
      enclaveState: 'TERMINATED',
      bootId: '',
      sequence: 0,
      reports: options.reports ?? true,
    };
    this.all.set(host.instanceId, host);
    const siblings = this.#byEnclave.get(host.enclaveId) ?? [];
    this.#byEnclave.set(host.enclaveId, siblings);
    siblings.push(host);
    if (state === 'pending') this.#boot(host);
    if (state === 'running') this.#booted(host);
    return host;
  }

  /** Hosts of an enclave that are not terminated, nor on the way there. */
  living(enclaveId: string): readonly MemoryHost[] {
    const hosts = this.#byEnclave.get(enclaveId) ?? [];
    return hosts.filter((host) => host.state !== 'terminated' && host.state !== 'shutting-down');
  }

  /** What an apply does to a host that exists: the agent takes up the new configuration. */
  apply(host: MemoryHost, generation: number, enclave: MemoryEnclave): void {
    host.appliedGeneration = generation;
    host.enclave = enclave;
    if (host.state === 'running') this.#laterOn(host, this.#timings.applyMs, 'running', () => this.#runEnclave(host));
  }

  terminate(host: MemoryHost): void {
    host.state = 'shutting-down';
    host.enclaveState = 'TERMINATED';
    this.#laterOn(host, this.#timings.stopMs, 'shutting-down', () => {
      host.state = 'terminated';
    });
  }

  /** The enclave dies; the host reports it. */
  crashEnclave(host: MemoryHost): void {
    host.enclaveState = 'TERMINATED';
    this.report(host);
  }

  freezeReports(host: MemoryHost, frozen = true): void {
    host.reports = !frozen;
  }

  /** Writes what the host's agent would report now. */
  report(host: MemoryHost): void {
    if (!host.reports || host.state !== 'running') return;
    host.sequence += 1;
    const { name, cpuCount, memoryMiB, debug } = host.enclave;
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
      measurements: {},
    };
    this.#state.put({ ...report, ...keys.report(host.enclaveId, host.instanceId) });
  }

  // The port.

  async *sweep(region: string, signal: AbortSignal): AsyncIterable<readonly Host[]> {
    let page: Host[] = [];
    for (const host of this.all.values()) {
      if (host.region !== region || !this.#isOurs(host)) continue;
      page.push(view(host));
      if (page.length < SWEEP_PAGE) continue;
      signal.throwIfAborted();
      yield page;
      page = [];
    }
    signal.throwIfAborted();
    yield page;
  }

  async find(region: string, enclaveId: string): Promise<readonly Host[]> {
    const hosts = this.#byEnclave.get(enclaveId) ?? [];
    return hosts.filter((host) => host.region === region && this.#isOurs(host)).map(view);
  }

  async byInstanceId(region: string, instanceId: string): Promise<Host | undefined> {
    const host = this.all.get(instanceId);
    return host?.region === region ? view(host) : undefined;
  }

  async start(region: string, instanceId: string): Promise<void> {
    const host = this.#existing('ec2:StartInstances', region, instanceId);
    if (host.state === 'running' || host.state === 'pending') return;
    if (host.state !== 'stopped') throw incorrectState('ec2:StartInstances', host);
    host.state = 'pending';
    host.launchedAt = this.#now();
    this.#boot(host);
  }

  async stop(region: string, instanceId: string): Promise<void> {
    const host = this.#existing('ec2:StopInstances', region, instanceId);
    if (host.state === 'stopped' || host.state === 'stopping') return;
    if (host.state !== 'running') throw incorrectState('ec2:StopInstances', host);
    host.state = 'stopping';
    host.enclaveState = 'TERMINATED';
    this.#laterOn(host, this.#timings.stopMs, 'stopping', () => {
      host.state = 'stopped';
    });
  }

  async restartEnclave(region: string, instanceId: string): Promise<void> {
    const host = this.#existing('ssm:SendCommand', region, instanceId);
    if (host.state !== 'running') {
      throw new OperatorError('Transient', 'ssm:SendCommand', `host ${instanceId}: InvalidInstanceId (tried again)`);
    }
    this.#laterOn(host, this.#timings.applyMs, 'running', () => this.#runEnclave(host));
  }

  #existing(operation: string, region: string, instanceId: string): MemoryHost {
    const host = this.all.get(instanceId);
    if (host?.region === region && host.state !== 'terminated') return host;
    throw new OperatorError('Conflict', operation, `host ${instanceId}: InvalidInstanceID.NotFound (read again)`);
  }

  #boot(host: MemoryHost): void {
    this.#laterOn(host, this.#timings.startMs, 'pending', () => {
      host.state = 'running';
      this.#laterOn(host, this.#timings.bootMs, 'running', () => this.#booted(host));
    });
  }

  #booted(host: MemoryHost): void {
    const bootId = this.#random.id(12);
    host.bootId = bootId;
    host.sequence = 0;
    this.#runEnclave(host);
    const every = this.#timings.reportEveryMs;
    if (every === 0) return;
    const tick = () => {
      if (host.bootId !== bootId || host.state !== 'running') return;
      this.report(host);
      this.#clock.schedule(every, tick);
    };
    this.#clock.schedule(every, tick);
  }

  #runEnclave(host: MemoryHost): void {
    host.enclaveState = 'RUNNING';
    this.report(host);
  }

  /** Acts unless the host has left `state` meanwhile, or has left it and come back (another boot). */
  #laterOn(host: MemoryHost, delayMs: number, state: HostState, act: () => void): void {
    const { bootId, launchedAt } = host;
    this.#clock.schedule(delayMs, () => {
      if (host.state === state && host.bootId === bootId && host.launchedAt === launchedAt) act();
    });
  }

  #isOurs(host: MemoryHost): boolean {
    return host.environment === this.#environment && host.state !== 'terminated';
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

function view({ instanceId, enclaveId, environment, state, launchedAt }: MemoryHost): Host {
  return { instanceId, enclaveId, environment, state, launchedAt };
}

function incorrectState(operation: string, host: MemoryHost): OperatorError {
  return new OperatorError('Conflict', operation, `host ${host.instanceId} is ${host.state}: IncorrectInstanceState`);
}
