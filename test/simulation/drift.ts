/** Drift in a fleet of any size: rows of the comparison change at random times, then all hosts at once; all of it heals. */
import { conditionOf } from '../../src/enclave/conditions.ts';
import { equalJson } from '../../src/enclave/json.ts';
import type { Lifecycle } from '../../src/enclave/lifecycle-item.ts';
import { OperatorError } from '../../src/reconciler/ports.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';
import { Dice } from './dice.ts';
import { Intruder } from './intruder.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const REGION = 'us-west-2';
const STIR_MS = 30 * MINUTE;
/** As many as a region must have that differ before it is a mass drift, and one more. */
const MASS = 4;

/** What happens to all at once. */
export const MASSES = ['changed', 'stopped', 'unseen', 'denied'] as const;
export type Mass = (typeof MASSES)[number];

export interface DriftPlay {
  readonly seed: number;
  readonly fleet: number;
  /** What did not hold. */
  readonly violations: readonly string[];
  /** Hosts that were changed, one by one. */
  readonly changed: number;
  readonly repairs: number;
  readonly virtualMs: number;
}

/** Plays one fleet of real production durations. Rejects where something does not come about in time. */
export async function playDrift(seed: number, fleet: number, mass: Mass = 'changed'): Promise<DriftPlay> {
  const dice = new Dice(`drift ${seed} ${fleet}`);
  const v = virtualOperator(
    { runInstancesPerSecond: 0, maxRuns: 1_000, deletionHoldMin: 1_000_000 },
    { seed, hostTimings: { reportEveryMs: 5 * MINUTE } },
  );
  const play = new Play(v, dice, fleet, mass);
  await play.all();
  return {
    seed,
    fleet,
    violations: play.violations,
    changed: play.touched.size,
    repairs: play.repairs(),
    virtualMs: v.clock.monotonic(),
  };
}

class Play {
  readonly violations: string[] = [];
  /** Enclaves whose hosts were changed. */
  readonly touched = new Set<string>();
  readonly #v: VirtualOperator;
  readonly #dice: Dice;
  readonly #ids: readonly string[];
  readonly #strangers: { readonly host: MemoryHost; readonly launchedAt: string }[] = [];
  readonly #begun = new Map<string, number>();
  readonly #mass: Mass;
  #denied = false;

