/** Controller: one term of leadership: feed, queue, workers, sweeps. */
import PQueue from 'p-queue';
import type { Control } from '../enclave/fleet-items.ts';
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';
import { rememberedWorkOut } from '../enclave/spec-memo.ts';
import { AttestationObserver } from './attestation-observer.ts';
import { emitBreakerEvent } from './circuit-breaker.ts';
import type { Config } from './config.ts';
import type { ReconcileContext } from './context.ts';
import { DeepLooks } from './deep-looks.ts';
import { DriftAnswers } from './drift-answers.ts';
import { driftSubject } from './drift-subject.ts';
import { Feed } from './feed.ts';
import { Fleet } from './fleet.ts';
import { FleetTally } from './fleet-tally.ts';
import { isHealthy } from './health.ts';
import { logHeartbeats } from './heartbeat.ts';
import { HostObserver } from './host-observer.ts';
import type { Term } from './leader.ts';
import { logWith } from './log-with.ts';
import type { Metrics } from './metrics/index.ts';
import { NameCollisions } from './name-collisions.ts';
import { Notifier } from './notify/notifier.ts';
import type { Log, Ports } from './ports.ts';
import { PRIORITY, WorkQueue } from './queue.ts';
import { reconcile } from './reconcile.ts';
import { RepairGovernor, repairLimitsOf } from './repair-governor.ts';
import { ReportFreshness } from './report-freshness.ts';
import { failureClassOf, failureLine, LOST_RACES, retryAfter } from './retry-policy.ts';
import { RunObserver } from './run-observer.ts';
import { RunSlots } from './run-slots.ts';
import { SecondLooks } from './second-looks.ts';
import { StatusObserver } from './status-observer.ts';
import { SurroundingsObserver } from './surroundings-observer.ts';
import { sweepRegions } from './sweeps.ts';
import { tellCommit } from './tell-commit.ts';
import { WalletQuota } from './wallet-quota.ts';
import { Stopwatches } from './watchdog.ts';

const DRAIN_MS = 20_000;

export interface ControllerOptions {
  readonly ports: Ports;
  readonly config: Config;
  readonly control: Control;
  readonly term: Term;
  readonly metrics: Metrics;
}

