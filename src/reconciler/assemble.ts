/** Assemble: makes every part of one term of leadership, each after those it needs, and wires them. */
import type { Control } from '../enclave/items/fleet.ts';
import { rememberedWorkOut } from '../enclave/spec/memo.ts';
import type { Config } from './config.ts';
import { Controller, type Runnable } from './controller.ts';
import { Fleet } from './fleet/fleet.ts';
import { NameCollisions } from './fleet/name-collisions.ts';
import { FleetStatistics } from './fleet/statistics.ts';
import { logHeartbeats } from './health/heartbeat.ts';
import { InFlightTracker } from './health/watchdog.ts';
import type { Term } from './leader-election.ts';
import { inOrder } from './lifecycle-listener.ts';
import { RunSlots } from './limits/run-slots.ts';
import { WalletQuota } from './limits/wallet-quota.ts';
import { recordPlanRunMetrics, recordTransitionMetrics } from './metrics/commit.ts';
import type { FleetSource, Metrics } from './metrics/index.ts';
import { Notifier } from './notify/notifier.ts';
import { AttestationObserver } from './observers/attestations.ts';
import { pollHosts } from './observers/host-poller.ts';
import { HostProbes } from './observers/host-probes.ts';
import { HostObserver } from './observers/hosts.ts';
import { InstanceStatusObserver } from './observers/instance-status.ts';
import { InventoryObserver } from './observers/inventory.ts';
import { ReportAge } from './observers/report-age.ts';
import { RunObserver } from './observers/runs.ts';
import { OrphanCollector } from './orphans/collector.ts';
import { OrphanedHosts } from './orphans/hosts.ts';
import { Ownership } from './orphans/ownership.ts';
import { OrphanRegistry } from './orphans/registry.ts';
import { OrphanedResources } from './orphans/resources.ts';
import { StateObjects } from './orphans/terraform-states.ts';
import { PlanScheduler } from './plan/scheduler.ts';
import type { Ports } from './ports/index.ts';
import { Progress } from './progress.ts';
import { Retries } from './queue/retries.ts';
import { PRIORITY, type Priority, WorkQueue } from './queue/work-queue.ts';
import { freezeAt } from './reconcile/admission.ts';
import type { Observers, ReconcileContext, SharedLimits, SpecReader } from './reconcile/context.ts';
import { DriftAnswers } from './reconcile/drift-answers.ts';
import { driftSubject } from './reconcile/plan-request.ts';
import { reconcile } from './reconcile/reconcile.ts';
import { RepairBudget, repairLimitsOf } from './repair/budget.ts';
import { emitBreakerEvent } from './repair/circuit-breaker.ts';
import { Informer } from './watch/informer.ts';

export interface AssembleOptions {
  readonly ports: Ports;
  readonly config: Config;
  /** As it was read when the term began. */
  readonly control: Control;
  readonly term: Term;
  readonly metrics: Metrics;
}

export interface Assembly {
  readonly controller: Controller;
  readonly context: ReconcileContext;
}

