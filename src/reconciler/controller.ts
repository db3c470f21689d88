/** Controller: the workers of one term of leadership: takes enclaves off the queue and reconciles them. */
import PQueue from 'p-queue';
import type { Config } from './config.ts';
import type { Term } from './leader-election.ts';
import type { RunSlots } from './limits/run-slots.ts';
import type { FleetSource, Metrics } from './metrics/index.ts';
import type { Log, Ports } from './ports/index.ts';
import type { Progress } from './progress.ts';
import { failureClassOf, LOST_RACES } from './queue/backoff.ts';
import type { Retries } from './queue/retries.ts';
import { PRIORITY, type WorkQueue } from './queue/work-queue.ts';
import type { ReconcileRequest } from './reconcile/context.ts';
import type { DriftAnswers } from './reconcile/drift-answers.ts';
import type { ReconcileResult } from './reconcile/reconcile.ts';
import type { RepairBudget } from './repair/budget.ts';

const DRAIN_MS = 20_000;

/** Runs until the signal aborts. Never rejects. */
export type Runnable = (signal: AbortSignal) => Promise<unknown>;

/** Everything it works with; `assemble.ts` makes it. */
export interface ControllerParts {
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly config: Pick<Config, 'workers'>;
  readonly term: Pick<Term, 'epoch' | 'lost'>;
  readonly metrics: Pick<Metrics, 'reconciled' | 'failed' | 'fleet'>;
  readonly queue: WorkQueue;
  readonly reconcile: (request: ReconcileRequest) => Promise<ReconcileResult>;
  readonly retries: Retries;
  readonly slots: RunSlots;
  readonly repairs: Pick<RepairBudget, 'close'>;
  readonly driftAnswers: Pick<DriftAnswers, 'stop'>;
  /** Enclaves for which a request or a plan result was written since they were last read. */
  readonly requested: Set<string>;
  readonly progress: Progress;
  /** Lists, streams and observers, which run beside the workers. */
  readonly runnables: readonly Runnable[];
  readonly fleet: FleetSource;
}

/**
 * Runs while its term lasts.
 *
 * *Guarantees*: an enclave is reconciled by one worker at a time; when it stops, streams are closed and work under way
 * has ended (or its budget has) before `stop` resolves.
 */
export class Controller {
  readonly #parts: ControllerParts;
  readonly #workers: PQueue;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #reconciles = 0;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    // It bounds how many reconciles go on at once, and nothing else: which enclave is next is the work queue's word.
    this.#workers = new PQueue({ concurrency: parts.config.workers });
    parts.queue.onReady(() => this.#startWorker());
  }

  get progress(): Progress {
    return this.#parts.progress;
  }

  /** True after the first full list. */
  get synced(): boolean {
    return this.#parts.progress.synced;
  }

  get queueDepth(): number {
    return this.#parts.queue.depth;
  }

  /** Reconciles under way. */
  get activeWorkers(): number {
    return this.#parts.queue.processing;
  }

  longestRunningMs(): number {
    return this.#parts.queue.longestRunningMs();
  }

  get runsInFlight(): number {
    return this.#parts.slots.inFlight;
  }

  /** Enclaves that wait for a run slot. */
  get runsWaiting(): number {
    return this.#parts.slots.waiting;
  }

  start(): void {
    const { metrics, fleet, runnables } = this.#parts;
    metrics.fleet.source(fleet);
    this.#running = Promise.all(runnables.map((run) => run(this.#stopping.signal)));
  }

  /** Stops intake, lets work under way end, closes the streams. */
  async stop(): Promise<void> {
    const { ports, metrics, queue, repairs, driftAnswers } = this.#parts;
    metrics.fleet.source(undefined);
    queue.close();
    repairs.close();
    this.#stopping.abort();
    const drained = new AbortController();
    const work = Promise.all([this.#workers.onIdle(), this.#running, driftAnswers.stop()]).finally(() =>
      drained.abort(),
    );
    await Promise.race([work, ports.clock.sleep(DRAIN_MS, drained.signal)]);
  }

  /** One that waits for its turn is enough: it takes what is most urgent by then. */
  #startWorker(): void {
    if (this.#workers.size === 0) void this.#workers.add(() => this.#workNext());
  }

  async #workNext(): Promise<void> {
    const next = this.#parts.queue.take();
    if (next === undefined) return;
    // Others may be ready as well: a timer calls once for all whose time has come.
    this.#startWorker();
    await this.#work(next.key);
  }

  async #work(id: string): Promise<void> {
    const { ports, metrics, term, queue, retries, slots, requested, progress } = this.#parts;
    const began = ports.clock.monotonic();
    const seconds = () => (ports.clock.monotonic() - began) / 1_000;
    this.#reconciles += 1;
    const log = logWith(ports.log, { reconcileId: `${term.epoch}-${this.#reconciles}`, epoch: term.epoch });
    // Taken before anything is read: a request that is written from now on announces itself.
    const isRequested = requested.delete(id);
    try {
      const result = await this.#parts.reconcile({ id, requested: isRequested, log });
      metrics.reconciled(result.kind, seconds());
      if (result.kind === 'conflict') {
        if (isRequested) requested.add(id);
        const cause = 'a condition of the write failed: the lifecycle changed, or the lock or run item already exists';
        const conflicts = retries.conflicted(id, cause, log);
        // What cannot be committed must not keep a slot from others.
        if (conflicts > LOST_RACES) slots.leave(id);
        return;
      }
      retries.succeeded(id);
      if (result.kind === 'ignored') return;
      if (result.asked) requested.add(id);
      queue.add(id, { priority: PRIORITY.resync, delayMs: result.requeueAfterMs });
    } catch (error) {
      if (isRequested) requested.add(id);
      metrics.reconciled('error', seconds());
      metrics.failed(failureClassOf(error));
      // An enclave that cannot be reconciled gives its place in line to the next.
      slots.leave(id);
      if (!term.lost.aborted) retries.failed(id, error, log);
    } finally {
      progress.reconciled();
      queue.done(id);
    }
  }
}

/** A log that adds fields to every line. */
function logWith(log: Log, fields: object): Log {
  return {
    debug: (own, message) => log.debug({ ...fields, ...own }, message),
    info: (own, message) => log.info({ ...fields, ...own }, message),
    warn: (own, message) => log.warn({ ...fields, ...own }, message),
    error: (own, message) => log.error({ ...fields, ...own }, message),
  };
}
