/** Drift in a fleet of any size: rows of the comparison change at random times, then all hosts at once; all of it heals. */
import { ATTRIBUTES, type Attribute } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { equalJson } from '../../src/enclave/json.ts';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';
import { ConcurrentActor, States } from './concurrent-actor.ts';
import { DriftFleet } from './drift-fleet.ts';
import { Repairs } from './drift-repairs.ts';
import { Intruder } from './intruder.ts';
import { SeededRandom } from './random.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const REGION = 'us-west-2';
const STIR_MS = 2 * HOUR;
/** Plans are made often enough for what only they show. */
const PLAN_EVERY_MS = 3 * HOUR;
const HEALED_WITHIN_MS = 12 * HOUR;
const FIGHT_MINUTES = 40;
/** As many as a region must have that differ before it is a mass drift, and one more. */
const MASS = 4;
/** A fleet of this size gets a fault of each attribute. */
export const MANY = 60;

/** What happens to all at once. */
export const MASSES = ['changed', 'stopped', 'unseen', 'denied', 'vanished'] as const;
export type Mass = (typeof MASSES)[number];

export interface DriftPlay {
  readonly seed: number;
  readonly fleet: number;
  /** Invariants that did not hold. */
  readonly violations: readonly string[];
  /** Enclaves into which a fault was injected. */
  readonly changed: number;
  /** Attributes that the operator reported. */
  readonly reported: ReadonlySet<Attribute>;
  readonly repairs: number;
  readonly virtualMs: number;
}

/** Plays one fleet of real production durations. Rejects where something does not come about in time. */
export async function playDrift(seed: number, fleet: number, mass: Mass = 'changed'): Promise<DriftPlay> {
  const random = new SeededRandom(`drift ${seed} ${fleet}`);
  const states = new States();
  const v = virtualOperator(
    {
      runInstancesPerSecond: 0,
      maxRuns: 1_000,
      deletionHoldMin: 1_000_000,
      attestationTrail: true,
      driftEveryMs: PLAN_EVERY_MS,
      maxDriftRuns: 20,
    },
    { seed, hostTimings: { reportEveryMs: 5 * MINUTE }, states },
  );
  const play = new Play(v, states, random, fleet);
  await play.all(mass);
  return {
    seed,
    fleet,
    violations: play.violations,
    changed: play.actor.touched.size,
    reported: play.actor.reported,
    repairs: play.repairs,
    virtualMs: v.clock.monotonic(),
  };
}

class Play {
  readonly actor: ConcurrentActor;
  readonly #violations: string[] = [];
  readonly #v: VirtualOperator;
  readonly #fleet: DriftFleet;
  readonly #random: SeededRandom;
  readonly #strangers: { readonly host: MemoryHost; readonly launchedAt: string }[] = [];
  #repairs: Repairs | undefined;
  #denied = false;