/** Nothing runs before the controller is started. */
export function assemble({ ports: given, config, control, term, metrics }: AssembleOptions): Assembly {
  const { clock } = given;
  const epoch = () => term.assert();
  const queue = new WorkQueue(clock, metrics.queue);
  const notifier = new Notifier({ ports: given, config, epoch: term.epoch });
  // Events that are appended through these ports are notified.
  const ports: Ports = { ...given, history: notifier.hearing(given.history) };
  const shared: Shared = { ports, config, epoch, enqueue: (id, priority) => queue.add(id, { priority }) };

  // What is true of all enclaves together, and what they share.
  const fleet = new Fleet({ ...shared, control, onHold: (hold) => notifier.sawHold(hold) });
  const tally = new FleetStatistics();
  const limits = limitsOf(shared);
  const mayBegin = () => fleet.isListed && freezeAt(fleet.control, clock.now()) === undefined;
  const synced = () => fleet.isListed;
  const exists = (id: string) => fleet.exists(id);

  // Plans, Terraform states, and what belongs to no enclave.
  const specs = specsOf(config);
  const onDrift = (id: string) => queue.add(id, { priority: PRIORITY.drift });
  const plans = new PlanScheduler({
    ports,
    config,
    epoch,
    slots: limits.slots,
    mayStart: mayBegin,
    ask: (id) => driftSubject(id, { ports, config, specs }),
    onEnded: (item, outcome) => recordPlanRunMetrics(metrics.runs, item, outcome),
  });
  const { orphanStates = [] } = control;
  const states = new StateObjects({ ports, config, known: orphanStates, synced, exists, epoch, onChange: onDrift });
  const list = new OrphanRegistry({ ports, known: control.orphans ?? [], epoch });
  const ownership = new Ownership(ports);
  const leftovers = new OrphanedResources({ ports, list, ownership, synced, exists });
  const orphans = new OrphanedHosts({ ports, list, ownership, exists, beside: (id) => leftovers.withHost(id) });

  // Who follows lifecycles, in this order; the feed, which tells of the listed ones, comes last.
  const reports = new ReportAge(clock);
  const secondLooks = new HostProbes(clock, 2 * config.sweepMs);
  const followers = inOrder([
    fleet,
    tally,
    limits.quota,
    limits.names,
    limits.repairs,
    plans,
    states,
    leftovers,
    notifier,
    limits.slots,
    reports,
    secondLooks,
  ]);
  const requested = new Set<string>();
  const feed = new Informer({
    ...shared,
    lifecycles: followers,
    onRecord: (record) => fleet.read(record),
    onRelist: (repaired) => metrics.feed.relisted(repaired),
    instruments: metrics.feed,
    onTable: (tableId) => void fleet.sawTable(tableId),
    onListed: (records) => {
      limits.slots.allListed();
      void fleet.listed(records).then(() => notifier.sawHold(fleet.deletionHold));
    },
    onRequested: (id) => requested.add(id),
    onControl: () => void fleet.refresh(),
    onFleetRun: (name) => plans.told(name),
  });
  const lifecycles = inOrder([followers, feed]);

  // Observers of AWS.
  const collector = new OrphanCollector({
    ports,
    config,
    epoch,
    orphans,
    states,
    synced,
    mayDestroy: () => mayBegin() && fleet.deletionsAllowed,
    fleetSize: () => tally.size,
    lifecycles,
    enqueue: onDrift,
  });
  const hosts = new HostObserver(ports, config, onDrift, (region, byEnclave) => {
    void collector.swept(region, byEnclave);
  });
  const onDriftWithin = (id: string, delayMs: number) => queue.add(id, { priority: PRIORITY.drift, delayMs });
  const observers: Observers = {
    hosts,
    statuses: new InstanceStatusObserver(ports, config, onDrift),
    surroundings: new InventoryObserver(ports, config, onDriftWithin, leftovers),
    attestations: new AttestationObserver(ports, config, (region, instanceIds, withinMs) => {
      for (const id of hosts.enclavesOn(region, instanceIds)) onDriftWithin(id, ports.random.next() * withinMs);
    }),
    runs: new RunObserver(ports, config),
    reports,
    secondLooks,
    states,
  };

  // The reconcile, and its workers.
  const publishes = new InFlightTracker(clock);
  const driftAnswers = new DriftAnswers({ ports, config, epoch });
  const context: ReconcileContext = {
    ports,
    config,
    epoch,
    specs,
    fleet,
    observers,
    limits,
    lifecycles,
    driftAnswers,
    publishes,
    onCommitted: (commit) => {
      // What is only observed is decided anew by every reconcile, and never comes about.
      if (!config.observeOnly) recordTransitionMetrics(metrics, commit, clock.now());
    },
    onPublished: (id, updatedAt) => feed.published(id, updatedAt),
  };
  const retries = new Retries({ ports, config, queue });
  const progress = new Progress({ clock, config, term, feed, queue, publishes });
  const alive = () => progress.alive;
  const regions = () => hosts.regions(config.region);
  const runnables: readonly Runnable[] = [
    (signal) => feed.run(signal),
    (signal) => pollHosts(ports, config, observers, signal),
    (signal) => observers.surroundings.run(regions, signal),
    (signal) => observers.attestations.run(regions, signal),
    (signal) => notifier.run(alive, signal),
    (signal) => states.run(signal),
    // An operator that only observes begins no run.
    ...(config.observeOnly ? [] : [(signal: AbortSignal) => plans.run(signal)]),
    (signal) => logHeartbeats({ ports, config, epoch: term.epoch, alive }, signal),
  ];
  const source: FleetSource = {
    now: () => clock.now(),
    // Before everything was listed, what is known is too little, not few.
    survey: () => (synced() ? tally.survey() : undefined),
    info: () => tally.some(config.enclaveInfoMax),
    openBreakers: () => limits.repairs.openRegions.length,
    orphans: () => list.all.length,
    conflicting: () => retries.conflicting,
    deletionsHeld: () => (synced() ? fleet.deletionsHeld : undefined),
  };
  const controller = new Controller({
    ports,
    config,
    term,
    metrics,
    queue,
    reconcile: (request) => reconcile(request, context),
    retries,
    slots: limits.slots,
    repairs: limits.repairs,
    driftAnswers,
    requested,
    progress,
    runnables,
    fleet: source,
  });
  return { controller, context };
}

/** What nearly every part needs. */
interface Shared {
  readonly ports: Ports;
  readonly config: Config;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
  readonly enqueue: (id: string, priority: Priority) => void;
}

function limitsOf({ ports, config, enqueue }: Shared): SharedLimits {
  const { clock } = ports;
  // An enclave that is woken has waited long, and what was kept for it stands empty until it is reconciled.
  const wake = (id: string) => enqueue(id, PRIORITY.command);
  return {
    quota: new WalletQuota(config.maxEnclavesPerWallet, wake),
    names: new NameCollisions(),
    slots: new RunSlots({
      clock,
      max: config.maxRuns,
      maxPerOwner: config.maxRunsPerWallet,
      createsPerSecond: config.runInstancesPerSecond,
      wake,
    }),
    repairs: new RepairBudget({
      limits: repairLimitsOf(config),
      defaultRegion: config.region,
      clock,
      wake: (id) => enqueue(id, PRIORITY.drift),
      onBreaker: (change) => void emitBreakerEvent(change, ports),
    }),
  };
}

function specsOf(config: Config): SpecReader {
  const context = {
    regions: config.regions,
    defaultRegion: config.region,
    environment: config.environment,
    allowedReferences: config.allowedReferences,
  };
  return { context, workOut: rememberedWorkOut(context) };
}
