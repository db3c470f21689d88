/** Drift in a fleet of any size: rows of the comparison change at random times, then all hosts at once; all of it heals. */
import { ATTRIBUTES, type Attribute } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import { equalJson } from '../../src/enclave/json.ts';
import type { Lifecycle } from '../../src/enclave/lifecycle-item.ts';
import { OperatorError } from '../../src/reconciler/ports.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import type { MemorySurrounding } from '../support/memory-surroundings.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';
import { Dice } from './dice.ts';
import { Intruder } from './intruder.ts';
import { Meddler, States } from './meddler.ts';
import { PCR0 } from './mischief.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const REGION = 'us-west-2';
const STIR_MS = 2 * HOUR;
/** Plans are made often enough for what only they show. */
const PLAN_EVERY_MS = 3 * HOUR;
const HEALED_WITHIN_MS = 12 * HOUR;
/** One of so many is paused, and of one of so many the policy is lenient. */
const PAUSED_OF = 10;
const LENIENT_OF = 2;
/** As many as a region must have that differ before it is a mass drift, and one more. */
const MASS = 4;
/** A fleet of so many has each row done to it. */
export const MANY = 60;

/** What happens to all at once. */
export const MASSES = ['changed', 'stopped', 'unseen', 'denied'] as const;
export type Mass = (typeof MASSES)[number];

export interface DriftPlay {
  readonly seed: number;
  readonly fleet: number;
  /** What did not hold. */
  readonly violations: readonly string[];
  /** Enclaves to which something was done. */
  readonly changed: number;
  /** Of what was done one by one, what was told of. */
  readonly told: ReadonlySet<Attribute>;
  readonly repairs: number;
  readonly virtualMs: number;
}

/** Plays one fleet of real production durations. Rejects where something does not come about in time. */
export async function playDrift(seed: number, fleet: number, mass: Mass = 'changed'): Promise<DriftPlay> {
  const dice = new Dice(`drift ${seed} ${fleet}`);
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
  const play = new Play(v, states, dice, fleet, mass);
  await play.all();
  return {
    seed,
    fleet,
    violations: play.violations,
    changed: play.meddler.touched.size,
    told: play.meddler.told,
    repairs: play.repairs(),
    virtualMs: v.clock.monotonic(),
  };
}

/** Has a key of its own, a way in, and measurements that count. */
const CONFIG = {
  awsServices: ['kms'],
  exposePorts: [8_080],
  attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'quarantine' },
};
const LENIENT = {
  drift: {
    overrides: {
      'host.enclaveOptions': 'replace',
      'host.volume': 'replace',
      'network.publicIp': 'replace',
      'host.statusChecks': 'alert',
    },
  },
};

class Play {
  readonly meddler: Meddler;
  readonly #violations: string[] = [];
  readonly #v: VirtualOperator;
  readonly #states: States;
  readonly #dice: Dice;
  readonly #ids: readonly string[];
  readonly #paused: ReadonlySet<string>;
  readonly #lenient: ReadonlySet<string>;
  /** What surrounds each, as it was made. */
  readonly #made = new Map<string, MemorySurrounding>();
  readonly #strangers: { readonly host: MemoryHost; readonly launchedAt: string }[] = [];
  readonly #begun = new Map<string, number>();
  /** In the phase of repairs, as the operator has them. */
  readonly #repairing = new Map<string, Lifecycle>();
  readonly #mass: Mass;
  #denied = false;
  #twin: string | undefined;
  /** Place of the enclave that was last found not well. */
  #cursor = 0;

