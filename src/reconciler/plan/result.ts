/** Plan result: what a run found of each enclave, and how it enters the enclave's lifecycle. Pure. */
import type { FleetRunItem, LedgerRun, PlanResult } from '../../enclave/items/fleet-run.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { MOST_DIFFERENCES, type Planned } from '../../enclave/items/plan.ts';
import type { Outcome } from '../../enclave/items/run.ts';
import { equalJson } from '../../enclave/json.ts';
import type { Effect } from '../../machines/index.ts';

/** A result nobody has read for so long says nothing of what is. */
const KEPT_SECONDS = 2 * 24 * 60 * 60;

/** One result for every enclave of a run that is over, even where the run ended before it planned the enclave. */
export function resultsOf(
  run: LedgerRun,
  item: FleetRunItem | undefined,
  outcome: Outcome,
  now: number,
): readonly PlanResult[] {
  const at = new Date(now).toISOString();
  const expiresAt = Math.floor(now / 1_000) + KEPT_SECONDS;
  const { class: why = 'unknown', message = 'the run ended before it planned this enclave' } = outcome;
  return run.enclaves.map((id) => {
    const found = item?.results?.[id];
    const { generation = -1, incarnation } = item?.enclaves.find((each) => each.id === id) ?? {};
    const lost = { generation, startedAt: run.startedAt, at, failure: { class: why, message } };
    return {
      ...(found ?? lost),
      v: 1,
      minReader: 1,
      id,
      run: run.name,
      askedAt: run.startedAt,
      lost: found === undefined,
      ...(incarnation === undefined ? {} : { incarnation }),
      expiresAt,
    };
  });
}

/**
 * The plan says nothing of what is: another run was under way or has been since, another generation is wanted, or
 * another enclave has the id now. True as well of a result that is known already.
 */
export function isOvertaken(lifecycle: Lifecycle, { generation, askedAt, run, incarnation }: PlanResult): boolean {
  const { ranAt, planned } = lifecycle;
  const ran = lifecycle.run !== undefined || (ranAt !== undefined && Date.parse(ranAt) >= Date.parse(askedAt));
  const known = planned !== undefined && (planned.run === run || Date.parse(planned.askedAt) > Date.parse(askedAt));
  const isAnother = incarnation !== undefined && incarnation !== lifecycle.incarnation;
  return ran || known || isAnother || generation !== lifecycle.generation;
}

/** With every result that waits, the oldest first. */
export function trackPlans(lifecycle: Lifecycle, results: readonly PlanResult[], now: number): Lifecycle {
  const inOrder = results.toSorted((a, b) => Date.parse(a.askedAt) - Date.parse(b.askedAt));
  return inOrder.reduce((noted, result) => trackPlan(noted, result, now), lifecycle);
}

/** The lifecycle with what was found; as it is, where that is overtaken. */
export function trackPlan(lifecycle: Lifecycle, result: PlanResult, now: number): Lifecycle {
  if (isOvertaken(lifecycle, result)) return lifecycle;
  const { planAsked, ...rest } = lifecycle;
  const answers = planAsked === undefined || Date.parse(planAsked.at) <= Date.parse(result.askedAt);
  return {
    ...rest,
    ...(answers ? {} : { planAsked }),
    planned: plannedOf(result, lifecycle.planned?.failures ?? 0, now),
  };
}

function plannedOf(result: PlanResult, failedBefore: number, now: number): Planned {
  const { run, askedAt, generation, drifted, failure, lost, summary } = result;
  const made = drifted !== undefined && failure === undefined;
  return {
    askedAt,
    at: new Date(now).toISOString(),
    run,
    generation,
    verdict: made ? (drifted ? 'Drift' : 'Match') : 'Unknown',
    ...(made && drifted ? { differences: (result.differences ?? []).slice(0, MOST_DIFFERENCES) } : {}),
    ...(made && result.planDigest !== undefined ? { digest: result.planDigest } : {}),
    ...(made && summary !== undefined ? { summary } : {}),
    ...(failure === undefined ? {} : { failure: { class: failure.class, message: failure.message } }),
    failures: made ? 0 : failedBefore + 1,
    ...(lost ? { lost } : {}),
  };
}

/** Told when it begins: that a plan finds drift it did not find before, and that none could be made. */
export function planEvents(before: Lifecycle | undefined, { planned }: Lifecycle): readonly Effect[] {
  if (planned === undefined || planned.run === before?.planned?.run) return [];
  if (planned.verdict === 'Unknown') {
    const { class: why, message } = planned.failure ?? { class: 'unknown', message: 'the run ended without a result' };
    return [{ type: 'emitEvent', event: { type: 'Warning', reason: 'PlanFailed', message: `${why}: ${message}` } }];
  }
  const known = before?.planned;
  if (
    planned.verdict === 'Match' ||
    (known?.verdict === 'Drift' && equalJson(known.differences ?? [], planned.differences ?? []))
  )
    return [];
  const shown = (planned.differences ?? []).slice(0, 5).map(({ address, attributes }) => {
    return `${address} (${attributes.join(', ')})`;
  });
  const left = (planned.differences ?? []).length - shown.length;
  const message = `${shown.join('; ')}${left > 0 ? `; and ${left} more` : ''}`;
  return [{ type: 'emitEvent', event: { type: 'Warning', reason: 'PlanFoundDrift', message } }];
}
