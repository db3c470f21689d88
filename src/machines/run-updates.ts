/** Updates of a run, or of an effect without one: how it is started and ended. Pure, as all updates. */
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Outcome, RunVariables } from '../enclave/items/run.ts';
import { type RunAction, runName } from '../enclave/names.ts';
import { omit } from '../enclave/omit.ts';
import type { Limits } from './assessment.ts';
import { behind, type Context } from './context.ts';

export function iso(now: number): string {
  return new Date(now).toISOString();
}

export function finishedOutcome({ assessment }: Context): Outcome | undefined {
  return assessment.run.state === 'finished' ? assessment.run.outcome : undefined;
}

/** Between half and all of base·2ⁿ⁻¹, capped. Jitter keeps a fleet that failed together from retrying together. */
export function backoffMs(attempt: number, random: number, limits: Limits): number {
  const full = Math.min(limits.retryMaxMs, limits.retryBaseMs * 2 ** Math.min(30, Math.max(0, attempt - 1)));
  return Math.round(full * (0.5 + random / 2));
}

interface RunBegin {
  readonly variables?: RunVariables | undefined;
  readonly reason?: string;
  /** False where it leaves the host as it is: what it has reported still counts. */
  readonly restarts?: boolean;
}

/** The active run reference. Its name is unique even if a restored state table has lost earlier runs. */
export function beginRun(
  before: Context,
  action: RunAction,
  { variables = before.assessment.variables, reason, restarts = true }: RunBegin = {},
): Lifecycle {
  const context = action === 'deploy' ? asNew(before) : before;
  const { lifecycle, assessment } = context;
  const seq = lifecycle.runSeq + 1;
  const limit = action === 'deploy' ? assessment.limits.deployDeadlineMs : assessment.limits.destroyDeadlineMs;
  const snapshot = action === 'deploy' ? variables : (lifecycle.snapshot ?? variables);
  return {
    ...omit(lifecycle, 'nextAttemptAt'),
    runSeq: seq,
    touched: true,
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(action === 'deploy' && restarts ? { baseline: baseline(context, false) } : {}),
    run: {
      name: runName(lifecycle.id, seq, action, assessment.random),
      action,
      seq,
      generation: action === 'deploy' ? (variables?.generation ?? lifecycle.generation) : lifecycle.generation,
      reason: reason ?? reasonOf(context, action),
      startedAt: iso(assessment.now),
      deadlineAt: iso(assessment.now + limit),
    },
  };
}

/**
 * A record was taken for one of what exists, and nothing does: its first run creates. Were it taken for applied, what a
 * run has half made that fails would pass for whole.
 */
function asNew(context: Context): Context {
  const { lifecycle, assessment } = context;
  const isNew = assessment.host.state === 'gone' && lifecycle.applied === undefined;
  return isNew ? { lifecycle: { ...lifecycle, observedGeneration: 0 }, assessment } : context;
}

/** Why a run is begun decides what the gate lets it replace. */
function reasonOf(context: Context, action: RunAction): string {
  if (action === 'destroy') return 'destroy';
  // One that was taken over has a host: its first valid spec is a change of what stands there.
  if (context.lifecycle.observedGeneration === 0 && !isTakenOver(context)) return 'create';
  if (behind(context) && context.assessment.spec.ok) return 'update';
  return context.lifecycle.adopting ? 'adopt' : 'repair';
}

function isTakenOver({ lifecycle, assessment }: Context): boolean {
  return lifecycle.adopted && assessment.host.state !== 'gone';
}

/** The report as it stands now: after what is about to happen, only a newer one counts. */
function baseline({ assessment }: Context, newBoot: boolean): NonNullable<Lifecycle['baseline']> {
  const { bootId, sequence } = assessment.enclave;
  return {
    ...(bootId === undefined ? {} : { bootId }),
    ...(sequence === undefined ? {} : { sequence }),
    newBoot,
    at: iso(assessment.now),
  };
}

/** What is done to a host without Terraform. */
export type DirectEffect = 'startHost' | 'stopHost' | 'restartEnclave' | 'restartAllocator';

/** A direct effect is about to be tried; it is not repeated before it has had time to show. */
export function beginDirect(context: Context, effect: DirectEffect): Lifecycle {
  const { lifecycle, assessment } = context;
  const count = lifecycle.direct?.effect === effect ? lifecycle.direct.count + 1 : 1;
  return {
    ...lifecycle,
    direct: { effect, at: iso(assessment.now), count },
    baseline: baseline(context, effect === 'startHost' || effect === 'stopHost'),
  };
}

export function cancelRun({ lifecycle, assessment }: Context): Lifecycle {
  return lifecycle.run === undefined
    ? lifecycle
    : { ...lifecycle, run: { ...lifecycle.run, cancelledAt: iso(assessment.now) } };
}

/** The run is over, whatever came of it: the marker goes, and what it taught stays. */
export function endRun(context: Context): Lifecycle {
  const outcome = finishedOutcome(context);
  const { run, ...rest } = context.lifecycle;
  // What was observed before the run ended says nothing about what it left behind: drift must be seen anew.
  const { observedAt } = context.assessment.host;
  const { approval, ...unapproved } = rest;
  const keeps = approval !== undefined && outcome?.result !== 'succeeded' && outcome?.unapproved === undefined;
  const left = keeps ? rest : unapproved;
  const ended = run === undefined ? rest : { ...left, ranAt: iso(context.assessment.now) };
  const lifecycle = rest.drift === undefined ? ended : { ...ended, drift: { ...rest.drift, seen: 0, observedAt } };
  if (run === undefined || outcome === undefined || outcome.result !== 'succeeded' || run.action !== 'deploy')
    return lifecycle;
  // What an older runner made, it does not say: what is remembered of an earlier run is not it.
  const known = omit(lifecycle, 'adopting', 'made');
  const { legacy } = outcome;
  return {
    ...known,
    observedGeneration: Math.max(lifecycle.observedGeneration, run.generation),
    ...(lifecycle.snapshot?.spec === undefined ? {} : { applied: lifecycle.snapshot.spec }),
    ...(outcome.made === undefined ? {} : { made: outcome.made }),
    // A host of our own making has an agent that reports.
    adopted:
      legacy !== undefined ||
      (lifecycle.adopted && (outcome.instanceId ?? lifecycle.pinned.instanceId) === lifecycle.pinned.instanceId),
    pinned: {
      ...omit(lifecycle.pinned, 'legacy'),
      ...(legacy === undefined ? {} : { legacy }),
      ...(outcome.instanceId === undefined ? {} : { instanceId: outcome.instanceId }),
      ...(outcome.amiId === undefined ? {} : { amiId: outcome.amiId }),
      ...(outcome.imageDigest === undefined ? {} : { imageDigest: outcome.imageDigest }),
    },
  };
}
