/** Plan scheduler: starts the plan runs, and delivers what each found. */
import type { FleetRunItem, LedgerRun } from '../../enclave/items/fleet-run.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Outcome } from '../../enclave/items/run.ts';
import type { Config } from '../config.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { RunSlots } from '../limits/run-slots.ts';
import type { Ports } from '../ports/index.ts';
import { PlanLedger } from './ledger.ts';
import { resultsOf } from './result.ts';
import { PlanSchedule, WAIT_PART } from './schedule.ts';

export type Subject = FleetRunItem['enclaves'][number];
/** Of an enclave as it is stored, what a run is to plan. */
export type Asked =
  | { readonly kind: 'subject'; readonly subject: Subject }
  | { readonly kind: 'notNow' }
  /** Nothing of this revision, however long it stands. */
  | { readonly kind: 'never'; readonly revision: number };

export interface PlanSchedulerOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'fleetRuns' | 'workflows'>;
  readonly config: Pick<
    Config,
    'driftEveryMs' | 'driftRunSize' | 'maxDriftRuns' | 'driftDeadlineMs' | 'runBackstopMs' | 'taskStopMs'
  >;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
  readonly slots: Pick<RunSlots, 'spare' | 'hold' | 'release'>;
  /** True once everything was listed, and nothing forbids that a run is begun. */
  readonly mayStart: () => boolean;
  /** Reads the enclave anew. */
  readonly ask: (id: string) => Promise<Asked>;
  /** Told once of every run that is over and delivered. */
  readonly onEnded: (item: FleetRunItem, outcome: Outcome) => void;
}

const LONGEST_TICK_MS = 30_000;
const SHORTEST_TICK_MS = 1_000;
/** While somebody waits for a plan. */
const QUICK_MS = 2_000;
/** Of a run item, in bytes: DynamoDB takes 400 KB, and results come to what was asked. */
const MOST_BYTES = 200_000;

/** A key that no enclave's id is. */
const slotOf = (name: string) => `\u0000${name}`;

/**
 * ```
 *  due ─► ledger+run item, one transaction ─► StartExecution ─► results, outcome ─► plan results ─► off the ledger
 *                │ found in the ledger by whoever leads next:        │ execution over, no outcome: written here
 *                └──► started again under its name                   └──► its enclaves come due again, later
 * ```
 *
 * *Guarantees*: an enclave is in one run at a time, and in none while a result of it waits; never more runs than
 * `maxDriftRuns`, and none for which somebody else waits; a run stays on the ledger until the result of each of its
 * enclaves is stored, where the enclave's reconcile consumes it. *Caveats*: what is due is known of enclaves that were
 * listed or committed.
 */
export class PlanScheduler implements LifecycleListener {
  readonly #options: PlanSchedulerOptions;
  readonly #schedule: PlanSchedule;
  readonly #ledger: PlanLedger;
  /** Local time of the last look, ms. */
  readonly #lookedAt = new Map<string, number>();
  readonly #held = new Set<string>();
  #count = 0;
  #wake: () => void = () => {};

