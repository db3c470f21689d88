/** Drift runs: whose full plan is due, which runs make them, and what came of each. */
import type { FleetLedger, FleetRunItem, LedgerRun } from '../enclave/fleet-run.ts';
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';
import type { Outcome } from '../enclave/run-item.ts';
import type { Config } from './config.ts';
import { isPlanAsked, planDueAt } from './plan-due.ts';
import type { PlanResult } from './plan-notes.ts';
import type { Ports } from './ports.ts';
import type { RunSlots } from './run-slots.ts';

export type Subject = FleetRunItem['enclaves'][number];
/** Of an enclave as it is stored, what a run is to plan. */
export type Asked =
  | { readonly kind: 'subject'; readonly subject: Subject }
  | { readonly kind: 'notNow' }
  /** Nothing of this revision, however long it stands. */
  | { readonly kind: 'never'; readonly revision: number };

export interface DriftRunsOptions {
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
  /** Told of an enclave whose result is to be entered. */
  readonly enqueue: (id: string) => void;
  /** Told once of every run that is over and entered. */
  readonly onEnded: (item: FleetRunItem, outcome: Outcome) => void;
}

interface Ended {
  readonly item: FleetRunItem | undefined;
  readonly outcome: Outcome;
  /** Enclaves whose result is not entered yet. */
  readonly pending: Set<string>;
  /** Local time from which nobody waits for them, ms. */
  readonly until: number;
}

const LONGEST_TICK_MS = 30_000;
const SHORTEST_TICK_MS = 1_000;
/** While somebody waits for a plan. */
const QUICK_MS = 2_000;
/** Where fewer than a run takes are due, they wait for others, for this part of the interval. */
const WAIT_PART = 1 / 24;
/** Of a run item, ms and bytes: DynamoDB takes 400 KB, and results come to what was asked. */
const MOST_BYTES = 200_000;
const ENTER_MS = 10 * 60_000;

/** A key that no enclave's id is. */
const slotOf = (name: string) => `\u0000${name}`;

/**
 * ```
 *  due ─► ledger+run item, one transaction ─► StartExecution ─► results, outcome ─► entered by reconciles ─► off the ledger
 *                │ found in the ledger by whoever leads next:        │ execution over, no outcome: written here
 *                └──► started again under its name                   └──► its enclaves come due again, later
 * ```
 *
 * *Guarantees*: an enclave is in one run at a time; never more runs than `maxDriftRuns`, and none for which somebody
 * else waits; a result stays readable until a reconcile has entered it. *Caveats*: what is due is known of enclaves that
 * were listed or committed.
 */
export class DriftRuns {
  readonly #options: DriftRunsOptions;
  readonly #due = new Map<string, number>();
  readonly #asked = new Set<string>();
  /** Revisions of which nothing is to be planned, whatever is due. */
  readonly #skipped = new Map<string, number>();
  readonly #results = new Map<string, PlanResult>();
  readonly #ended = new Map<string, Ended>();
  /** Local time of the last look, ms. */
  readonly #lookedAt = new Map<string, number>();
  readonly #held = new Set<string>();
  #ledger: FleetLedger | undefined;
  #isLoaded = false;
  #count = 0;
  #wake: () => void = () => {};

  constructor(options: DriftRunsOptions) {
    this.#options = options;
  }

