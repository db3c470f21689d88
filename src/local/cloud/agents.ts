/** The agents on the hosts: each boots, starts its enclave, follows its configuration and reports. */

import { REPORT_KEPT_SECONDS, type Report } from '../../enclave/items/report.ts';
import { omit } from '../../enclave/omit.ts';
import type { Clock, HostState, Random } from '../../reconciler/ports/index.ts';
import { appliedConfiguration, type Configuration, measure, readConfiguration } from './configuration.ts';
import { DELAYS } from './delays.ts';
import type { Faults } from './faults.ts';
import type { SimHosts } from './hosts.ts';
import { bootId } from './ids.ts';
import { type Agent, type Attributes, CloudError, type SimHost } from './model.ts';
import type { ReportWriter } from './report-writer.ts';
import type { Timers } from './timers.ts';

export interface AgentsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly hosts: SimHosts;
  readonly faults: Faults;
  readonly reports: ReportWriter;
  /** Attributes of the configuration object the host follows; undefined: there is none. */
  configurationOf(host: SimHost): Attributes | undefined;
}

/** The stage an agent goes into; without a duration it lasts until something happens. */
interface Next {
  readonly stage: Agent['stage'];
  readonly agent: Agent;
  readonly forMs?: number | undefined;
}

export class Agents {
  readonly #options: AgentsOptions;

  constructor(options: AgentsOptions) {
    this.#options = options;
    options.hosts.onChange((host, before) => this.#hostChanged(host, before));
  }

  /** Goes on where the journal ends. */
  resume(): void {
    for (const host of [...this.#options.hosts.all()]) {
      if (host.state !== 'running') continue;
      if (host.agent === undefined) this.#boot(host);
      else this.#await(host.instanceId, host.agent);
    }
  }

  /** The configuration object has changed: the agents are told, as by the SSM document that the stack sends. */
  configurationChanged(enclaveId: string): void {
    for (const host of this.#options.hosts.all()) {
      const { agent } = host;
      if (host.enclaveId !== enclaveId || host.state !== 'running') continue;
      // One that still boots reads the configuration when it is up, as does one that is stopped now.
      if (agent === undefined || agent.stage === 'booting') continue;
      this.#enter(host.instanceId, { stage: 'applying', agent, forMs: DELAYS.configurationArrives });
    }
  }

  /** Throws where SSM reaches no agent. */
  check(instanceId: string): void {
    this.#reachable(instanceId);
  }

  isReachable(instanceId: string): boolean {
    const host = this.#options.hosts.get(instanceId);
    return host?.state === 'running' && host.agent !== undefined;
  }

  /** `report-now`. Throws where SSM reaches no agent. */
  reportNow(instanceId: string): void {
    if (this.#reachable(instanceId).stage !== 'booting') this.#report(instanceId);
  }

  /** `restart-enclave`. Throws where SSM reaches no agent. */
  restartEnclave(instanceId: string): void {
    const agent = this.#reachable(instanceId);
    if (agent.stage === 'booting') return;
    this.#enter(instanceId, starting(agent));
    this.#report(instanceId);
  }

  /** The enclave dies; nobody restarts it by itself. */
  crash(instanceId: string): void {
    this.#enter(instanceId, { stage: 'crashed', agent: { ...this.#reachable(instanceId), running: false } });
    this.#report(instanceId);
  }

  #reachable(instanceId: string): Agent {
    const host = this.#options.hosts.get(instanceId);
    if (host?.state === 'running' && host.agent !== undefined) return host.agent;
    throw new CloudError('InvalidInstanceId', `Instances ${instanceId} not in a valid state for account`);
  }

  #hostChanged(host: SimHost, before: HostState | undefined): void {
    if (host.state === 'running' && before !== 'running') this.#boot(host);
    if (host.state === 'stopping' || host.state === 'shutting-down') this.#halt(host);
  }

  #boot(host: SimHost): void {
    if (!host.hasAgent) return;
    const agent: Agent = {
      bootId: bootId(this.#options.random),
      sequence: 0,
      stage: 'booting',
      appliedGeneration: host.agent?.appliedGeneration ?? 0,
      ...(host.agent?.applied === undefined ? {} : { applied: host.agent.applied }),
      running: false,
      completed: host.agent?.completed ?? false,
    };
    this.#enter(host.instanceId, { stage: 'booting', agent, forMs: DELAYS.agentBoots });
  }

  /** What it would still have done dies with the boot; what it had applied stays on the disk. */
  #halt(host: SimHost): void {
    const { timers, reports, hosts } = this.#options;
    timers.cancel(`stage/${host.instanceId}`);
    timers.cancel(`report/${host.instanceId}`);
    reports.drop(host.instanceId);
    if (host.agent === undefined) return;
    const agent = { ...omit(host.agent, 'stageEndsAt', 'nextReportAt'), running: false };
    hosts.amend(host.instanceId, { agent });
  }

