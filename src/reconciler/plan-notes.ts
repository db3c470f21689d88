/** Plan notes: how what a plan found enters the lifecycle, and what is told of it. Pure. */
import type { DriftResult } from '../enclave/fleet-run.ts';
import { equalJson } from '../enclave/json.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { MOST_DIFFERENCES, type Planned } from '../enclave/planned.ts';
import type { Effect } from '../machines/index.ts';

/** What a drift run found of one enclave, or that it was lost before it found anything. */
export interface PlanResult extends DriftResult {
  readonly run: string;
  /** When the run was asked for, by the operator's clock. */
  readonly askedAt: string;
  readonly lost: boolean;
}

/** The plan says nothing of what is: another run was under way or has been since, or another generation is wanted. */
export function isOvertaken(lifecycle: Lifecycle, { generation, askedAt, run }: PlanResult): boolean {
  const { ranAt, planned } = lifecycle;
  const ran = lifecycle.run !== undefined || (ranAt !== undefined && Date.parse(ranAt) >= Date.parse(askedAt));
  const known = planned !== undefined && (planned.run === run || Date.parse(planned.askedAt) > Date.parse(askedAt));
  return ran || known || generation !== lifecycle.generation;
}

/** The lifecycle with what was found; as it is, where that is overtaken. */
export function notePlan(lifecycle: Lifecycle, result: PlanResult | undefined, now: number): Lifecycle {
  if (result === undefined || isOvertaken(lifecycle, result)) return lifecycle;
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
