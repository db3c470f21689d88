/** One seed from beginning to end: chaos, recovery, rest, work without faults, and the end everybody asked for. */
import { createMemoryWorld } from '../support/memory-world.ts';
import { VIRTUAL_START_MS, VirtualClock } from '../support/virtual-clock.ts';
import { App, type Owned } from './app.ts';
import { Cloud } from './cloud.ts';
import { FaultSchedule } from './fault-schedule.ts';
import { disobedience, unrest } from './goal.ts';
import { Limits } from './limits.ts';
import { Liveness } from './liveness.ts';
import { Operators } from './operators.ts';
import { PlanSafety } from './plan-safety.ts';
import { SeededRandom } from './random.ts';
import { Safety } from './safety.ts';
import { type Options, type Settings, settingsOf } from './settings.ts';
import { OWN_RULE, Stage, type Violation } from './stage.ts';
import { Trace } from './trace.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Once faults have stopped: the sum of the deadlines that may lie ahead, one after the other. */
const CONVERGE_MS = 60 * MINUTE;
const LOOK_MS = 5 * SECOND;

export interface Result {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Of the whole trace: the same for the same seed. */
  readonly digest: string;
  readonly lines: readonly string[];
  readonly virtualMs: number;
  readonly runs: number;
  readonly settings: Settings;
}

/** Plays a seed. Never rejects: what falls over is a violation as well. */
export async function simulate(seed: number, options: Options = {}): Promise<Result> {
  const random = new SeededRandom(`seed ${seed}`);
  const settings = settingsOf(seed, random.fork('settings'), options);
  const clock = new VirtualClock();
  const trace = new Trace(() => clock.now() - VIRTUAL_START_MS);
  const world = createMemoryWorld({
    clock,
    random: random.fork('world').port,
    hostTimings: { reportEveryMs: 2 * MINUTE },
    sweepPageSize: 3,
  });
  const limits = new Limits(() => clock.monotonic());
  // The name of a fork is part of its seed: this one keeps the histories of known seeds as they are.
  const faultSchedule = new FaultSchedule(settings, random.fork('weather'), limits);
  const stage = new Stage({ settings, clock, world, faultSchedule, trace, random });
  const play = new Play(stage);
  try {
    await play.all();
  } catch (error) {
    stage.violate(OWN_RULE, (error as Error).stack ?? String(error));
  }
  play.end();
  return {
    seed,
    violation: stage.violation,
    digest: trace.digest(),
    lines: trace.lines,
    virtualMs: clock.monotonic(),
    runs: play.runs,
    settings,
  };
}

class Play {
  readonly #stage: Stage;
  readonly #app: App;
  readonly #cloud: Cloud;
  readonly #safety: Safety;
  readonly #liveness: Liveness;
  readonly #operators: Operators;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#cloud = new Cloud(stage);
    this.#app = new App(stage);
    this.#safety = new Safety(stage, this.#app);
    new PlanSafety(stage);
    this.#liveness = new Liveness(stage, this.#app, this.#safety);
    this.#operators = new Operators(stage, this.#liveness);
  }

  get runs(): number {
    return this.#safety.intents;
  }

  async all(): Promise<void> {
    const { trace, settings } = this.#stage;
    trace.say(
      'seed',
      `${settings.seed}: ${settings.fleet} enclaves, ${settings.operators} operators, ${[...settings.faults].join(' ')}`,
    );
    this.#app.found();
    this.#operators.startAll();
    this.#liveness.watch(this.#operators);
    this.#app.act(() => !this.#stage.calm);
    this.#cloud.act();
    this.#operators.act();
    await this.#pass(settings.chaosMs);

    this.#stage.calm = true;
    trace.say('seed', 'faults stop');
    this.#cloud.clear();
    this.#operators.clear();
    this.#liveness.calm();
    await this.#converge(false);

    trace.say('seed', 'all is at rest; the leader is replaced');
    this.#liveness.quiet(true);
    this.#operators.restart();
    await this.#pass(2 * settings.config.relistMs);
    this.#liveness.quiet(false);

    trace.say('seed', 'the application works on');
    await this.#workOn();
    await this.#converge(true);
    trace.say('seed', 'the end');
  }

  /** Processes hold timers; nothing of them shall outlive the play. */
  end(): void {
    for (const operator of this.#operators.alive) operator.process.kill();
  }

  async #pass(ms: number): Promise<void> {
    const { clock } = this.#stage;
    let over = false;
    clock.schedule(ms, () => {
      over = true;
    });
    await clock.advanceUntil(() => over || this.#stage.violation !== undefined, ms + 1);
  }

  /** Users command and edit, retry what failed, and correct what was not valid; shards split under it. */
  async #workOn(): Promise<void> {
    const { random, settings, world } = this.#stage;
    const own = random.fork('work');
    for (const owned of this.#living()) {
      await this.#pass(own.between(SECOND, 15 * SECOND));
      if (this.#stage.violation !== undefined) return;
      const name = own.pick(['records', 'state', 'history'] as const);
      if (own.chance(0.2)) world.tables[name].stream.repeat(5);
      if (own.chance(0.4)) {
        this.#cloud.endShards(name, own);
        await this.#pass(own.between(10, SECOND));
      }
      // Two changes, the second while the first is being looked at.
      this.#app.rename(owned);
      await this.#pass(own.between(100, 3 * SECOND));
      this.#workOnOne(owned, own);
    }
    // What only a list would find, a list finds by now.
    await this.#pass(1.2 * settings.config.relistMs + MINUTE);
  }

  #workOnOne(owned: Owned, own: SeededRandom): void {
    const app = this.#app;
    const lifecycle = this.#stage.world.tables.state.get(`enclave#${owned.id}`, 'lifecycle');
    if (!owned.valid) app.edit(owned, true);
    else if (app.statusOf(owned) === 'FAILED') app.command(owned, 'PENDING_DEPLOY');
    else if (lifecycle?.phase === 'stalled') app.request(owned, 'retry');
    else if (own.chance(0.4)) app.edit(owned, true);
    else if (own.chance(0.8)) app.gated(owned);
  }

  #living(): readonly Owned[] {
    return [...this.#app.enclaves.values()].filter((owned) => owned.identity !== undefined);
  }

  /** Waits until everything is at rest, and as it was asked for. */
  async #converge(strictly: boolean): Promise<void> {
    const stage = this.#stage;
    const limit = stage.clock.monotonic() + CONVERGE_MS;
    const restless = () => {
      for (const owned of this.#app.enclaves.values()) {
        const why = unrest(stage, owned);
        if (why !== undefined) return `${owned.id}: ${why}`;
      }
      return undefined;
    };
    for (let why = restless(); why !== undefined; why = restless()) {
      if (stage.violation !== undefined) return;
      if (stage.clock.monotonic() >= limit) return stage.violate('everything converges', why);
      await this.#pass(LOOK_MS);
    }
    for (const owned of this.#app.enclaves.values()) {
      const why = disobedience(stage, owned, strictly);
      if (why !== undefined) stage.violate('the last standing command wins', `${owned.id}: ${why}`);
    }
  }
}