/**
 * Runs while its term lasts.
 *
 * *Guarantees*: an enclave is reconciled by one worker at a time; when it stops, streams are closed and work under way
 * has ended (or its budget has) before `stop` resolves.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #workers: PQueue;
  readonly #feed: Feed;
  readonly #fleet: Fleet;
  readonly #tally = new FleetTally();
  readonly #slots: RunSlots;
  readonly #publishes: Stopwatches;
  readonly #notifier: Notifier;
  readonly #quota: WalletQuota;
  readonly #names = new NameCollisions();
  readonly #repairs: RepairGovernor;
  readonly #deep: DeepLooks;
  readonly #driftAnswers: DriftAnswers;
  readonly #context: ReconcileContext;
  readonly #failures = new Map<string, number>();
  /** Conflicts in a row, by enclave. */
  readonly #conflicts = new Map<string, number>();
  /** Enclaves for which a request or a plan result was written since they were last read. */
  readonly #asked = new Set<string>();
  #reconciles = 0;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #progressAt: number;
  #polledAt: number;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { ports, config, term } = options;
    this.#progressAt = ports.clock.monotonic();
    this.#polledAt = this.#progressAt;
    const notifier = new Notifier({
      ports,
      config,
      epoch: term.epoch,
      alive: () => this.#alive(),
    });
    this.#notifier = notifier;
    // What is appended to this history is told as well.
    const heard = { ...ports, history: notifier.hearing(ports.history) };
    this.#publishes = new Stopwatches(ports.clock);
    this.#queue = new WorkQueue(ports.clock, () => this.#pump(), options.metrics.queue);
    this.#workers = new PQueue({ concurrency: config.workers });
    // Whoever is woken has waited long, and a slot stands empty until it is looked at.
    const wake = (id: string) => this.#queue.add(id, { priority: PRIORITY.command });
    this.#quota = new WalletQuota(config.maxEnclavesPerWallet, wake);
    this.#slots = new RunSlots({
      clock: ports.clock,
      max: config.maxRuns,
      maxPerOwner: config.maxRunsPerWallet,
      createsPerSecond: config.runInstancesPerSecond,
      wake,
    });
    const repairs = new RepairGovernor({
      limits: repairLimitsOf(config),
      defaultRegion: config.region,
      clock: ports.clock,
      wake: (id) => this.#queue.add(id, { priority: PRIORITY.drift }),
      onBreaker: (change) => void emitBreakerEvent(change, heard),
    });
    this.#repairs = repairs;
    const reports = new ReportFreshness(ports.clock);
    const secondLooks = new SecondLooks(ports.clock, 2 * config.sweepMs);
    const onDrift = (id: string) => this.#queue.add(id, { priority: PRIORITY.drift });
    const hosts = new HostObserver(ports, config, onDrift, (region, byEnclave) => {
      void this.#deep.swept(region, byEnclave);
    });
    const fleet = new Fleet({
      ports,
      config,
      control: options.control,
      epoch: () => term.assert(),
      enqueue: (id, priority) => this.#queue.add(id, { priority }),
      onHold: (hold) => notifier.sawHold(hold),
    });
    this.#fleet = fleet;
    this.#deep = new DeepLooks({
      ports: heard,
      config,
      control: () => fleet.control,
      slots: this.#slots,
      metrics: options.metrics,
      epoch: () => term.assert(),
      synced: () => this.synced,
      exists: (id) => fleet.exists(id),
      fleetSize: () => this.#tally.size,
      deletionsAllowed: () => fleet.deletionsAllowed,
      onLifecycle: (id, lifecycle) => this.#context.onLifecycle(id, lifecycle),
      ask: (id) => driftSubject(id, this.#context),
      enqueue: (id) => this.#queue.add(id, { priority: PRIORITY.drift }),
    });
    this.#driftAnswers = new DriftAnswers({ ports, config, epoch: () => term.assert() });
    this.#feed = new Feed({
      ports,
      config,
      enqueue: (id, priority) => this.#queue.add(id, { priority }),
      onLifecycle: (lifecycle) => this.#listed(lifecycle),
      onRecord: (record) => fleet.read(record),
      onRelist: (repaired) => options.metrics.feed.relisted(repaired),
      instruments: options.metrics.feed,
      onTable: (tableId) => void fleet.sawTable(tableId),
      onListed: (records) => {
        this.#slots.counted();
        void fleet.listed(records).then(() => notifier.sawHold(fleet.deletionHold));
      },
      onRequested: (id) => this.#asked.add(id),
      onControl: () => void fleet.refresh(),
      onFleetRun: (name) => this.#deep.plans.told(name),
    });
    const specContext = {
      regions: config.regions,
      defaultRegion: config.region,
      environment: config.environment,
      allowedReferences: config.allowedReferences,
    };
    this.#context = {
      ports: heard,
      config,
      limits: config,
      get control() {
        return fleet.control;
      },
      specContext,
      workOut: rememberedWorkOut(specContext),
      hosts,
      statuses: new StatusObserver(ports, config, onDrift),
      surroundings: new SurroundingsObserver(
        ports,
        config,
        (id, delayMs) => this.#queue.add(id, { priority: PRIORITY.drift, delayMs }),
        this.#deep.leftovers,
      ),
      attestations: new AttestationObserver(ports, config, (region, instanceIds, withinMs) => {
        for (const id of hosts.enclavesOn(region, instanceIds)) {
          this.#queue.add(id, { priority: PRIORITY.drift, delayMs: ports.random.next() * withinMs });
        }
      }),
      runs: new RunObserver(ports, config),
      slots: this.#slots,
      quota: this.#quota,
      names: this.#names,
      publishes: this.#publishes,
      repairs,
      driftAnswers: this.#driftAnswers,
      states: this.#deep.states,
      reports,
      secondLooks,
      epoch: () => term.assert(),
      dependencies: fleet.dependencies,
      deletionsAllowed: () => fleet.deletionsAllowed,
      asked: false,
      onLifecycle: (id, lifecycle) => {
        this.#know(id, lifecycle);
        if (lifecycle === undefined) {
          reports.forget(id);
          secondLooks.forget(id);
          this.#feed.forget(id);
        } else notifier.sawLifecycle(lifecycle);
      },
      onCommitted: (commit) => {
        // What is only observed is decided anew at every look, and never comes about.
        if (!config.observeOnly) tellCommit(options.metrics, commit, ports.clock.now());
      },
      onPublished: (id, updatedAt) => this.#feed.published(id, updatedAt),
    };
  }

  /** True after the first full list. */
  get synced(): boolean {
    return this.#feed.synced;
  }

  get queueDepth(): number {
    return this.#queue.depth;
  }

  /** Reconciles under way. */
  get activeWorkers(): number {
    return this.#queue.processing;
  }

  longestRunningMs(): number {
    return this.#queue.longestRunningMs();
  }

  get runsInFlight(): number {
    return this.#slots.inFlight;
  }

  /** Enclaves that wait for a run slot. */
  get runsWaiting(): number {
    return this.#slots.waiting;
  }

  /** How long nothing has moved, ms: the age of the older of the last poll and the longest reconcile. */
  stuckMs(): number {
    const now = this.#options.ports.clock.monotonic();
    const poll = this.#feed.lastPollAt() ?? this.#progressAt;
    return Math.max(now - Math.max(poll, this.#progressAt), this.#queue.longestRunningMs());
  }

  /** Enclaves whose reconcile has passed its budget. */
  overdueReconciles(): readonly string[] {
    return this.#queue.runningLongerThan(this.#options.config.reconcileTimeoutMs);
  }

  /** Enclaves whose record is being written for longer than that may take. */
  overduePublishes(): readonly string[] {
    return this.#publishes.longerThan(this.#options.config.publishTimeoutMs);
  }

  /** How long no stream has answered a poll, ms; 0 where there is none. */
  pollSilenceMs(): number {
    if (this.#feed.streamless) return 0;
    // While streams are opened anew nothing is polled: then the last answer of before counts.
    this.#polledAt = Math.max(this.#polledAt, this.#feed.lastPollAt() ?? 0);
    return this.#options.ports.clock.monotonic() - this.#polledAt;
  }

  start(): void {
    const { signal } = this.#stopping;
    const { ports, config, metrics, term } = this.#options;
    metrics.fleet.source({
      now: () => ports.clock.now(),
      // Before everything was listed, what is known is too little, not few.
      survey: () => (this.synced ? this.#tally.survey() : undefined),
      info: () => this.#tally.some(config.enclaveInfoMax),
      openBreakers: () => this.#repairs.openRegions.length,
      orphans: () => this.#deep.orphans.length,
      conflicting: () => [...this.#conflicts.values()].filter((conflicts) => conflicts > LOST_RACES).length,
      // Before everything was listed, what is known is too little, not few.
      deletionsHeld: () => (this.synced ? this.#fleet.deletionsHeld : undefined),
    });
    const { hosts, surroundings, attestations } = this.#context;
    this.#running = Promise.all([
      this.#feed.run(signal),
      sweepRegions(ports, config, this.#context, signal),
      surroundings.run(() => hosts.regions(config.region), signal),
      attestations.run(() => hosts.regions(config.region), signal),
      this.#notifier.run(signal),
      this.#deep.run(signal),
      logHeartbeats({ ports, config, epoch: term.epoch, alive: () => this.#alive() }, signal),
    ]);
  }

  /** Stops intake, lets work under way end, closes the streams. */
  async stop(): Promise<void> {
    const { clock } = this.#options.ports;
    this.#options.metrics.fleet.source(undefined);
    this.#queue.close();
    this.#repairs.close();
    this.#stopping.abort();
    const drained = new AbortController();
    const work = Promise.all([this.#workers.onIdle(), this.#running, this.#driftAnswers.stop()]).finally(() =>
      drained.abort(),
    );
    await Promise.race([work, clock.sleep(DRAIN_MS, drained.signal)]);
  }

  /** True while it leads, knows the fleet and makes progress. */
  #alive(): boolean {
    return (
      !this.#options.term.lost.aborted &&
      this.synced &&
      isHealthy({ stuckMs: this.stuckMs(), pollSilenceMs: this.pollSilenceMs() })
    );
  }

  /**
   * A marker holds a slot from the moment it is known, so that a restart does not pass the cap. A listed lifecycle
   * without one frees nothing: it may be older than a marker that is being committed.
   */
  #listed(lifecycle: ListedLifecycle): void {
    this.#repairs.listed(lifecycle.id, lifecycle);
    this.#know(lifecycle.id, lifecycle);
    this.#notifier.sawLifecycle(lifecycle);
    if (lifecycle.run === undefined) return;
    const owner = lifecycle.identity.walletAddress;
    this.#slots.hold(lifecycle.id, { kind: lifecycle.run.action === 'destroy' ? 'destroy' : 'change', owner }, true);
  }

  #know(id: string, lifecycle: ListedLifecycle | undefined): void {
    const all = [this.#fleet, this.#tally, this.#quota, this.#names, this.#repairs, this.#deep];
    for (const each of all) each.know(id, lifecycle);
  }

  /** Hands ready keys to free workers; the queue, not p-queue, decides which is next. */
  #pump(): void {
    const { config } = this.#options;
    while (this.#workers.pending + this.#workers.size < config.workers) {
      const next = this.#queue.take();
      if (next === undefined) return;
      void this.#workers.add(() => this.#work(next.key)).finally(() => this.#pump());
    }
  }

  async #work(id: string): Promise<void> {
    const { ports, metrics, term } = this.#options;
    const began = ports.clock.monotonic();
    this.#reconciles += 1;
    const log = logWith(ports.log, { reconcileId: `${term.epoch}-${this.#reconciles}`, epoch: term.epoch });
    // Taken before anything is read: what is requested from now on is told anew.
    const asked = this.#asked.delete(id);
    try {
      const result = await reconcile(id, this.#contextWith(log, asked));
      this.#failures.delete(id);
      if (result.kind !== 'conflict') this.#conflicts.delete(id);
      metrics.reconciled(result.kind, (ports.clock.monotonic() - began) / 1_000);
      if (result.kind === 'conflict') {
        if (asked) this.#asked.add(id);
        const cause = 'a condition of the write failed: the lifecycle changed, or the lock or run item already exists';
        const conflicts = this.#retryConflict(id, cause, log);
        // A run that cannot start must not keep others from theirs.
        if (result.startsRun && conflicts > LOST_RACES) this.#slots.release(id);
      }
      if (result.kind === 'done') {
        if (result.asked) this.#asked.add(id);
        this.#queue.add(id, { priority: PRIORITY.resync, delayMs: result.requeueAfterMs });
      }
    } catch (error) {
      if (asked) this.#asked.add(id);
      metrics.reconciled('error', (ports.clock.monotonic() - began) / 1_000);
      // Whoever cannot be reconciled gives its turn to the next in line.
      this.#slots.leave(id);
      this.#retryLater(id, error, log);
    } finally {
      this.#progressAt = ports.clock.monotonic();
      this.#queue.done(id);
    }
  }

  /** One reconcile's: its lines can be told from those of others. */
  #contextWith(log: Log, asked: boolean): ReconcileContext {
    const fleet = this.#fleet;
    return {
      ...this.#context,
      asked,
      ports: { ...this.#context.ports, log },
      get control() {
        return fleet.control;
      },
    };
  }

  /** At once while races are lost, then with growing pauses; returns how many conflicts there were in a row. */
  #retryConflict(id: string, error: string, log: Log): number {
    const { ports, config } = this.#options;
    const conflicts = (this.#conflicts.get(id) ?? 0) + 1;
    this.#conflicts.set(id, conflicts);
    const { delayMs, level } = retryAfter('Conflict', conflicts, ports.random.next(), config);
    log[level](
      { enclaveId: id, conflicts, delayMs: Math.round(delayMs), error },
      conflicts > LOST_RACES
        ? 'reconcile of the enclave keeps conflicting: DynamoDB refuses the write; retrying with growing pauses. See docs/runbooks/enclave-operator-conflicting.md'
        : 'reconcile conflicted: a condition of the write failed; retrying at once',
    );
    this.#queue.add(id, { priority: PRIORITY.retry, delayMs });
    return conflicts;
  }

  #retryLater(id: string, error: unknown, log: Log): void {
    const { ports, config, metrics, term } = this.#options;
    const failureClass = failureClassOf(error);
    metrics.failed(failureClass);
    if (term.lost.aborted) return;
    if (failureClass === 'Conflict') {
      this.#retryConflict(id, failureLine(error), log);
      return;
    }
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const { delayMs, level } = retryAfter(failureClass, failures, ports.random.next(), config);
    log[level](
      { enclaveId: id, class: failureClass, failures, delayMs: Math.round(delayMs), error: failureLine(error) },
      'reconcile failed',
    );
    this.#queue.add(id, { priority: PRIORITY.retry, delayMs });
  }
}
