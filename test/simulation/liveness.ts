/** Liveness: what must happen within a time, checked all along. */
import { isCommand } from '../../src/enclave/record.ts';
import { type App, type Owned, ownerOf } from './app.ts';
import type { Operator, Operators, Watcher } from './operators.ts';
import type { Safety } from './safety.ts';
import { isOperator, type Stage } from './stage.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** From a change to the read that begins its reconcile, once faults have stopped. */
const REACTION_MS = 10 * SECOND;
/** A killed leader's lease, and the list of its successor. */
const TAKEOVER_MS = 30 * SECOND;
const TICK_MS = SECOND;
const HELD_TICK_MS = 10 * SECOND;
/** What a deadline may be late by: backoff after failed calls, and the calls themselves. */
const SLACK_MS = 2 * MINUTE;
/** A new leader, or one whose calls failed, has caught up after this long. */
const CATCH_UP_MS = 3 * MINUTE;

export class Liveness implements Watcher {
  readonly #stage: Stage;
  readonly #app: App;
  readonly #safety: Safety;
  /** Changes nobody has looked at yet, and since when. */
  readonly #changes = new Map<string, number>();
  /** What the application did while nobody could look, and until when nobody could. */
  readonly #seen = new Map<string, { readonly touchedMs: number; readonly atMs: number }>();
  /** Since when something stood in the way of every operator. */
  #hinderedMs = 0;
  /** Until then, a relist may find what the stream has not told. */
  #gapMs = Number.NEGATIVE_INFINITY;
  /** While nothing is due, nothing may be started. */
  #quiet = false;

  constructor(stage: Stage, app: App, safety: Safety) {
    this.#stage = stage;
    this.#app = app;
    this.#safety = safety;
    stage.world.tables.records.watch((before, after) => {
      if (isOperator(stage.actor)) return;
      this.#changes.set(String((after ?? before)?.id), stage.clock.monotonic());
    });
  }

  /** Faults have stopped: from now on every change is looked at in time, and no gap is felt for long. */
  calm(): void {
    this.#changes.clear();
    this.#gapMs = this.#stage.clock.monotonic();
  }

  /** From now on, and until told otherwise, nothing is due. */
  quiet(is: boolean): void {
    this.#quiet = is;
  }

  watch(operators: Operators): void {
    const tick = () => {
      this.#tick(operators);
      this.#stage.clock.schedule(TICK_MS, tick);
    };
    tick();
  }

  called(operation: string, args: readonly unknown[]): void {
    if (operation === 'records.get') this.#changes.delete(String(args[0]));
    else if (operation === 'workflows.start') this.#started(String(args[0]), String(args[2]));
    else if (operation === 'hosts.askToReport') this.#safety.asking(String(args[1]));
    else if (operation.startsWith('hosts.')) this.#acted(operation, String(args[1]));
    else if (operation.startsWith('tasks.stop')) this.#stage.trace.say(this.#stage.actor, `stops ${String(args[0])}`);
  }

  gap(operator: Operator, reason: string): void {
    if (this.#stage.calm && this.#stage.clock.monotonic() > this.#gapMs + 5 * MINUTE) {
      this.#stage.violate('no gap is declared where there is none', `${operator.name}: ${reason}`);
    }
    this.#gapMs = this.#stage.clock.monotonic();
  }

  relisted(operator: Operator, repaired: number): void {
    if (repaired === 0) return;
    this.#stage.trace.say(operator.name, `a list repaired ${repaired}`);
    if (this.#stage.calm && this.#stage.clock.monotonic() > this.#gapMs + 2 * this.#stage.settings.config.relistMs) {
      this.#stage.violate('without a gap a list repairs nothing', `${operator.name} found ${repaired} by its list`);
    }
  }

