/** What the cloud does by itself: runs that fail, hosts that vanish, agents that freeze, streams that break. */

import type { ErrorClass, RunItem } from '../../src/enclave/items/run.ts';
import { omit } from '../../src/enclave/omit.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import type { MemoryExecution, RunScript, StartScript } from '../support/memory-runs.ts';
import { SICK_ID } from './app.ts';
import { Intruder } from './intruder.ts';
import { FAMILIES } from './limits.ts';
import type { SeededRandom } from './random.ts';
import type { Stage } from './stage.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const REGION = 'us-west-2';
const TRANSIENT: readonly ErrorClass[] = ['capacity', 'throttled', 'unknown', 'timeout', 'locked', 'bootstrap'];
const TERMINAL: readonly ErrorClass[] = ['permission', 'state'];
const SERVICES = [
  ['hosts'],
  ['workflows'],
  ['tasks'],
  ['history'],
  ['records'],
  ['state'],
  ['leases'],
  ['streams.records', 'streams.state', 'streams.history'],
] as const;
const STREAMS = ['records', 'state', 'history'] as const;

export class Cloud {
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  readonly #runRandom: SeededRandom;
  readonly #intruder: Intruder;
  /** Hosts whose agents froze. Those of the time before the operator, which have none, are not among them. */
  readonly #frozen = new Set<MemoryHost>();

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#random = stage.random.fork('cloud');
    this.#runRandom = stage.random.fork('runs');
    const { runs, hosts } = stage.world;
    this.#intruder = new Intruder(hosts, stage.random.fork('intruder'), (what) => this.#say(what));
    runs.script = (run) => this.#runScript(run);
    runs.startScript = (execution) => this.#startScript(execution);
    const lag = stage.random.fork('lag');
    runs.listLagMs = () => (stage.has('lag') ? lag.between(0, 10 * SECOND) : 0);
    hosts.lagMs = () => (stage.has('lag') ? lag.between(0, 20 * SECOND) : 0);
    hosts.onState = ({ instanceId, enclaveId, state }) =>
      stage.trace.say('ec2', `${instanceId.slice(-4)} of ${enclaveId} is ${state}`);
  }

  act(): void {
    const { settings } = this.#stage;
    const going = () => !this.#stage.calm;
    this.#stage.every(this.#random, settings.incidentEveryMs, going, () => this.#incident());
    if (this.#stage.has('sick')) this.#stage.every(this.#random.fork('sick'), 15 * SECOND, going, () => this.#sicken());
  }

  /** Faults have stopped: what was held back is delivered, what froze thaws. What broke stays broken. */
  clear(): void {
    const { world, faultSchedule } = this.#stage;
    faultSchedule.clear();
    for (const name of STREAMS) {
      const { stream } = world.tables[name];
      stream.deliver();
      stream.reveal();
      stream.enable();
    }
    for (const host of this.#frozen) this.#thawAgent(host);
  }

  #say(what: string): void {
    this.#stage.trace.say('cloud', what);
  }

  #later(leastMs: number, mostMs: number, act: () => void): void {
    this.#stage.clock.schedule(this.#random.between(leastMs, mostMs), () => {
      if (!this.#stage.calm) act();
    });
  }

  #incident(): void {
    const kinds: (readonly [number, () => void])[] = [];
    const add = (fault: Parameters<Stage['has']>[0], weight: number, act: () => void) => {
      if (this.#stage.has(fault)) kinds.push([weight, act]);
    };
    add('hosts', 2, () => this.#hostFault());
    add('agents', 2, () => this.#agentFault());
    add('intruders', 3, () => this.#intruder.act());
    add('massDrift', 0.5, () => this.#intruder.actOnAll());
    add('tasks', 2, () => this.#taskFault());
    add('shards', 2, () => this.#shardFault());
    add('gaps', 1, () => this.#gapFault());
    add('streams', 1, () => this.#streamOff());
    add('sweeps', 1, () => this.#blind());
    add('outages', 1, () => this.#outage());
    add('throttling', 2, () => this.#drain());
    if (kinds.length > 0) this.#random.weighted(kinds)();
  }

  #someHost(): MemoryHost | undefined {
    const hosts = [...this.#stage.world.hosts.all.values()];
    const there = hosts.filter((host) => host.state !== 'terminated' && host.enclaveId !== SICK_ID);
    return there.length === 0 ? undefined : this.#random.pick(there);
  }

  /** Somebody in the console, or the hardware. */
  #hostFault(): void {
    const host = this.#someHost();
    if (host === undefined) return;
    const { hosts } = this.#stage.world;
    if (host.state === 'stopped') {
      this.#say(`somebody starts ${host.instanceId.slice(-4)} of ${host.enclaveId}`);
      void hosts.start(REGION, host.instanceId);
    } else if (host.state === 'running' && this.#random.chance(0.5)) {
      this.#say(`somebody stops ${host.instanceId.slice(-4)} of ${host.enclaveId}`);
      void hosts.stop(REGION, host.instanceId);
    } else if (host.state !== 'shutting-down') {
      this.#say(`somebody terminates ${host.instanceId.slice(-4)} of ${host.enclaveId}`);
      hosts.terminate(host);
    }
  }

  #agentFault(): void {
    // One that has not said yet that it runs is missed most.
    const silent = [...this.#stage.world.hosts.all.values()].filter(
      ({ state, enclaveState }) => state === 'pending' || (state === 'running' && enclaveState !== 'RUNNING'),
    );
    const host = silent.length > 0 && this.#random.chance(0.7) ? this.#random.pick(silent) : this.#someHost();
    if (host === undefined || host.enclaveId === SICK_ID) return;
    if (this.#random.chance(0.5) && host.state === 'running') {
      this.#say(`the enclave ${host.enclaveId} crashes`);
      this.#stage.world.hosts.crashEnclave(host);
    } else if (host.reports) {
      this.#say(`the agent of ${host.enclaveId} freezes`);
      this.#stage.world.hosts.freezeReports(host);
      this.#frozen.add(host);
      this.#later(MINUTE, 25 * MINUTE, () => this.#thawAgent(host));
    }
  }

  #thawAgent(host: MemoryHost): void {
    const { hosts } = this.#stage.world;
    this.#frozen.delete(host);
    hosts.freezeReports(host, false);
    hosts.report(host);
  }

  #sicken(): void {
    for (const host of this.#stage.world.hosts.living(SICK_ID)) {
      const ranMs = this.#stage.clock.monotonic() - host.ranAt;
      if (host.enclaveState !== 'RUNNING' || host.state !== 'running' || ranMs < 20 * SECOND) continue;
      this.#say(`the enclave ${SICK_ID} crashes again`);
      this.#stage.world.hosts.crashEnclave(host);
    }
  }

  #taskFault(): void {
    const { runs } = this.#stage.world;
    const running = [...runs.executions.values()].filter((each) => each.state === 'running');
    if (this.#random.chance(0.1)) {
      this.#say('ECS forgets its stopped tasks');
      runs.forgetStoppedTasks();
    }
    if (running.length === 0) return;
    const execution = this.#random.pick(running);
    const task = execution.tasks.at(-1);
    this.#stage.runCutMs.set(execution.enclaveId, this.#stage.clock.monotonic());
    if (task !== undefined && this.#random.chance(0.6)) {
      this.#say(`the task of ${execution.name} is killed`);
      runs.killTask(task);
    } else {
      this.#say(`somebody aborts ${execution.name}`);
      void runs.abort(execution.name, execution.action, 'by hand');
    }
  }

  #shardFault(): void {
    const name = this.#random.pick(STREAMS);
    const { stream } = this.#stage.world.tables[name];
    const kind = this.#random.between(1, 4);
    if (kind <= 2) this.endShards(name, this.#random);
    if (kind === 3) {
      this.#say(`${name} tells its last changes again`);
      stream.repeat(this.#random.between(1, 20));
    }
    if (kind === 4) {
      this.#say(`${name} tells its changes late`);
      stream.hold();
      this.#later(SECOND, 3 * MINUTE, () => stream.deliver());
    }
  }

  /** Shards end and have children, which DescribeStream may not know at once. */
  endShards(name: (typeof STREAMS)[number], random: SeededRandom): void {
    const { stream } = this.#stage.world.tables[name];
    const hidden = random.chance(0.5);
    const splits = stream.openShards <= 2 && random.chance(0.5);
    this.#say(`the shards of ${name} ${splits ? 'split' : 'rotate'}${hidden ? ', and their children are hidden' : ''}`);
    if (splits) stream.split(hidden);
    else stream.rotate(hidden);
    if (hidden) this.#stage.clock.schedule(random.between(100, 4 * SECOND), () => stream.reveal());
  }

  #gapFault(): void {
    const name = this.#random.pick(STREAMS);
    const { stream } = this.#stage.world.tables[name];
    const trims = this.#random.chance(0.5);
    this.#say(trims ? `the stream of ${name} is trimmed` : `iterators of ${name} expire`);
    if (trims) stream.trim();
    else stream.expireIterators();
  }

  #streamOff(): void {
    const name = this.#random.pick(STREAMS);
    const { stream } = this.#stage.world.tables[name];
    this.#say(`the stream of ${name} is disabled`);
    stream.disable();
    this.#later(SECOND, 5 * MINUTE, () => {
      this.#say(`the stream of ${name} is enabled anew`);
      stream.enable();
    });
  }

  #blind(): void {
    this.#say(`DescribeInstances finds nothing by tag in ${REGION}`);
    this.#stage.faultSchedule.blind.add(REGION);
    this.#later(30 * SECOND, 6 * MINUTE, () => this.#stage.faultSchedule.blind.delete(REGION));
  }

  #outage(): void {
    const ports = this.#random.pick(SERVICES);
    this.#say(`${ports[0]} is out of order`);
    for (const port of ports) this.#stage.faultSchedule.outages.add(port);
    this.#later(5 * SECOND, 4 * MINUTE, () => {
      this.#say(`${ports[0]} works again`);
      for (const port of ports) this.#stage.faultSchedule.outages.delete(port);
    });
  }

  #drain(): void {
    const family = this.#random.pick(FAMILIES);
    this.#say(`another tool uses ${family} up`);
    this.#stage.faultSchedule.limits.drain(family, this.#random.between(5 * SECOND, 2 * MINUTE));
  }

  #startScript(execution: MemoryExecution): StartScript {
    const random = this.#runRandom;
    if (this.#stage.has('tasks') && random.chance(0.05)) {
      this.#say(`the workflow of ${execution.name} dies before it claims`);
      return { dies: true };
    }
    const slow = this.#stage.has('slowCalls') && random.chance(0.2);
    return {
      claimMs: random.between(100, slow ? 30 * SECOND : 500),
      taskStartMs: random.between(1_000, slow ? MINUTE : 5_000),
    };
  }

  #runScript(run: RunItem): RunScript {
    const random = this.#runRandom;
    const script = this.#fateOf(run, random);
    const workMs = script.workMs ?? random.between(5 * SECOND, 60 * SECOND) + this.#launchWaitMs(run);
    const rest = omit(script, 'workMs');
    const said = Object.keys(rest).length === 0 ? '' : ` and ${JSON.stringify(rest)}`;
    this.#say(`Terraform works for ${run.name}: ${Math.round(workMs / SECOND)} s${said}`);
    return { ...rest, workMs };
  }

  /** Terraform waits while RunInstances is throttled. */
  #launchWaitMs(run: RunItem): number {
    const { world, faultSchedule } = this.#stage;
    const launches = run.action === 'deploy' && world.hosts.living(run.id).length === 0;
    return launches && !faultSchedule.limits.take('ec2:RunInstances') ? 10 * SECOND : 0;
  }

  #fateOf(run: RunItem, random: SeededRandom): RunScript {
    const applied = random.chance(0.4);
    if (run.id !== SICK_ID && this.#stage.has('runs') && random.chance(0.25)) {
      const kind = random.between(1, 10);
      const message = 'as the seed will have it';
      if (kind <= 6) return { applied, fails: { class: random.pick(TRANSIENT), message } };
      if (kind === 7) return { applied, fails: { class: random.pick(TERMINAL), message } };
      if (kind === 8 && run.action === 'destroy') return { remaining: ['aws_security_group sg-1'] };
      if (kind === 9) return { workMs: 10 * HOUR };
      return { workMs: random.between(MINUTE, 5 * MINUTE) };
    }
    if (run.id !== SICK_ID && this.#stage.has('tasks') && random.chance(0.25)) {
      const dies = random.pick(['task', 'workflow', 'execution', 'execution'] as const);
      return { applied, dies, workMs: random.between(SECOND, 4 * MINUTE) };
    }
    return {};
  }
}
