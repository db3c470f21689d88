/** Transition metrics: what a commit means to the metrics. */
import { type DriftItem, ENTRIES, isRepairKey, readDrift } from '../../drift/index.ts';
import type { FleetRunItem } from '../../enclave/items/fleet-run.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Outcome } from '../../enclave/items/run.ts';
import { RUNGS, type Rung, type RunView } from '../../machines/index.ts';
import type { Metrics } from './index.ts';

export interface Told {
  readonly before: Lifecycle | undefined;
  readonly after: Lifecycle;
  /** The run of `before`, as it was seen. */
  readonly run: RunView;
  /** When hosts were looked at before the look behind this commit, wall time, ms; undefined where that is not known. */
  readonly lookedBefore: number | undefined;
}

/** Called once a commit was written: what a crash keeps from being counted is counted by nobody, and nothing twice. */
export function recordTransitionMetrics(
  metrics: Pick<Metrics, 'fleet' | 'runs' | 'drift'>,
  told: Told,
  now: number,
): void {
  tellPhase(metrics.fleet, told, now);
  tellRun(metrics.runs, told);
  tellDrift(metrics.drift, told, now);
}

function tellPhase(fleet: Metrics['fleet'], { before, after }: Told, now: number): void {
  if (before?.phase === after.phase) return;
  fleet.moved(before?.phase ?? 'none', after.phase);
  // Whoever served all the while was ready already.
  if (after.phase === 'ready' && before !== undefined && !before.serving)
    fleet.ready(secondsSince(after.commandAt, now));
  if (after.phase === 'destroyed' && before !== undefined) {
    const since = after.absentBecause === 'recordGone' ? (after.missingSince ?? after.commandAt) : after.commandAt;
    fleet.destroyed(secondsSince(since, now));
  }
}

function tellRun(runs: Metrics['runs'], { before, after, run }: Told): void {
  const marker = before?.run;
  if (marker === undefined || run.state !== 'finished' || after.run?.name === marker.name) return;
  runs.ended(marker.action, run.outcome, secondsSince(marker.startedAt, Date.parse(run.outcome.at)));
  if (run.plan !== undefined) runs.planned(run.plan);
}

function tellDrift(drift: Metrics['drift'], { before, after, lookedBefore }: Told, now: number): void {
  const isNew = before?.drift === undefined && after.drift !== undefined && isSwept(after.drift);
  if (isNew && lookedBefore !== undefined) drift.detected((now - lookedBefore) / 1_000);
  const repairs = repairsOf(after);
  // Every rung is counted when it begins; another drift begins anew.
  const begun = rungOf(after);
  const isAnother = repairs > repairsOf(before) || before?.attempts.key !== after.attempts.key;
  if (repairs > 0 && isAnother && begun !== undefined) drift.repaired(begun, 'begun');
  if (before?.drift === undefined || after.drift !== undefined || after.desired !== 'Running') return;
  drift.healed(secondsSince(before.drift.since, now));
  const last = rungOf(before);
  // Attempts are remembered for a while: what ends by itself later is none of theirs.
  if (before.phase === 'repairing' && last !== undefined) drift.repaired(last, 'healed');
}

/** Seen by a sweep, and not by what the host reports or by what is looked at less often. */
function isSwept(item: DriftItem): boolean {
  const drift = readDrift(item);
  if (drift?.kind !== 'attributes') return drift?.kind === 'host';
  return drift.attributes.every((attribute) => ENTRIES[attribute].part === 'posture');
}

function repairsOf(lifecycle: Lifecycle | undefined): number {
  return lifecycle !== undefined && isRepairKey(lifecycle.attempts.key) ? lifecycle.attempts.count : 0;
}

/** The rung that is being tried, or was last; undefined of a lifecycle of before rungs were kept. */
function rungOf({ attempts }: Lifecycle): Rung | undefined {
  return RUNGS.find((rung) => rung === attempts.rung);
}

/** Called once a run over several enclaves is off the ledger. */
export function recordPlanRunMetrics(runs: Metrics['runs'], item: FleetRunItem, outcome: Outcome): void {
  runs.ended(item.action, outcome, secondsSince(item.requestedAt, Date.parse(outcome.at)));
  for (const { id } of item.enclaves) {
    const { summary, drifted, failure } = item.results?.[id] ?? {};
    if (summary !== undefined) runs.planned(summary);
    if (drifted === undefined) runs.looked('unknown', failure?.class ?? outcome.class ?? 'unknown');
    else runs.looked(drifted ? 'drift' : 'match');
  }
}

function secondsSince(time: string, now: number): number {
  return (now - Date.parse(time)) / 1_000;
}