  constructor(options: PlanSchedulerOptions) {
    this.#options = options;
    const { ports, config, epoch } = options;
    this.#schedule = new PlanSchedule({ clock: ports.clock, config });
    this.#ledger = new PlanLedger({ fleetRuns: ports.fleetRuns, epoch });
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    if (this.#schedule.onUpsert(id, lifecycle)) this.#wake();
  }

  onDelete(id: string): void {
    this.#schedule.onDelete(id);
  }

  /** A run has an outcome. */
  told(name: string): void {
    this.#lookedAt.delete(name);
    this.#wake();
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options.ports;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      try {
        await this.#step();
      } catch (error) {
        // What was written, if anything, is read before the next write.
        this.#ledger.invalidate();
        log.warn({ error: String(error) }, 'plan runs could not be observed; trying again');
      }
      await clock.sleep(this.#pauseMs, AbortSignal.any([signal, woken.signal]));
    }
  }

  get #pauseMs(): number {
    if (this.#schedule.hasRequests) return QUICK_MS;
    const { driftEveryMs } = this.#options.config;
    const waitMs = driftEveryMs === 0 ? LONGEST_TICK_MS : driftEveryMs * WAIT_PART;
    return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, waitMs));
  }

  async #step(): Promise<void> {
    if (!this.#ledger.isCurrent) await this.#load();
    const running = this.#listOnce();
    for (const run of this.#ledger.runs) await this.#look(run, running);
    if (!this.#ledger.isCurrent || !this.#options.mayStart()) return;
    const asked = this.#schedule.requested(this.#ledger.enclaves);
    if (asked.length > 0) await this.#begin(asked);
    while (this.#ledger.runs.length < this.#options.config.maxDriftRuns) {
      const due = this.#schedule.due(this.#ledger.enclaves);
      if (due.length === 0 || !(await this.#begin(due))) return;
    }
  }

  async #load(): Promise<void> {
    await this.#ledger.load();
    const names = new Set(this.#ledger.runs.map(({ name }) => name));
    for (const name of this.#held) if (!names.has(name)) this.#release(name);
    for (const name of names) this.#hold(name);
  }

  #hold(name: string): void {
    this.#held.add(name);
    // Of no wallet, and no measure of how long others' runs take.
    this.#options.slots.hold(slotOf(name), { kind: 'destroy', owner: '' });
  }

  #release(name: string): void {
    this.#held.delete(name);
    this.#options.slots.release(slotOf(name));
  }

  /** False: nothing more can be begun now. */
  async #begin(ids: readonly string[]): Promise<boolean> {
    const { ports, config, slots, epoch } = this.#options;
    if (!slots.spare) return false;
    const enclaves = fitting(await Promise.all(ids.map((id) => this.#subjectOf(id))));
    if (enclaves.length === 0) return true;
    // Nothing waits between finding a slot free and holding it.
    if (!slots.spare) return false;
    const current = epoch();
    this.#count += 1;
    const name = `drift-${current}-${this.#count}`;
    this.#hold(name);
    const now = ports.clock.now();
    const startedAt = new Date(now).toISOString();
    const deadlineAt = new Date(now + config.driftDeadlineMs).toISOString();
    const run: LedgerRun = { name, startedAt, deadlineAt, enclaves: enclaves.map(({ id }) => id) };
    const start: FleetRunItem = { v: 1, minReader: 1, name, action: 'drift', requestedAt: startedAt, enclaves };
    if (!(await this.#ledger.add(run, start))) return false;
    this.#lookedAt.set(name, ports.clock.monotonic());
    await this.#start(run);
    return true;
  }

  async #subjectOf(id: string): Promise<Subject | undefined> {
    const asked = await this.#options.ask(id);
    if (asked.kind === 'subject') return asked.subject;
    if (asked.kind === 'never') this.#schedule.skip(id, asked.revision);
    else this.#schedule.drop(id);
    return undefined;
  }

  async #start({ name, enclaves }: LedgerRun): Promise<void> {
    const { workflows, log } = this.#options.ports;
    const answer = await workflows.startFleetRun(name, 'drift');
    if (answer === 'started') log.info({ run: name, enclaves: enclaves.length }, 'a drift run was started');
  }

  /** One list for all runs of a step. */
  #listOnce(): () => Promise<ReadonlySet<string>> {
    let names: Promise<ReadonlySet<string>> | undefined;
    return () => {
      names ??= this.#options.ports.workflows.running('drift');
      return names;
    };
  }

  /** Reads the item of a run that was told of, or has not been looked at for a while. */
  async #look(run: LedgerRun, running: () => Promise<ReadonlySet<string>>): Promise<void> {
    const { ports, config } = this.#options;
    const now = ports.clock.monotonic();
    const lookedAt = this.#lookedAt.get(run.name);
    if (lookedAt !== undefined && now - lookedAt < config.runBackstopMs) return;
    this.#lookedAt.set(run.name, now);
    let item = await ports.fleetRuns.run(run.name);
    if (item !== undefined && item.outcome === undefined) {
      const lost = await this.#lostOutcome(run, running);
      if (lost === undefined) return;
      await ports.fleetRuns.settle(run.name, lost);
      item = await ports.fleetRuns.run(run.name);
    }
    await this.#conclude(run, item);
  }

  /** What to write where the run can no longer end by itself; undefined where it can. Starts what never began. */
  async #lostOutcome(run: LedgerRun, running: () => Promise<ReadonlySet<string>>): Promise<Outcome | undefined> {
    const { ports, config, epoch } = this.#options;
    const { workflows, clock } = ports;
    const lateMs = clock.now() - Date.parse(run.deadlineAt);
    const at = new Date(clock.now()).toISOString();
    const timeout: Outcome = {
      result: 'failed',
      class: 'timeout',
      message: 'the drift run passed its deadline',
      at,
      by: 'operator',
    };
    const isListed = (await running()).has(run.name);
    const state = isListed ? 'running' : (await workflows.describe(run.name, 'drift')).state;
    switch (state) {
      case 'running':
        if (lateMs < 0) return undefined;
        epoch();
        await workflows.abort(run.name, 'drift', 'the run has passed its deadline');
        return lateMs >= config.taskStopMs ? timeout : undefined;
      case 'missing':
        if (lateMs >= 0) return timeout;
        epoch();
        await this.#start(run);
        return undefined;
      case 'succeeded':
      case 'failed':
        return { ...timeout, class: 'unknown', message: 'the execution ended without an outcome' };
    }
  }

  /** Results first, then off the ledger: a leader that dies in between leaves a run that the next one delivers again. */
  async #conclude(run: LedgerRun, item: FleetRunItem | undefined): Promise<void> {
    const { ports, epoch, onEnded } = this.#options;
    const now = ports.clock.now();
    const at = new Date(now).toISOString();
    const gone: Outcome = { result: 'failed', class: 'unknown', message: 'the run item is gone', at, by: 'operator' };
    const outcome = item?.outcome ?? gone;
    // Where any of this fails, the run is looked at again at once.
    this.#lookedAt.delete(run.name);
    epoch();
    await ports.fleetRuns.deliver(resultsOf(run, item, outcome, now));
    if (!(await this.#ledger.remove(run.name))) return;
    this.#release(run.name);
    if (item !== undefined) onEnded(item, outcome);
  }
}

/** As many as an item holds. */
function fitting(subjects: readonly (Subject | undefined)[]): Subject[] {
  const taken: Subject[] = [];
  let bytes = 0;
  for (const subject of subjects) {
    if (subject === undefined) continue;
    bytes += Buffer.byteLength(JSON.stringify(subject));
    if (taken.length > 0 && bytes > MOST_BYTES) break;
    taken.push(subject);
  }
  return taken;
}
