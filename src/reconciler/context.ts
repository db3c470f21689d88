/** Context: what every reconcile of one term shares. */
import type { Control } from '../enclave/fleet-items.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import type { SpecContext, workOut } from '../enclave/spec.ts';
import type { Limits } from '../machines/index.ts';
import type { AttestationObserver } from './attestation-observer.ts';
import type { Config } from './config.ts';
import type { Dependencies } from './dependencies.ts';
import type { DriftAnswers } from './drift-answers.ts';
import type { HostObserver } from './host-observer.ts';
import type { NameCollisions } from './name-collisions.ts';
import type { Ports } from './ports.ts';
import type { RepairGovernor } from './repair-governor.ts';
import type { ReportFreshness } from './report-freshness.ts';
import type { RunObserver } from './run-observer.ts';
import type { RunSlots } from './run-slots.ts';
import type { SecondLooks } from './second-looks.ts';
import type { StateObjects } from './state-objects.ts';
import type { StatusObserver } from './status-observer.ts';
import type { SurroundingsObserver } from './surroundings-observer.ts';
import type { Told } from './tell-commit.ts';
import type { WalletQuota } from './wallet-quota.ts';
import type { Stopwatches } from './watchdog.ts';

export interface ReconcileContext {
  readonly ports: Ports;
  readonly config: Config;
  readonly limits: Limits;
  /** `fleet/control` as it was last read. */
  readonly control: Control;
  readonly specContext: SpecContext;
  readonly workOut: typeof workOut;
  readonly hosts: HostObserver;
  readonly statuses: StatusObserver;
  readonly surroundings: SurroundingsObserver;
  readonly attestations: AttestationObserver;
  readonly runs: RunObserver;
  readonly slots: RunSlots;
  readonly quota: WalletQuota;
  readonly names: NameCollisions;
  readonly repairs: RepairGovernor;
  readonly driftAnswers: Pick<DriftAnswers, 'requested'>;
  readonly states: Pick<StateObjects, 'isMissing' | 'isLockStale'>;
  readonly publishes: Stopwatches;
  readonly reports: ReportFreshness;
  readonly secondLooks: SecondLooks;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
  readonly dependencies: Dependencies;
  /** True while deletions of records that vanished are carried out. */
  readonly deletionsAllowed: () => boolean;
  /** A request or a plan result may wait for this enclave; where not, neither is read. */
  readonly asked: boolean;
  /** Told of every lifecycle as it now stands; undefined: forgotten. */
  readonly onLifecycle: (id: string, lifecycle: Lifecycle | undefined) => void;
  /** Told of what each commit changed, for metrics. */
  readonly onCommitted: (commit: Told) => void;
  /** Told of the `updatedAt` of every publish, so that the feed knows its echo. */
  readonly onPublished: (id: string, updatedAt: string) => void;
}
