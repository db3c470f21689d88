/** The operators: started, killed, stopped, frozen and thawed. */
import { Manager } from '../../src/reconciler/manager.ts';
import { createMetrics, type Metrics } from '../../src/reconciler/metrics/index.ts';
import type { Log } from '../../src/reconciler/ports/index.ts';
import { SimulatedProcess } from './process.ts';
import type { SeededRandom } from './random.ts';
import type { Stage } from './stage.ts';

const SECOND = 1_000;

/** What the invariants want to know of the operators. */
export interface Watcher {
  /** A call of an operator arrives. */
  called(operation: string, args: readonly unknown[]): void;
  relisted(operator: Operator, repaired: number): void;
  /** An operator declared a gap of its feed. */
  gap(operator: Operator, reason: string): void;
}

export interface Operator {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly loop: Manager;
  readonly startedMs: number;
  /** SIGTERM. */
  readonly stop: () => void;
  stopping: boolean;
}

export class Operators {
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  readonly #watcher: Watcher;
  readonly #all: Operator[] = [];
  #number = 0;
  /** Told when one begins to lead. */
  readonly #awaitingLeader = new Set<() => void>();
  /** When an operator last was killed, frozen, thawed or stopped. */
  disturbedMs = 0;

  constructor(stage: Stage, watcher: Watcher) {
    this.#stage = stage;
    this.#random = stage.random.fork('operators');
    this.#watcher = watcher;
  }

  /** Those whose process exists. */
  get alive(): readonly Operator[] {
    return this.#all.filter(({ process, stopping }) => !process.killed && !stopping);
  }

  /** One leads that can do its work. */
  get leading(): Operator | undefined {
    return this.alive.find(({ process, loop }) => !process.frozen && loop.view().role === 'leader');
  }

  startAll(): void {
    for (let n = 0; n < this.#stage.settings.operators; n += 1) this.start();
  }

  start(): Operator {
    const { stage } = { stage: this.#stage };
    this.#number += 1;
    const name = `op${this.#number}`;
    const random = this.#random.fork(name);
    const stopper = new AbortController();
    const process = new SimulatedProcess({
      name,
      clock: stage.clock,
      world: stage.world,
      faultSchedule: stage.faultSchedule,
      random,
      log: this.#log(name, () => operator),
      skewMs: stage.has('skew') ? random.between(-3 * SECOND, 3 * SECOND) : 0,
      as: (operation, args, call) =>
        stage.as(name, () => {
          this.#watcher.called(operation, args);
          return call();
        }),
    });
    const loop = new Manager({
      config: stage.settings.config,
      ports: process.ports,
      metrics: this.#metrics(() => operator),
      holder: name,
      signal: stopper.signal,
    });
    const operator: Operator = {
      name,
      process,
      loop,
      startedMs: stage.clock.monotonic(),
      stopping: false,
      stop: () => {
        operator.stopping = true;
        this.#disturbed(`${name} is stopped`);
        stopper.abort();
      },
    };
    this.#all.push(operator);
    this.#disturbed(`${name} starts`);
    loop.run().then(
      () => stage.trace.say(name, 'ended'),
      (error: unknown) => stage.violate('an operator never falls', `${name}: ${(error as Error).stack ?? error}`),
    );
    return operator;
  }

  kill(operator: Operator): void {
    this.#disturbed(`${operator.name} is killed`);
    operator.process.kill();
  }

  /** Faults of processes, until they stop. */
  act(): void {
    const stage = this.#stage;
    const going = () => !stage.calm;
    if (stage.has('crashes')) {
      stage.every(this.#random.fork('crashes'), 5 * 60 * SECOND, going, () =>
        this.#crash(this.#random.between(0, 60) * SECOND),
      );
    }
    if (stage.has('partitions'))
      stage.every(this.#random.fork('partitions'), 3 * 60 * SECOND, going, () => this.#partition());
    if (stage.has('freezes')) stage.every(this.#random.fork('freezes'), 4 * 60 * SECOND, going, () => this.#freeze());
    if (stage.has('storms')) {
      stage.every(this.#random.fork('storms'), 15 * 60 * SECOND, going, () => this.#storm(this.#random.between(3, 8)));
    }
  }

  /** As many run as shall, all of them thawed. */
  clear(): void {
    for (const { process } of this.alive) {
      process.mend();
      process.thaw();
    }
    while (this.alive.length < this.#stage.settings.operators) this.start();
  }

  /** Replaces the leader, by a kill or by a stop. */
  restart(): void {
    const leader = this.leading ?? this.alive[0];
    if (leader === undefined) return;
    if (this.#random.chance(0.5)) this.kill(leader);
    else leader.stop();
    this.start();
  }

  #crash(downMs: number): void {
    const [victim] = this.#shuffled();
    if (victim === undefined) return;
    if (this.#random.chance(0.3)) victim.stop();
    else this.kill(victim);
    this.#stage.clock.schedule(downMs, () => {
      if (this.alive.length < this.#stage.settings.operators) this.start();
    });
  }

  #storm(left: number): void {
    if (left === 0 || this.#stage.calm) return;
    this.#crash(this.#random.between(0, 5) * SECOND);
    this.#stage.clock.schedule(this.#random.between(1, 20) * SECOND, () => this.#storm(left - 1));
  }

  #partition(): void {
    const [victim] = this.#shuffled();
    if (victim === undefined) return;
    const otherwiseMs = this.#random.wait(20 * SECOND);
    const isCut = () => {
      this.#disturbed(`${victim.name} is cut off`);
      this.#lasts(otherwiseMs, () => {
        this.#disturbed(`${victim.name} is no longer cut off`);
        victim.process.mend();
      });
    };
    if (this.#random.chance(0.6)) {
      victim.process.cutAtNext('state.commit', isCut);
      return;
    }
    victim.process.cut();
    isCut();
  }

  /** Mostly ends when another has just begun to lead, so that old requests meet new ones; always ends. */
  #lasts(otherwiseMs: number, end: () => void): void {
    const { clock, settings } = this.#stage;
    if (!this.#random.chance(0.7)) {
      clock.schedule(otherwiseMs, end);
      return;
    }
    let ended = false;
    const once = () => {
      if (ended) return;
      ended = true;
      this.#awaitingLeader.delete(wait);
      end();
    };
    const wait = () => clock.schedule(this.#random.between(0, 1_500), once);
    this.#awaitingLeader.add(wait);
    clock.schedule(2 * settings.config.leaseMs, once);
  }

  #freeze(): void {
    const [victim] = this.#shuffled();
    if (victim === undefined || victim.process.frozen) return;
    this.#disturbed(`${victim.name} is frozen`);
    victim.process.freeze();
    this.#lasts(this.#random.between(1, 90) * SECOND, () => {
      if (!victim.process.frozen) return;
      this.#disturbed(`${victim.name} thaws`);
      victim.process.thaw();
    });
  }