  constructor(v: VirtualOperator, dice: Dice, fleet: number, mass: Mass) {
    this.#mass = mass;
    this.#v = v;
    this.#dice = dice;
    this.#ids = Array.from({ length: fleet }, (_, n) => `enc_${n}`);
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
    for (const id of this.#ids) v.post(id);
    await v.until(() => this.#ids.every((id) => this.#isWell(id)), 'all ready', 2 * HOUR);
    this.#countRepairs();
    this.#bringStrangers();
    await this.#stir();
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

  /** In truth, and as the operator has it. */
  #isWell(id: string): boolean {
    const host = this.#own(id);
    const lifecycle = this.#lifecycle(id);
    const sound = host?.state === 'running' && host.illness === undefined && equalJson(host.posture, host.made);
    const inSync = conditionOf(lifecycle?.conditions ?? [], 'InSync')?.status === 'True';
    return sound && inSync && lifecycle?.phase === 'ready';
  }

  /** A repair is a run or a direct effect that was not there before, in the phase of repairs. */
  #countRepairs(): void {
    this.#v.world.tables.state.watch((before, after) => {
      const [was, is] = [before, after] as unknown as [Lifecycle | undefined, Lifecycle | undefined];
      if (after?.sk !== 'lifecycle' || is?.phase !== 'repairing') return;
      const ran = is.run !== undefined && is.run.name !== was?.run?.name;
      const acted = is.direct !== undefined && is.direct.at !== was?.direct?.at;
      if (!ran && !acted) return;
      this.#begun.set(is.id, (this.#begun.get(is.id) ?? 0) + 1);
      if (!this.touched.has(is.id)) this.violations.push(`${is.id} is repaired, and nobody has changed it`);
      this.#checkCap();
    });
  }

  #checkCap(): void {
    const { config, clock } = this.#v;
    const isBusy = ({ phase, run, direct }: Lifecycle) =>
      phase === 'repairing' &&
      (run !== undefined || (direct !== undefined && clock.now() - Date.parse(direct.at) < config.settleMs));
    const busy = this.#ids.filter((id) => {
      const lifecycle = this.#lifecycle(id);
      return lifecycle !== undefined && isBusy(lifecycle);
    }).length;
    const cap = Math.max(1, Math.floor((this.#ids.length * config.repairCapPercent) / 100));
    if (busy > cap) this.violations.push(`${busy} are under repair at once, and ${cap} may be`);
  }

  /** Hosts of another environment under the very same ids, and a second host under the tag of one of ours. */
  #bringStrangers(): void {
    const { hosts } = this.#v.world;
    const bring = (enclaveId: string, environment: string) => {
      const host = hosts.launch({ enclaveId, environment, region: REGION, state: 'running', reports: false });
      this.#strangers.push({ host, launchedAt: host.launchedAt });
    };
    for (const id of this.#ids.slice(0, 3)) bring(id, 'another');
    const twin = this.#dice.pick(this.#ids);
    bring(twin, this.#v.config.environment);
  }

  #checkStrangers(): void {
    for (const { host, launchedAt } of this.#strangers) {
      if (host.state === 'running' && host.launchedAt === launchedAt) continue;
      this.violations.push(`a host of ${host.environment} under the tag of ${host.enclaveId} is ${host.state}`);
    }
    const lost = [...this.#v.world.hosts.all.values()].filter(({ state }) => state === 'terminated');
    if (lost.length > 0) this.violations.push(`${lost.length} hosts were terminated`);
  }

  /** About a seventh of the fleet, one by one at random times, each of some row. */
  async #stir(): Promise<void> {
    const { clock, world } = this.#v;
    const intruder = new Intruder(world.hosts, this.#dice.fork('intruder'), () => undefined);
    const times = this.#dice.fork('times');
    const many = Math.max(3, Math.round(this.#ids.length / 7));
    for (let n = 0; n < many; n += 1) {
      clock.schedule(times.between(0, STIR_MS), () => {
        const host = intruder.act();
        if (host !== undefined) this.touched.add(host.enclaveId);
      });
    }
    await clock.advance(STIR_MS);
    await this.#untilWell('what was changed one by one');
  }

  async #untilWell(what: string): Promise<void> {
    const sick = () => this.#ids.filter((id) => !this.#isWell(id));
    await this.#v
      .until(() => sick().length === 0, `${what} is healed`, 6 * HOUR)
      .catch((error: unknown) => {
        const [first = ''] = sick();
        throw new Error(`${what}: ${sick().length} are not healed, ${first}: ${this.#lifecycle(first)?.message}`, {
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
      if (this.repairs() > before) this.violations.push('something was repaired that was only not seen');
      return;
    }
    for (const id of this.#ids) this.touched.add(id);
    await this.#breakAll(mass, before);
    await this.#untilWell('what was changed at once');
    const mended = this.#ids.filter((id) => (this.#begun.get(id) ?? 0) > 0).length;
    if (mended < this.#ids.length) this.violations.push('not all were repaired');
  }

  /** Nothing is repaired, then one alone; all the others only after it has healed. */
  async #breakAll(mass: 'changed' | 'stopped', before: number): Promise<void> {
    const { clock, world, config } = this.#v;
    if (mass === 'changed') new Intruder(world.hosts, this.#dice.fork('mass'), () => undefined).actOnAll();
    else for (const id of this.#ids) await world.hosts.stop(REGION, this.#own(id)?.instanceId ?? '');
    await clock.advance(config.breakerRestMs - SECOND);
    const meanwhile = this.repairs() - before;
    if (meanwhile > 0) this.violations.push(`${meanwhile} are repaired while the breaker is open`);
    await this.#v.until(() => this.repairs() > before, 'one is tried alone', 10 * MINUTE);
    const tried = this.repairs() - before;
    if (tried > 1) this.violations.push(`${tried} are tried at once, and one should be`);
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
