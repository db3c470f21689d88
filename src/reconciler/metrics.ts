/** Metrics: what the operator tells Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export const RECONCILE_RESULTS = ['done', 'ignored', 'conflict', 'error'] as const;
export type ReconcileOutcome = (typeof RECONCILE_RESULTS)[number];

export interface Metrics {
  readonly registry: Registry;
  reconciled(result: ReconcileOutcome, seconds: number): void;
  failed(errorClass: string): void;
  relisted(repaired: number): void;
  leading(leads: boolean): void;
}

/** Values read when Prometheus asks. */
export interface Gauges {
  readonly queueDepth: () => number;
  readonly runsInFlight: () => number;
}

const PREFIX = 'enclave_operator_';

/** A registry of its own, so that two operators in one process do not mix. */
export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const reconciles = new Counter({
    name: `${PREFIX}reconcile_total`,
    help: 'Reconciles by result.',
    labelNames: ['result'],
    registers,
  });
  for (const result of RECONCILE_RESULTS) reconciles.inc({ result }, 0);
  const errors = new Counter({
    name: `${PREFIX}reconcile_errors_total`,
    help: 'Failed reconciles by class of error.',
    labelNames: ['class'],
    registers,
  });
  for (const errorClass of ['Transient', 'Throttled', 'Conflict', 'Terminal', 'Blocked', 'Unexpected']) {
    errors.inc({ class: errorClass }, 0);
  }
  const durations = new Histogram({
    name: `${PREFIX}reconcile_duration_seconds`,
    help: 'Duration of reconciles.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const repaired = new Counter({
    name: `${PREFIX}relist_repaired_total`,
    help: 'Changes that only a list found.',
    registers,
  });
  const leader = new Gauge({ name: `${PREFIX}leader`, help: '1 while this process leads.', registers });
  new Gauge({
    name: `${PREFIX}workqueue_depth`,
    help: 'Enclaves that wait to be reconciled.',
    registers,
    collect() {
      this.set(gauges.queueDepth());
    },
  });
  new Gauge({
    name: `${PREFIX}runs_in_flight`,
    help: 'Terraform runs that were begun and have not ended.',
    registers,
    collect() {
      this.set(gauges.runsInFlight());
    },
  });
  return {
    registry,
    reconciled(result, seconds) {
      reconciles.inc({ result });
      durations.observe(seconds);
    },
    failed: (errorClass) => errors.inc({ class: errorClass }),
    relisted: (count) => repaired.inc(count),
    leading: (leads) => leader.set(leads ? 1 : 0),
  };
}
