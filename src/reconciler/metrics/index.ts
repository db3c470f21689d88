/** Metrics: what the operator tells Prometheus. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type AwsInstruments, awsMetrics, type BudgetTokens } from './aws.ts';
import { Declarations, type Described } from './declare.ts';
import { type FleetInstruments, fleetMetrics } from './fleet.ts';
import { type DriftInstruments, driftMetrics, type RunInstruments, runMetrics } from './runs.ts';
import {
  type FeedInstruments,
  feedMetrics,
  type LoopGauges,
  leaderMetrics,
  type QueueInstruments,
  queueMetrics,
  type ReconcileError,
  type ReconcileOutcome,
  reconcileMetrics,
} from './work.ts';

export type { AwsCode, AwsInstruments, AwsService } from './aws.ts';
export type { Described } from './declare.ts';
export type { FleetSource, FleetSurvey } from './fleet.ts';
export type { FeedInstruments, FeedName, QueueInstruments, ReconcileOutcome } from './work.ts';

export interface Metrics {
  readonly registry: Registry;
  readonly described: readonly Described[];
  readonly queue: QueueInstruments;
  readonly feed: FeedInstruments;
  readonly fleet: FleetInstruments;
  readonly runs: RunInstruments;
  readonly drift: DriftInstruments;
  readonly aws: AwsInstruments;
  reconciled(result: ReconcileOutcome, seconds: number): void;
  failed(errorClass: ReconcileError): void;
  /** The epoch while this process leads; undefined when it no longer does. */
  leading(epoch: number | undefined): void;
}

/** Values read when Prometheus asks. */
export interface Gauges extends LoopGauges {
  readonly budgetTokens: BudgetTokens;
}

const IDLE: Gauges = {
  queueDepth: () => 0,
  activeWorkers: () => 0,
  longestRunningSeconds: () => 0,
  runsInFlight: () => 0,
  feedLagSeconds: () => undefined,
  budgetTokens: () => new Map(),
};

export interface MetricsOptions {
  readonly gauges?: Gauges;
  readonly version?: string;
}

/** A registry of its own, so that two operators in one process do not mix. */
export function createMetrics({ gauges = IDLE, version = 'unknown' }: MetricsOptions = {}): Metrics {
  const declare = new Declarations(new Registry());
  declare.gauge(
    { name: 'build_info', help: '1, with the version that runs.', unit: 'bool', labels: { version: [version] } },
    () => [[{ version }, 1]],
  );
  return {
    registry: declare.registry,
    described: declare.described,
    ...reconcileMetrics(declare),
    queue: queueMetrics(declare, gauges),
    feed: feedMetrics(declare, gauges),
    leading: leaderMetrics(declare),
    fleet: fleetMetrics(declare),
    runs: runMetrics(declare, gauges.runsInFlight),
    drift: driftMetrics(declare),
    aws: awsMetrics(declare, gauges.budgetTokens),
  };
}

/** Node's own: memory, event loop, garbage collection. Once a process. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}