  /** Told of a lifecycle as it now stands; undefined: forgotten. */
  know(id: string, lifecycle: ListedLifecycle | undefined): void {
    this.#asked.delete(id);
    const dueAt = lifecycle === undefined ? undefined : planDueAt(lifecycle, this.#options.config.driftEveryMs);
    if (dueAt === undefined) this.#due.delete(id);
    else this.#due.set(id, dueAt);
    if (lifecycle === undefined) {
      this.#skipped.delete(id);
      this.#forgetResult(id);
    } else if (this.#skipped.get(id) === lifecycle.revision) this.#due.delete(id);
    else if (isPlanAsked(lifecycle, this.#options.ports.clock.now())) {
      this.#asked.add(id);
      this.#wake();
    }
  }

  /** A run has an outcome. */
  told(name: string): void {
    this.#lookedAt.delete(name);
    this.#wake();
  }

  /** What was found of this enclave and is not entered yet. */
  resultOf(id: string): PlanResult | undefined {
    return this.#results.get(id);
  }

  /** A reconcile has committed it, or has found it overtaken. */
  entered(id: string, run: string): void {
    if (this.#results.get(id)?.run === run) this.#forgetResult(id);
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
        this.#isLoaded = false;
        log.warn({ error: String(error) }, 'drift runs could not be seen to; trying again');
      }
      await clock.sleep(this.#pauseMs, AbortSignal.any([signal, woken.signal]));
    }
  }

  get #pauseMs(): number {
    if (this.#asked.size > 0) return QUICK_MS;
    const { driftEveryMs } = this.#options.config;
    const waitMs = driftEveryMs === 0 ? LONGEST_TICK_MS : driftEveryMs * WAIT_PART;
    return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, waitMs));
  }

  async #step(): Promise<void> {
    const { mayStart } = this.#options;
    if (!this.#isLoaded) await this.#load();
    const running = this.#listOnce();
    for (const run of this.#runs) await this.#look(run, running);
    await this.#clear();
    if (!mayStart()) return;
    const { driftRunSize } = this.#options.config;
    const busy = this.#busy();
    const asked = [...this.#asked].filter((id) => !busy.has(id)).slice(0, driftRunSize);
    if (asked.length > 0) await this.#begin(asked);
    for (let ripe = this.#ripe(); ripe.length > 0 && this.#isBelowCap; ripe = this.#ripe()) {
      if (!(await this.#begin(ripe))) return;
    }
  }

  get #runs(): readonly LedgerRun[] {
    return this.#ledger?.runs ?? [];
  }

  get #isBelowCap(): boolean {
    return this.#runs.filter(({ name }) => !this.#ended.has(name)).length < this.#options.config.maxDriftRuns;
  }

  async #load(): Promise<void> {
    this.#ledger = await this.#options.ports.fleetRuns.ledger();
    this.#isLoaded = true;
    const names = new Set(this.#runs.map(({ name }) => name));
    for (const name of this.#held) if (!names.has(name)) this.#release(name);
    for (const name of names) if (!this.#ended.has(name)) this.#hold(name);
  }

  #hold(name: string): void {
    this.#held.add(name);
    // Of no wallet, and no measure of how long others' runs take.
    this.#options.slots.hold(slotOf(name), { kind: 'destroy', owner: '' }, true);
  }

  #release(name: string): void {
    this.#held.delete(name);
    this.#options.slots.release(slotOf(name));
  }

  #forgetResult(id: string): void {
    this.#results.delete(id);
    for (const { pending } of this.#ended.values()) if (pending.delete(id) && pending.size === 0) this.#wake();
  }

  /** Enclaves of runs that are not entered. */
  #busy(): ReadonlySet<string> {
    return new Set(this.#runs.flatMap(({ enclaves }) => enclaves));
  }

  /** Whose plan is due, the oldest first; none where fewer than a run takes have waited for too short a time. */
  #ripe(): readonly string[] {
    const { config, ports } = this.#options;
    const now = ports.clock.now();
    const busy = this.#busy();
    const due: [string, number][] = [];
    // Most of a fleet is not due, and this passes over all of it.
    for (const entry of this.#due) if (entry[1] <= now && !busy.has(entry[0])) due.push(entry);
    due.sort(([, a], [, b]) => a - b);
    const waitedMs = now - (due[0]?.[1] ?? now);
    const isRipe = due.length >= config.driftRunSize || waitedMs >= config.driftEveryMs * WAIT_PART;
    return due.length > 0 && isRipe ? due.slice(0, config.driftRunSize).map(([id]) => id) : [];
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
    if (!(await this.#commit([...this.#runs, run], start))) return false;
    this.#lookedAt.set(name, ports.clock.monotonic());
    await this.#start(run);
    return true;
  }

  async #subjectOf(id: string): Promise<Subject | undefined> {
    const asked = await this.#options.ask(id);
    if (asked.kind === 'subject') return asked.subject;
    // What is listed or committed from now on says anew whether something is due.
    this.#due.delete(id);
    this.#asked.delete(id);
    if (asked.kind === 'never') this.#skipped.set(id, asked.revision);
    return undefined;
  }

  async #start({ name, enclaves }: LedgerRun): Promise<void> {
    const { workflows, log } = this.#options.ports;
    const answer = await workflows.startFleetRun(name, 'drift');
    if (answer === 'started') log.info({ run: name, enclaves: enclaves.length }, 'a drift run was started');
  }

  async #commit(runs: readonly LedgerRun[], start?: FleetRunItem): Promise<boolean> {
    const { fleetRuns } = this.#options.ports;
    const readRevision = this.#ledger?.revision;
    const ledger: FleetLedger = {
      v: 1,
      minReader: 1,
      ...this.#ledger,
      runs: [...runs],
      revision: (readRevision ?? 0) + 1,
      epoch: this.#options.epoch(),
    };
    const result = await fleetRuns.commit({ ledger, readRevision, start });
    if (result === 'committed') this.#ledger = ledger;
    else this.#isLoaded = false;
    return result === 'committed';
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
    if (this.#ended.has(run.name)) return;
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
    this.#conclude(run, item);
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

  /** Every enclave of the run gets a result, be it that there is none. */
  #conclude(run: LedgerRun, item: FleetRunItem | undefined): void {
    const { ports, enqueue } = this.#options;
    const at = new Date(ports.clock.now()).toISOString();
    const gone: Outcome = { result: 'failed', class: 'unknown', message: 'the run item is gone', at, by: 'operator' };
    const outcome = item?.outcome ?? gone;
    const { class: why = 'unknown', message = 'the run ended before it came to this enclave' } = outcome;
    for (const id of run.enclaves) {
      const found = item?.results?.[id];
      const generation = item?.enclaves.find((each) => each.id === id)?.generation ?? -1;
      const lost = { id, generation, startedAt: run.startedAt, at, failure: { class: why, message } };
      const result = { ...(found ?? lost), run: run.name, askedAt: run.startedAt, lost: found === undefined };
      this.#results.set(id, result);
    }
    const until = ports.clock.monotonic() + ENTER_MS;
    this.#ended.set(run.name, { item, outcome, pending: new Set(run.enclaves), until });
    this.#lookedAt.delete(run.name);
    this.#release(run.name);
    for (const id of run.enclaves) enqueue(id);
  }

  /** Takes off the ledger what is entered. */
  async #clear(): Promise<void> {
    const { ports, onEnded } = this.#options;
    const now = ports.clock.monotonic();
    const done = [...this.#ended].filter(([, { pending, until }]) => pending.size === 0 || now >= until);
    if (done.length === 0) return;
    const names = new Set(done.map(([name]) => name));
    if (!(await this.#commit(this.#runs.filter(({ name }) => !names.has(name))))) return;
    for (const [name, { item, outcome, pending }] of done) {
      this.#ended.delete(name);
      for (const id of pending) if (this.#results.get(id)?.run === name) this.#results.delete(id);
      if (item !== undefined) onEnded(item, outcome);
    }
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