  constructor(v: VirtualOperator, states: States, dice: Dice, fleet: number, mass: Mass) {
    this.#mass = mass;
    this.#v = v;
    this.#states = states;
    this.#dice = dice;
    this.#ids = Array.from({ length: fleet }, (_, n) => `enc_${n}`);
    this.#paused = new Set(this.#ids.filter((_, n) => n % PAUSED_OF === PAUSED_OF - 1));
    this.#lenient = new Set(this.#ids.filter((_, n) => n % LENIENT_OF === 1));
    this.meddler = new Meddler(
      v,
      states,
      {
        running: this.#running,
        paused: [...this.#paused],
        own: (id) => this.#own(id),
        isLenient: (id) => this.#lenient.has(id),
        isWell: (id) => this.#isWell(id),
      },
      dice.fork('meddler'),
    );
  }

  get violations(): readonly string[] {
    return [...this.#violations, ...this.meddler.violations];
  }

  get #running(): readonly string[] {
    return this.#ids.filter((id) => !this.#paused.has(id));
  }

  repairs(): number {
    return [...this.#begun.values()].reduce((sum, count) => sum + count, 0);
  }

  async all(): Promise<void> {
    const v = this.#v;
    const { connection, stop } = v.start();
    for (const operation of ['hosts.sweep', 'hosts.byInstanceId']) {
      connection.faults.before(operation, () => {
        if (this.#denied) throw new OperatorError('Blocked', 'ec2:DescribeInstances', 'not allowed');
      });
    }
    await v.clock.advance(5 * SECOND);
    for (const id of this.#ids) {
      v.post(id, { providerConfig: CONFIG, ...(this.#lenient.has(id) ? { policy: LENIENT } : {}) });
    }
    await v.until(() => this.#ids.every((id) => v.status(id) === 'DEPLOYED'), 'all deployed', 2 * HOUR);
    for (const id of this.#ids) this.#note(id);
    for (const id of this.#paused) v.command(id, 'PAUSING');
    await v.until(() => this.#areAllWell(), 'all ready', 2 * HOUR);
    this.#countRepairs();
    this.#bringStrangers();
    await this.#stir();
    this.#bringTwin();
    if (this.#ids.length >= MASS) await this.#happenToAll(this.#mass);
    this.#checkStrangers();
    await stop();
  }

  #lifecycle(id: string): Lifecycle | undefined {
    return this.#v.lifecycle(id);
  }

  #own(id: string): MemoryHost | undefined {
    return this.#v.world.hosts.all.get(this.#lifecycle(id)?.pinned.instanceId ?? '');
  }

  /** As its first deploy has made it. */
  #note(id: string): void {
    const around = this.#v.world.surroundings.all.get(id);
    if (around !== undefined) this.#made.set(id, structuredClone(around));
    this.#states.make(id, this.#v.clock.now());
  }

  /** In truth, and as the operator has it. */
  #isWell(id: string): boolean {
    const lifecycle = this.#lifecycle(id);
    const [phase, state] = this.#paused.has(id) ? ['paused', 'stopped'] : ['ready', 'running'];
    if (lifecycle?.phase !== phase) return false;
    const known = id === this.#twin ? 'host.duplicate' : undefined;
    if (lifecycle.findings?.some(({ attribute }) => attribute !== known)) return false;
    if (conditionOf(lifecycle.conditions, 'InSync')?.status !== 'True') return false;
    const host = this.#own(id);
    if (host?.state !== state || host.illness !== undefined || !host.managed || host.events.length > 0) return false;
    const around = this.#v.world.surroundings.all.get(id);
    return equalJson(host.posture, host.made) && this.#states.all.has(id) && equalJson(around, this.#made.get(id));
  }

  /**
   * Asked at every instant: it goes on from the one that was last found not well, so that a fleet is gone through about
   * once a healing and not once an instant.
   */
  #areAllWell(): boolean {
    const { length } = this.#ids;
    for (let seen = 0; seen < length; seen += 1) {
      if (!this.#isWell(this.#ids[this.#cursor]!)) return false;
      this.#cursor = (this.#cursor + 1) % length;
    }
    return true;
  }

  /** A repair is a run or a direct effect that was not there before, in the phase of repairs. */
  #countRepairs(): void {
    this.#v.world.tables.state.watch((before, after) => {
      const [was, is] = [before, after] as unknown as [Lifecycle | undefined, Lifecycle | undefined];
      if (after?.sk !== 'lifecycle' || is === undefined) return;
      if (is.phase !== 'repairing') {
        this.#repairing.delete(is.id);
        return;
      }
      this.#repairing.set(is.id, is);
      const ran = is.run !== undefined && is.run.name !== was?.run?.name;
      const acted = is.direct !== undefined && is.direct.at !== was?.direct?.at;
      if (!ran && !acted) return;
      this.#begun.set(is.id, (this.#begun.get(is.id) ?? 0) + 1);
      if (!this.meddler.touched.has(is.id)) this.#violations.push(`${is.id} is repaired, and nobody has changed it`);
      this.#checkCap();
    });
  }

  #checkCap(): void {
    const { config, clock } = this.#v;
    const isBusy = ({ run, direct }: Lifecycle) =>
      run !== undefined || (direct !== undefined && clock.now() - Date.parse(direct.at) < config.settleMs);
    const busy = [...this.#repairing.values()].filter(isBusy).length;
    const cap = Math.max(1, Math.floor((this.#ids.length * config.repairCapPercent) / 100));
    if (busy > cap) this.#violations.push(`${busy} are under repair at once, and ${cap} may be`);
  }

  /** Hosts of another environment under the very same ids. */
  #bringStrangers(): void {
    for (const id of this.#ids.slice(0, 3)) this.#bring(id, 'another');
  }

  /** A second host under the tag of one of ours, which stays. */
  #bringTwin(): void {
    this.#twin = this.#dice.pick(this.#running);
    this.#bring(this.#twin, this.#v.config.environment);
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

  /** One thing after another at random times, more for more of them, each of some row. */
  async #stir(): Promise<void> {
    const { clock } = this.#v;
    const many = Math.max(3, Math.round(this.#ids.length / 7), this.#ids.length < MANY ? 0 : ATTRIBUTES.length);
    this.meddler.meddle(many, STIR_MS);
    await clock.advance(STIR_MS);
    await this.#v
      .until(() => this.meddler.isOver, 'all of it is told and over', HEALED_WITHIN_MS)
      .catch((error: unknown) => {
        throw new Error(`not told or not over: ${this.meddler.left.join('; ')}`, { cause: error });
      });
    await this.#untilWell('what was changed one by one');
  }

  async #untilWell(what: string): Promise<void> {
    await this.#v
      .until(() => this.#areAllWell(), `${what} is healed`, HEALED_WITHIN_MS)
      .catch((error: unknown) => {
        const sick = this.#ids.filter((id) => !this.#isWell(id));
        const [first = ''] = sick;
        throw new Error(`${what}: ${sick.length} are not healed, ${first}: ${this.#lifecycle(first)?.message}`, {
          cause: error,
        });
      });
  }

  async #happenToAll(mass: Mass): Promise<void> {
    // What was repaired within the last hour is of the time before.
    await this.#v.clock.advance(HOUR + MINUTE);
    const before = this.repairs();
    if (mass === 'unseen' || mass === 'denied') {
      await this.#hideAll(mass);
      await this.#untilWell('what was not seen');
      if (this.repairs() > before) this.#violations.push('something was repaired that was only not seen');
      return;
    }
    for (const id of this.#running) this.meddler.touched.add(id);
    await this.#breakAll(mass, before);
    await this.#untilWell('what was changed at once');
    const unmended = this.#running.filter((id) => (this.#begun.get(id) ?? 0) === 0).length;
    if (unmended > 0) this.#violations.push('not all were repaired');
  }

  /** Nothing is repaired, then one alone; all the others only after it has healed. */
  async #breakAll(mass: 'changed' | 'stopped', before: number): Promise<void> {
    const { clock, world, config } = this.#v;
    if (mass === 'changed') new Intruder(world.hosts, this.#dice.fork('mass'), () => undefined).actOnAll();
    else for (const id of this.#running) await world.hosts.stop(REGION, this.#own(id)?.instanceId ?? '');
    await clock.advance(config.breakerRestMs - SECOND);
    const meanwhile = this.repairs() - before;
    if (meanwhile > 0) this.#violations.push(`${meanwhile} are repaired while the breaker is open`);
    await this.#v.until(() => this.repairs() > before, 'one is tried alone', 10 * MINUTE);
    const tried = this.repairs() - before;
    if (tried > 1) this.#violations.push(`${tried} are tried at once, and one should be`);
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