  /** Mostly the leader first: what happens to a standby hardly matters. */
  #shuffled(): readonly Operator[] {
    const { leading } = this;
    const others = this.alive.filter((operator) => operator !== leading);
    if (leading !== undefined && (others.length === 0 || this.#random.chance(0.8))) return [leading];
    return others.length === 0 ? [] : [this.#random.pick(others)];
  }

  #disturbed(what: string): void {
    this.disturbedMs = this.#stage.clock.monotonic();
    this.#stage.trace.say('ops', what);
  }

  #metrics(operator: () => Operator): Metrics {
    const metrics = createMetrics();
    return {
      ...metrics,
      feed: { ...metrics.feed, relisted: (repaired) => this.#watcher.relisted(operator(), repaired) },
      leading: (epoch) => {
        const leads = epoch !== undefined;
        this.#stage.trace.say(operator().name, leads ? 'leads' : 'leads no more');
        if (leads) for (const told of [...this.#awaitingLeader]) told();
      },
    };
  }

  #log(name: string, operator: () => Operator): Log {
    const { trace } = this.#stage;
    const keep = (fields: object, message: string) => {
      const { enclaveId, error, reason, feed, class: errorClass } = fields as Record<string, unknown>;
      const parts = [enclaveId, feed, reason, error ?? errorClass].filter((part) => part !== undefined);
      trace.say(name, `${message}${parts.length === 0 ? '' : `: ${parts.map(String).join(', ')}`}`);
      if (message.startsWith('changes may have been missed')) this.#watcher.gap(operator(), String(reason));
      if (errorClass === 'Unexpected') this.#stage.violate('no surprises', `${String(enclaveId)}: ${String(error)}`);
    };
    return { debug: () => {}, info: () => {}, warn: keep, error: keep };
  }
}