  constructor(v: VirtualOperator, states: States, random: SeededRandom, size: number) {
    this.#v = v;
    this.#random = random;
    this.#fleet = new DriftFleet(v, states, size);
    // The name of a fork is part of its seed: this one keeps the histories of known seeds as they are.
    this.actor = new ConcurrentActor(v, states, this.#fleet, random.fork('meddler'));
  }

  get violations(): readonly string[] {
    return [...this.#violations, ...this.actor.violations, ...(this.#repairs?.violations ?? [])];
  }

  get repairs(): number {
    return this.#repairs?.count ?? 0;
  }

  async all(mass: Mass): Promise<void> {
    const v = this.#v;
    const { connection, stop } = v.start();
    for (const operation of ['hosts.sweep', 'hosts.byInstanceId']) {
      connection.faults.before(operation, () => {
        if (this.#denied) throw new OperatorError('Blocked', 'ec2:DescribeInstances', 'not allowed');
      });
    }
    await v.clock.advance(5 * SECOND);
    await this.#fleet.deploy();
    this.#repairs = new Repairs(v, this.#fleet.ids.length, this.actor.touched);
    this.#bringStrangers();
    await this.#stir();
    await this.#fight();
    this.#bringTwin();
    if (this.#fleet.ids.length >= MASS) await this.#happenToAll(mass);
    this.#checkStrangers();
    await stop();
  }

  /** Hosts of another environment under the very same ids. */
  #bringStrangers(): void {
    for (const id of this.#fleet.ids.slice(0, 3)) this.#bring(id, 'another');
  }

  /** A second host under the tag of one of ours, which stays. */
  #bringTwin(): void {
    const id = this.#random.pick(this.#fleet.running);
    this.#fleet.twin = id;
    this.#bring(id, this.#v.config.environment);
  }

  #bring(enclaveId: string, environment: string): void {
    const { hosts } = this.#v.world;
    const host = hosts.launch({ enclaveId, environment, region: REGION, state: 'running', reports: false });
    this.#strangers.push({ host, launchedAt: host.launchedAt });
  }

  #checkStrangers(): void {
    for (const { host, launchedAt } of this.#strangers) {
      if (host.state === 'running' && host.launchedAt === launchedAt) continue;
      this.#violations.push(`a host of ${host.environment} under the tag of ${host.enclaveId} is ${host.state}`);
    }
  }

  /** Faults one by one at random times, more in a larger fleet. */
  async #stir(): Promise<void> {
    const { clock } = this.#v;
    const many = Math.max(
      3,
      Math.round(this.#fleet.ids.length / 7),
      this.#fleet.ids.length < MANY ? 0 : ATTRIBUTES.length,
    );
    this.actor.injectFaults(many, STIR_MS);
    await clock.advance(STIR_MS);
    await this.#v
      .until(() => this.actor.isOver, 'all faults are reported and over', HEALED_WITHIN_MS)
      .catch((error: unknown) => {
        throw new Error(`not reported or not over: ${this.actor.left.join('; ')}`, { cause: error });
      });
    await this.#untilWell('what was changed one by one');
  }

  /** Another writer changes tags after each repair: the operator reports it, and repairs it once the writer gives up. */
  async #fight(): Promise<void> {
    const { clock, world } = this.#v;
    const id = this.#random.pick(this.#fleet.running);
    const { touched } = this.actor;
    touched.add(id);
    const before = this.#repairs?.of(id) ?? 0;
    for (let minute = 0; minute < FIGHT_MINUTES; minute += 1) {
      const host = this.#fleet.own(id);
      if (host !== undefined && equalJson(host.posture, host.made)) {
        world.hosts.alter(host, { tags: { ...host.posture?.tags, Name: 'mine' } });
      }
      await clock.advance(MINUTE);
    }
    const repairs = (this.#repairs?.of(id) ?? 0) - before;
    const inSync = conditionOf(this.#fleet.lifecycle(id)?.conditions ?? [], 'InSync');
    if (inSync?.reason !== 'DriftContested') this.#violations.push(`${id} is fought over, and is ${inSync?.reason}`);
    // Two repairs that healed it, each of which may have been overtaken before it was seen to.
    const most = 2 * this.#v.config.repairAttempts;
    if (repairs > most) this.#violations.push(`${id} is repaired ${repairs} times within an hour of somebody else`);
    await this.#untilWell('what was fought over');
  }

  #untilWell(what: string): Promise<void> {
    return this.#fleet.untilWell(what, HEALED_WITHIN_MS);
  }

  async #happenToAll(mass: Mass): Promise<void> {
    // What was repaired within the last hour is of the time before.
    await this.#v.clock.advance(HOUR + MINUTE);
    const before = this.repairs;
    if (mass === 'vanished') return this.#hideForLong(before);
    if (mass === 'unseen' || mass === 'denied') {
      await this.#hideAll(mass);
      await this.#untilWell('what was not seen');
      if (this.repairs > before) this.#violations.push('something was repaired that was only not seen');
      return;
    }
    for (const id of this.#fleet.running) this.actor.touched.add(id);
    await this.#breakAll(mass, before);
    await this.#untilWell('what was changed at once');
    const unmended = this.#fleet.running.filter((id) => (this.#repairs?.of(id) ?? 0) === 0).length;
    if (unmended > 0) this.#violations.push('not all were repaired');
  }

  /** Nothing is repaired, then one alone; all the others only after it has healed. */
  async #breakAll(mass: 'changed' | 'stopped', before: number): Promise<void> {
    const { clock, world, config } = this.#v;
    if (mass === 'changed') new Intruder(world.hosts, this.#random.fork('mass'), () => undefined).actOnAll();
    else for (const id of this.#fleet.running) await world.hosts.stop(REGION, this.#fleet.own(id)?.instanceId ?? '');
    await clock.advance(config.breakerRestMs - SECOND);
    const meanwhile = this.repairs - before;
    if (meanwhile > 0) this.#violations.push(`${meanwhile} are repaired while the breaker is open`);
    await this.#v.until(() => this.repairs > before, 'one is tried alone', 10 * MINUTE);
    const tried = this.repairs - before;
    if (tried > 1) this.#violations.push(`${tried} are tried at once, and one should be`);
  }

  /** The region describes nothing for so long that one is tried alone: its run makes no host beside the one there is. */
  async #hideForLong(before: number): Promise<void> {
    const { clock, world, config } = this.#v;
    for (const id of this.#fleet.running) this.actor.touched.add(id);
    const hosts = world.hosts.all.size;
    world.hosts.blind = true;
    await clock.advance(3 * config.breakerRestMs);
    const open = this.#breakerEvents().filter((reason) => reason === 'BreakerOpened').length;
    if (open === 0) this.#violations.push('all of a region vanish, and its breaker does not open');
    if (this.repairs === before) this.#violations.push('none is tried alone');
    world.hosts.blind = false;
    await this.#untilWell('what had vanished');
    if (this.#breakerEvents().at(-1) !== 'BreakerClosed') this.#violations.push('the breaker does not close');
    if (world.hosts.all.size > hosts)
      this.#violations.push(`${world.hosts.all.size - hosts} hosts are made beside others`);
  }

  #breakerEvents(): readonly unknown[] {
    return this.#v.world.tables.history.partition(keys.events(REGION)).map(({ reason }) => reason);
  }

  /** The region describes nothing, or must not be asked any more. */
  async #hideAll(mass: 'unseen' | 'denied'): Promise<void> {
    const { clock, world, config } = this.#v;
    if (mass === 'unseen') world.hosts.blind = true;
    this.#denied = mass === 'denied';
    await clock.advance(config.breakerRestMs - MINUTE);
    world.hosts.blind = false;
    this.#denied = false;
  }
}