  #enter(instanceId: string, { agent, stage, forMs }: Next): void {
    const endsAt = forMs === undefined ? {} : { stageEndsAt: this.#options.timers.after(forMs) };
    const next = { ...omit(agent, 'stageEndsAt'), stage, ...endsAt };
    this.#options.hosts.amend(instanceId, { agent: next });
    this.#await(instanceId, next);
  }

  #await(instanceId: string, agent: Agent): void {
    const { timers } = this.#options;
    if (agent.stageEndsAt === undefined) timers.cancel(`stage/${instanceId}`);
    else timers.at(`stage/${instanceId}`, agent.stageEndsAt, () => this.#stageEnded(instanceId));
    if (agent.nextReportAt !== undefined) {
      timers.at(`report/${instanceId}`, agent.nextReportAt, () => this.#report(instanceId));
    }
  }

  #stageEnded(instanceId: string): void {
    const { hosts, faults, configurationOf } = this.#options;
    const host = hosts.get(instanceId);
    if (host?.agent === undefined) return;
    const { agent, enclaveId } = host;
    const wanted = readConfiguration(configurationOf(host));
    const takeFailure = () => faults.takeBoot(enclaveId);
    const next = stageAfter(agent, wanted, takeFailure);
    if (next === undefined) return;
    this.#enter(instanceId, next);
    this.#report(instanceId);
  }

  #report(instanceId: string): void {
    const { hosts, timers, faults, clock } = this.#options;
    const host = hosts.get(instanceId);
    if (host?.agent === undefined) return;
    const agent = {
      ...host.agent,
      sequence: host.agent.sequence + 1,
      nextReportAt: timers.after(DELAYS.reportInterval),
    };
    hosts.amend(instanceId, { agent });
    timers.at(`report/${instanceId}`, agent.nextReportAt, () => this.#report(instanceId));
    if (faults.frozen.has(host.enclaveId)) return;
    this.#options.reports.send(reportOf(host, agent, new Date(clock.now()).toISOString()));
  }
}

const starting = (agent: Agent): Next => ({
  stage: 'starting',
  agent: { ...agent, running: false, completed: false },
  forMs: DELAYS.enclaveStarts,
});

const running = (agent: Agent, configuration: Configuration): Next => ({
  stage: 'running',
  agent: { ...agent, running: true },
  forMs: configuration.batch ? DELAYS.batchRuns : undefined,
});

/** What follows when a stage has ended by itself; undefined: nothing does. */
function stageAfter(
  agent: Agent,
  wanted: Configuration | undefined,
  takeFailure: () => string | undefined,
): Next | undefined {
  switch (agent.stage) {
    case 'booting':
    case 'applying':
      return follow(agent, wanted);
    case 'starting': {
      if (wanted === undefined) return { stage: 'idle', agent };
      const healthy = omit(agent, 'failure');
      const failure = takeFailure();
      if (failure !== undefined) return { stage: 'failed', agent: { ...healthy, failure } };
      return running({ ...healthy, applied: wanted.text, appliedGeneration: wanted.generation }, wanted);
    }
    case 'running':
      return { stage: 'completed', agent: { ...agent, running: false, completed: true } };
    case 'completed':
    case 'crashed':
    case 'failed':
    case 'idle':
      return undefined;
  }
}

/** Starts the enclave, unless the one that runs, or has run to its end, is just what is wanted. */
function follow(agent: Agent, wanted: Configuration | undefined): Next {
  if (wanted === undefined) return { stage: 'idle', agent: { ...agent, running: false } };
  const current = { ...agent, appliedGeneration: wanted.generation };
  if (agent.applied !== wanted.text) return starting(agent);
  if (agent.running) return running(current, wanted);
  return agent.completed ? { stage: 'completed', agent: current } : starting(agent);
}

function reportOf(host: SimHost, agent: Agent, at: string): Report {
  const applied = appliedConfiguration(agent.appliedGeneration, agent.applied);
  const isRunning = agent.running && applied !== undefined;
  return {
    v: 1,
    minReader: 1,
    id: host.enclaveId,
    instanceId: host.instanceId,
    bootId: agent.bootId,
    sequence: agent.sequence,
    appliedGeneration: agent.appliedGeneration,
    at,
    expiresAt: Math.floor(Date.parse(at) / 1_000) + REPORT_KEPT_SECONDS,
    enclaves: isRunning
      ? [
          {
            name: 'enclave',
            state: 'RUNNING',
            cpuCount: applied.cpuCount,
            memoryMiB: applied.memoryMiB,
            debug: applied.debug,
          },
        ]
      : [],
    health: applied?.probed === true ? (isRunning ? 'passing' : 'failing') : 'none',
    completed: agent.completed,
    measurements: applied === undefined ? {} : measure(applied),
    ...(agent.failure === undefined ? {} : { error: { class: 'bootstrap', message: agent.failure } }),
  };
}