  #started(name: string, id: string): void {
    this.#stage.trace.say(this.#stage.actor, `starts ${name}`);
    this.#safety.starting(name, id);
    this.#disturbsRest(`${name} is started`);
  }

  #acted(operation: string, instanceId: string): void {
    if (!['hosts.start', 'hosts.stop', 'hosts.restartEnclave'].includes(operation)) return;
    this.#stage.trace.say(this.#stage.actor, `${operation} ${instanceId.slice(-4)}`);
    this.#disturbsRest(`${operation} of ${instanceId}`);
  }

  #disturbsRest(what: string): void {
    if (this.#quiet) this.#stage.violate('a restart starts nothing that was not due', `${this.#stage.actor}: ${what}`);
  }

  #tick(operators: Operators): void {
    const now = this.#stage.clock.monotonic();
    const { faultSchedule, calm } = this.#stage;
    if (faultSchedule.outages.size > 0 || faultSchedule.limits.drained || operators.leading === undefined)
      this.#hinderedMs = now;
    const since = Math.max(this.#hinderedMs, operators.disturbedMs);
    if (now - since <= TAKEOVER_MS) this.#unseen(now);
    if (calm) this.#reacts(now, since);
    if (now % HELD_TICK_MS < TICK_MS) this.#holdsNobody(now, since);
  }

  /** While nobody can look, what the application does waits to be seen: its deadlines begin then. */
  #unseen(now: number): void {
    for (const owned of this.#app.enclaves.values()) {
      const seen = this.#seen.get(owned.id);
      // Written before this spell began, it had been seen by then.
      const waits = seen?.touchedMs === owned.touchedMs ? now - seen.atMs <= TICK_MS : now - owned.touchedMs <= TICK_MS;
      if (waits) this.#seen.set(owned.id, { touchedMs: owned.touchedMs, atMs: now });
    }
  }

  /** From when on an operator could have known what the application last did. */
  #seenMs(owned: Owned): number {
    const seen = this.#seen.get(owned.id);
    return seen?.touchedMs === owned.touchedMs ? seen.atMs : owned.touchedMs;
  }

  #reacts(now: number, disturbedMs: number): void {
    for (const [id, atMs] of this.#changes) {
      if (now - Math.max(atMs, disturbedMs + TAKEOVER_MS) <= REACTION_MS) continue;
      this.#stage.violate(
        'a change starts its reconcile in time',
        `${id} changed ${now - atMs} ms ago, and nobody looked`,
      );
    }
  }

  /** No status from which the application's gates let nobody out outlives its deadline. */
  #holdsNobody(now: number, disturbedMs: number): void {
    for (const owned of this.#app.enclaves.values()) {
      const record = owned.identity === undefined ? undefined : this.#stage.world.record(owned.id);
      const stored = this.#stage.world.tables.state.get(`enclave#${owned.id}`, 'lifecycle');
      const status = String(record?.status);
      const limitMs = this.#deadlineOf(status);
      // A record of another identity waits for the enclave before it: that has its own deadlines.
      const ours = record !== undefined && ownerOf(Object(stored?.identity)) === ownerOf(record);
      if (limitMs === undefined || !ours || stored?.absentBecause === 'recordGone') continue;
      // A run that a fault cut off is no attempt: the next one has its own deadline.
      const cutMs = this.#stage.runCutMs.get(owned.id) ?? 0;
      const since = Math.max(this.#seenMs(owned), this.#safety.begunMs(owned.id), cutMs);
      if (now - since <= limitMs + SLACK_MS || now - disturbedMs <= CATCH_UP_MS) continue;
      const what = isCommand(status) ? 'command' : 'status';
      this.#stage.violate(
        'no status holds anybody past its deadline',
        `${owned.id}: the ${what} ${status} stands since ${since}`,
      );
    }
  }

  #deadlineOf(status: string): number | undefined {
    const { config } = this.#stage.settings;
    if (status === 'PENDING_DEPLOY' || status === 'DEPLOYING') return config.deployDeadlineMs;
    if (status === 'PENDING_DESTROY' || status === 'DESTROYING') return config.destroyDeadlineMs;
    if (status === 'PAUSING') return config.pauseDeadlineMs;
    return status === 'RESUMING' ? config.resumeDeadlineMs : undefined;
  }
}
