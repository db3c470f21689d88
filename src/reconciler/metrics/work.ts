/** Metrics of the loop: reconciles, the work queue, the feed and the lease. */
import type { Declarations } from './declare.ts';

export const RECONCILE_RESULTS = ['done', 'ignored', 'conflict', 'error'] as const;
export type ReconcileOutcome = (typeof RECONCILE_RESULTS)[number];
export const RECONCILE_ERRORS = ['Transient', 'Throttled', 'Conflict', 'Terminal', 'Blocked', 'Unexpected'] as const;
export type ReconcileError = (typeof RECONCILE_ERRORS)[number];
export const FEEDS = ['records', 'state', 'history'] as const;
export type FeedName = (typeof FEEDS)[number];

/** Values of the loop that are read at a scrape; 0 in a process that does not lead. */
export interface LoopGauges {
  readonly queueDepth: () => number;
  readonly activeWorkers: () => number;
  readonly longestRunningSeconds: () => number;
  readonly runsInFlight: () => number;
  /** Since the poll that is longest ago; undefined where none is polled. */
  readonly feedLagSeconds: () => number | undefined;
}

export interface QueueInstruments {
  added(): void;
  retried(): void;
  taken(waitedSeconds: number): void;
  done(workedSeconds: number): void;
}

export interface FeedInstruments {
  polled(feed: FeedName): void;
  gap(feed: FeedName): void;
  /** A full list: what it found that no stream had told. */
  relisted(repaired: number): void;
  listed(seconds: number): void;
}

const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];
const LIST_BUCKETS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function reconcileMetrics(declare: Declarations) {
  const results = declare.counter({
    name: 'reconcile_total',
    help: 'Reconciles by result.',
    unit: 'reconciles',
    labels: { result: RECONCILE_RESULTS },
  });
  const errors = declare.counter({
    name: 'reconcile_errors_total',
    help: 'Failed reconciles by class of error.',
    unit: 'reconciles',
    labels: { class: RECONCILE_ERRORS },
  });
  const durations = declare.histogram({
    name: 'reconcile_duration_seconds',
    help: 'Duration of reconciles.',
    unit: 'seconds',
    labels: {},
    buckets: LATENCY_BUCKETS,
  });
  return {
    reconciled(result: ReconcileOutcome, seconds: number) {
      results({ result });
      durations({}, seconds);
    },
    failed: (errorClass: ReconcileError) => errors({ class: errorClass }),
  };
}

export function queueMetrics(declare: Declarations, gauges: LoopGauges): QueueInstruments {
  const gauge = (name: string, help: string, unit: string, read: () => number) =>
    declare.gauge({ name, help, unit, labels: {} }, () => [[{}, read()]]);
  gauge('workqueue_depth', 'Enclaves that wait to be reconciled.', 'enclaves', gauges.queueDepth);
  gauge('active_workers', 'Reconciles that are under way.', 'reconciles', gauges.activeWorkers);
  gauge(
    'workqueue_longest_running_seconds',
    'How long the longest reconcile under way has taken so far.',
    'seconds',
    gauges.longestRunningSeconds,
  );
  const counter = (name: string, help: string) => {
    const count = declare.counter({ name, help, unit: 'adds', labels: {} });
    return () => count({});
  };
  const histogram = (name: string, help: string) => {
    const observe = declare.histogram({ name, help, unit: 'seconds', labels: {}, buckets: LATENCY_BUCKETS });
    return (seconds: number) => observe({}, seconds);
  };
  return {
    added: counter('workqueue_adds_total', 'Times an enclave was put into the queue, or put there once more.'),
    retried: counter('workqueue_retries_total', 'Those of the adds that were for another try.'),
    taken: histogram('workqueue_queue_duration_seconds', 'How long enclaves that were due waited for a worker.'),
    done: histogram('workqueue_work_duration_seconds', 'How long workers were at an enclave.'),
  };
}

export function feedMetrics(declare: Declarations, gauges: LoopGauges): FeedInstruments {
  declare.gauge(
    {
      name: 'feed_lag_seconds',
      help: 'Since the last answer of the stream shard that is silent longest.',
      unit: 'seconds',
      labels: {},
    },
    () => {
      const lag = gauges.feedLagSeconds();
      return lag === undefined ? undefined : [[{}, lag]];
    },
  );
  const polls = declare.counter({
    name: 'feed_polls_total',
    help: 'Polls of stream shards that were answered.',
    unit: 'polls',
    labels: { feed: FEEDS },
  });
  const gaps = declare.counter({
    name: 'feed_gaps_total',
    help: 'Times changes of a stream may have been missed, so that a list was made at once.',
    unit: 'gaps',
    labels: { feed: FEEDS },
  });
  const repaired = declare.counter({
    name: 'relist_repaired_total',
    help: 'Changes that only a list found.',
    unit: 'changes',
    labels: {},
  });
  const durations = declare.histogram({
    name: 'relist_duration_seconds',
    help: 'Duration of full lists.',
    unit: 'seconds',
    labels: {},
    buckets: LIST_BUCKETS,
  });
  return {
    polled: (feed) => polls({ feed }),
    gap: (feed) => gaps({ feed }),
    relisted: (count) => repaired({}, count),
    listed: (seconds) => durations({}, seconds),
  };
}

/** Told of every change of role; the epoch while this process leads, undefined when it no longer does. */
export function leaderMetrics(declare: Declarations): (epoch: number | undefined) => void {
  let current: number | undefined;
  declare.gauge({ name: 'leader', help: '1 while this process leads.', unit: 'bool', labels: {} }, () => [
    [{}, current === undefined ? 0 : 1],
  ]);
  declare.gauge(
    { name: 'lease_epoch', help: 'The epoch under which this process leads.', unit: 'epoch', labels: {} },
    () => (current === undefined ? undefined : [[{}, current]]),
  );
  const transitions = declare.counter({
    name: 'lease_transitions_total',
    help: 'Times this process began or ceased to lead.',
    unit: 'transitions',
    labels: { to: ['leader', 'standby'] },
  });
  return (epoch) => {
    if (epoch !== current) transitions({ to: epoch === undefined ? 'standby' : 'leader' });
    current = epoch;
  };
}
