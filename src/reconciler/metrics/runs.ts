/** Metrics of Terraform runs, drift and repairs. */
import { ERROR_CLASSES, type ErrorClass, type Outcome, type PlanSummary } from '../../enclave/items/run.ts';
import { RUNGS, type Rung } from '../../machines/index.ts';
import type { Declarations } from './declare.ts';

export const RUN_ACTIONS = ['deploy', 'destroy', 'drift'] as const;
const OUTCOMES = ['succeeded', 'failed', 'cancelled'] as const;
const VERDICTS = ['match', 'drift', 'unknown'] as const;
const PLAN_KINDS = ['create', 'update', 'replace', 'delete'] as const;
export const REPAIR_OUTCOMES = ['begun', 'healed'] as const;
export type RepairOutcome = (typeof REPAIR_OUTCOMES)[number];

export interface RunInstruments {
  ended(action: (typeof RUN_ACTIONS)[number], outcome: Outcome, seconds: number): void;
  planned(plan: PlanSummary): void;
  /** A drift run has looked at one enclave; class: why it could not. */
  looked(verdict: (typeof VERDICTS)[number], errorClass?: ErrorClass): void;
}

export interface DriftInstruments {
  /** From when a host can at the earliest have begun to differ until it was seen. */
  detected(seconds: number): void;
  healed(seconds: number): void;
  repaired(rung: Rung, outcome: RepairOutcome): void;
}

/** Seconds to an hour and a half: a plan to a destroy that waits for a key. */
const RUN_BUCKETS = [10, 30, 60, 120, 180, 300, 420, 600, 900, 1_800, 5_400];
const DRIFT_BUCKETS = [10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 14_400, 86_400];

export function runMetrics(declare: Declarations, inFlight: () => number): RunInstruments {
  declare.gauge(
    {
      name: 'runs_in_flight',
      help: 'Terraform runs that were begun and have not ended.',
      unit: 'runs',
      labels: {},
    },
    () => [[{}, inFlight()]],
  );
  const ended = declare.counter({
    name: 'runs_total',
    help: 'Terraform runs that ended, by what they did and why they failed; `none` where they did not.',
    unit: 'runs',
    labels: { action: RUN_ACTIONS, outcome: OUTCOMES, class: ['none', ...ERROR_CLASSES] },
    occurs: ({ outcome, class: errorClass }) => {
      if (outcome === 'succeeded') return errorClass === 'none';
      return outcome === 'cancelled' ? errorClass === 'cancelled' : errorClass !== 'none';
    },
  });
  const durations = declare.histogram({
    name: 'run_duration_seconds',
    help: 'From the intent to run Terraform until its outcome.',
    unit: 'seconds',
    labels: { action: RUN_ACTIONS },
    buckets: RUN_BUCKETS,
  });
  const changes = declare.counter({
    name: 'plan_changes_total',
    help: 'Resources that plans of runs which ended meant to change.',
    unit: 'resources',
    labels: { kind: PLAN_KINDS },
  });
  const looked = declare.counter({
    name: 'plans_total',
    help: 'Enclaves that drift runs planned, by what was found and why it could not be; `none` where it could.',
    unit: 'enclaves',
    labels: { verdict: VERDICTS, class: ['none', ...ERROR_CLASSES] },
    occurs: ({ verdict, class: errorClass }) => (verdict === 'unknown') === (errorClass !== 'none'),
  });
  return {
    looked: (verdict, errorClass) => looked({ verdict, class: errorClass ?? 'none' }),
    ended(action, { result, class: errorClass }, seconds) {
      const reason = { succeeded: 'none', cancelled: 'cancelled', failed: errorClass ?? 'unknown' } as const;
      ended({ action, outcome: result, class: reason[result] });
      durations({ action }, seconds);
    },
    planned(plan) {
      for (const kind of PLAN_KINDS) changes({ kind }, plan[kind]);
    },
  };
}

export function driftMetrics(declare: Declarations): DriftInstruments {
  const detected = declare.histogram({
    name: 'drift_detect_seconds',
    help: 'How long a host can have differed before it was seen to: since the sweep before the one that showed it.',
    unit: 'seconds',
    labels: {},
    buckets: DRIFT_BUCKETS,
  });
  const healed = declare.histogram({
    name: 'drift_heal_seconds',
    help: 'From when a difference was seen until it was gone.',
    unit: 'seconds',
    labels: {},
    buckets: DRIFT_BUCKETS,
  });
  const repaired = declare.counter({
    name: 'repairs_total',
    help: 'Repairs by rung: begun, and those after which the difference was gone.',
    unit: 'repairs',
    labels: { rung: RUNGS, outcome: REPAIR_OUTCOMES },
  });
  return {
    detected: (seconds) => detected({}, seconds),
    healed: (seconds) => healed({}, seconds),
    repaired: (rung, outcome) => repaired({ rung, outcome }),
  };
}
