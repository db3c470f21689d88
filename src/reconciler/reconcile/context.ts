/** Context: what every reconcile of one term of leadership shares. */
import type { SpecContext, workOut } from '../../enclave/spec/spec.ts';
import type { Config } from '../config.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { NameCollisions } from '../fleet/name-collisions.ts';
import type { InFlightTracker } from '../health/watchdog.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { RunSlots } from '../limits/run-slots.ts';
import type { WalletQuota } from '../limits/wallet-quota.ts';
import type { Told } from '../metrics/commit.ts';
import type { AttestationObserver } from '../observers/attestations.ts';
import type { HostProbes } from '../observers/host-probes.ts';
import type { HostObserver } from '../observers/hosts.ts';
import type { InstanceStatusObserver } from '../observers/instance-status.ts';
import type { InventoryObserver } from '../observers/inventory.ts';
import type { ReportAge } from '../observers/report-age.ts';
import type { RunObserver } from '../observers/runs.ts';
import type { StateObjects } from '../orphans/terraform-states.ts';
import type { Log, Ports } from '../ports/index.ts';
import type { RepairBudget } from '../repair/budget.ts';
import type { DriftAnswers } from './drift-answers.ts';

/** One reconcile's own; everything else is the term's. */
export interface ReconcileRequest {
  readonly id: string;
  /** A request or a plan result may wait for this enclave. False: neither is read. */
  readonly requested: boolean;
  /** Adds the reconcile's id to every line. */
  readonly log: Log;
}

/** How specs are read in this installation. */
export interface SpecReader {
  readonly context: SpecContext;
  readonly workOut: typeof workOut;
}

/** What is known of the world outside. */
export interface Observers {
  readonly hosts: HostObserver;
  readonly statuses: InstanceStatusObserver;
  readonly surroundings: InventoryObserver;
  readonly attestations: AttestationObserver;
  readonly runs: RunObserver;
  readonly reports: ReportAge;
  readonly secondLooks: HostProbes;
  readonly states: Pick<StateObjects, 'isMissing' | 'isLockStale'>;
}

/** What enclaves share and only some of them can have at a time. */
export interface SharedLimits {
  readonly slots: RunSlots;
  readonly repairs: RepairBudget;
  readonly quota: WalletQuota;
  readonly names: NameCollisions;
}

export interface ReconcileContext {
  readonly ports: Ports;
  readonly config: Config;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
  readonly specs: SpecReader;
  readonly fleet: Pick<Fleet, 'control' | 'dependencies' | 'deletionsAllowed'>;
  readonly observers: Observers;
  readonly limits: SharedLimits;
  /** Called for every lifecycle that is written or deleted. */
  readonly lifecycles: LifecycleListener;
  /** Answers requests to compare an enclave, once they are committed. */
  readonly driftAnswers: Pick<DriftAnswers, 'requested'>;
  readonly publishes: InFlightTracker;
  /** Called once for each commit, for metrics. */
  readonly onCommitted: (commit: Told) => void;
  /** Called with the `updatedAt` of every publish, so that the feed recognizes its echo. */
  readonly onPublished: (id: string, updatedAt: string) => void;
}
