/** Updates: how a decision changes what is remembered. Pure; each returns the next lifecycle. */
import { isRepairKey } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { type RunAction, runName } from '../enclave/names.ts';
import type { ErrorClass, Failure, Outcome, RunVariables } from '../enclave/run-item.ts';
import type { Limits } from './assessment.ts';
import { attemptsOf, behind, type Context } from './context.ts';
import { seenDead } from './drift.ts';
import { generationKey, runResult } from './guards.ts';

/** Differences whose attempts are remembered beside the present one's. */
const MOST_TRIED = 8;

const NOT_REPORTED = 'the host reported no running enclave in time';

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
  const { nextAttemptAt: _due, ...rest } = lifecycle;
  const snapshot = action === 'deploy' ? variables : (lifecycle.snapshot ?? variables);
  return {
    ...rest,
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
  const { adopting: _done, made: _before, ...known } = lifecycle;
  const { legacy: _replaced, ...pinned } = lifecycle.pinned;
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
      ...pinned,
      ...(legacy === undefined ? {} : { legacy }),
      ...(outcome.instanceId === undefined ? {} : { instanceId: outcome.instanceId }),
      ...(outcome.amiId === undefined ? {} : { amiId: outcome.amiId }),
      ...(outcome.imageDigest === undefined ? {} : { imageDigest: outcome.imageDigest }),
    },
  };
}

export function failureOf(outcome: Outcome | undefined, { assessment }: Context): Failure {
  if (outcome?.result === 'cancelled') {
    return { class: 'timeout', message: 'the run passed its deadline and was cancelled', at: iso(assessment.now) };
  }
  const failure: Failure = {
    class: outcome?.class ?? 'unknown',
    message: outcome?.message ?? 'the run ended without saying why',
    at: iso(assessment.now),
  };
  return outcome?.fix === undefined ? failure : { ...failure, fix: outcome.fix };
}

/** One more attempt at `key`. */
export function counted(lifecycle: Lifecycle, key: string): Pick<Lifecycle, 'attempts' | 'tried'> {
  return attempted(lifecycle, key, attemptsOf(lifecycle, key) + 1);
}

/** `count` attempts at `key`; those at another difference are remembered beside them. */
export function attempted(lifecycle: Lifecycle, key: string, count: number): Pick<Lifecycle, 'attempts' | 'tried'> {
  const { attempts, tried: before = {} } = lifecycle;
  if (attempts.key === key || !isRepairKey(attempts.key)) {
    return { attempts: { key, count }, ...(lifecycle.tried === undefined ? {} : { tried: before }) };
  }
  // Differences that take turns climb their ladders all the same.
  const { [key]: _again, [attempts.key]: _older, ...others } = before;
  const kept = Object.entries(others).slice(1 - MOST_TRIED);
  return { attempts: { key, count }, tried: { ...Object.fromEntries(kept), [attempts.key]: attempts.count } };
}

/** Nothing has been attempted, at whatever. */
export function uncounted({ tried: _past, ...lifecycle }: Lifecycle): Lifecycle {
  return { ...lifecycle, attempts: { key: '', count: 0 } };
}

/** The wait for a report begins now: how long a run took, or a host to start, is no part of it. */
export function beginVerifying({ lifecycle, assessment }: Context): Lifecycle {
  return { ...lifecycle, phaseSince: iso(assessment.now) };
}

/** A run that was cut off (cancelled, aborted) is no attempt; a failed one is. Both are tried again after a pause. */
export function failRun(context: Context, key = generationKey(context.lifecycle)): Lifecycle {
  const { assessment } = context;
  const outcome = finishedOutcome(context);
  const ended = endRun(context);
  if (runResult(context) === 'cut') {
    return { ...ended, nextAttemptAt: iso(assessment.now + backoffMs(1, assessment.random, assessment.limits)) };
  }
  const tries = counted(context.lifecycle, key);
  return {
    ...ended,
    ...tries,
    failure: { ...failureOf(outcome, context), ...refusedBefore(context) },
    nextAttemptAt: iso(assessment.now + backoffMs(tries.attempts.count, assessment.random, assessment.limits)),
  };
}

/** Until the host is asked again, it goes on reporting why it refused this generation. */
function refusedBefore({ lifecycle: { failure, generation } }: Context): Pick<Failure, 'refusedGeneration'> {
  const refused = failure?.refusedGeneration;
  return refused === generation ? { refusedGeneration: refused } : {};
}

/** Something other than a run failed. */
export function fail(context: Context, errorClass: ErrorClass, message: string, key: string): Lifecycle {
  const { lifecycle, assessment } = context;
  const tries = counted(lifecycle, key);
  return {
    ...lifecycle,
    ...tries,
    failure: { class: errorClass, message, at: iso(assessment.now), ...refusedBefore(context) },
    nextAttemptAt: iso(assessment.now + backoffMs(tries.attempts.count, assessment.random, assessment.limits)),
  };
}

/** Stalled: nothing leads on but a new generation, a command or a retry; a transient cause is tried each hour. */
export function stall(context: Context, terminal: boolean): Lifecycle {
  const { nextAttemptAt: _earlier, ...lifecycle } = context.lifecycle;
  const { assessment } = context;
  return {
    ...lifecycle,
    // Unknown ends nothing: only what is seen to be dead, twice, does not serve.
    serving: lifecycle.serving && !seenDead(context),
    ...(terminal ? {} : { nextAttemptAt: iso(assessment.now + assessment.limits.stalledRetryMs) }),
  };
}

/** Tried again because it was asked for: attempts of old belong to the old request. */
export function startOver({ lifecycle, assessment }: Context): Lifecycle {
  const { nextAttemptAt: _pause, healed: _old, ...rest } = lifecycle;
  return { ...uncounted(rest), commandAt: iso(assessment.now) };
}

/** The pause is over. Attempts stay: they belong to the generation. */
export function resumeAttempts({ lifecycle }: Context): Lifecycle {
  const { nextAttemptAt: _pause, ...rest } = lifecycle;
  return rest;
}

/** Running and proven: errors are history. Drift attempts stay until it has been healthy for a while. */
export function settle({ lifecycle }: Context): Lifecycle {
  const { failure: _past, nextAttemptAt: _none, direct: _done, drift: _healed, ...rest } = lifecycle;
  const attempts = isRepairKey(lifecycle.attempts.key) ? lifecycle.attempts : { key: '', count: 0 };
  return { ...rest, serving: true, attempts };
}

export function adopt({ lifecycle, assessment }: Context): Lifecycle {
  const { instanceId, foundIn } = assessment.host;
  return {
    ...lifecycle,
    adopted: true,
    touched: true,
    serving: lifecycle.origin === 'DEPLOYED',
    ...(assessment.variables === undefined ? {} : { snapshot: assessment.variables }),
    ...(assessment.variables?.spec === undefined ? {} : { applied: assessment.variables.spec }),
    ...(foundIn === undefined ? {} : { region: foundIn }),
    pinned: instanceId === undefined ? lifecycle.pinned : { ...lifecycle.pinned, instanceId },
  };
}

/** `enclavectl adopt` of what was taken over already: a run learns what its Terraform state says, and changes nothing. */
export function beginAdopting({ lifecycle }: Context): Lifecycle {
  return { ...lifecycle, adopting: true };
}

/** Nothing serves while pausing, paused or being destroyed. */
export function unserve({ lifecycle }: Context): Lifecycle {
  const { direct: _old, drift: _other, nextAttemptAt: _pause, ...rest } = lifecycle;
  return { ...rest, serving: false };
}

export function beginDestroying(context: Context): Lifecycle {
  const { nextAttemptAt: _pause, teardown: _earlier, retained: _no, ...rest } = unserve(context);
  return uncounted(rest);
}

/** The destroy run says nothing is left; two observations must agree before it is believed. */
export function destroyDone(context: Context): Lifecycle {
  return {
    ...endRun(context),
    teardown: { doneAt: iso(context.assessment.now), emptySeen: 0, observedAt: context.assessment.host.observedAt },
  };
}

export function destroyFailed(context: Context): Lifecycle {
  const outcome = finishedOutcome(context);
  if (outcome?.result !== 'succeeded') return failRun(context, 'destroy');
  const remaining = (outcome.remaining ?? []).slice(0, 5).join(', ');
  return fail(
    { ...context, lifecycle: endRun(context) },
    'state',
    `resources remain after a destroy run: ${remaining}`,
    'destroy',
  );
}

/** Resources are found although the destroy run said none is left: destroy again. */
export function destroyAgain(context: Context): Lifecycle {
  const { teardown: _refuted, ...lifecycle } = context.lifecycle;
  return fail({ ...context, lifecycle }, 'state', 'the host is still found after a destroy run', 'destroy');
}

export function destroyed({ lifecycle }: Context): Lifecycle {
  const {
    failure: _past,
    nextAttemptAt: _none,
    direct: _old,
    drift: _gone,
    healed: _long,
    weakened: _weak,
    findings: _told,
    made: _thing,
    completed: _done,
    baseline: _report,
    planned: _plan,
    planAsked: _asked,
    approval: _given,
    ...rest
  } = lifecycle;
  return { ...uncounted(rest), serving: false, adopted: false, pinned: {}, observedGeneration: 0 };
}

/** Deleted by name only: the resources stay, and the tombstone keeps saying whose they are. */
export function retain(context: Context): Lifecycle {
  const { pinned, observedGeneration } = context.lifecycle;
  return { ...destroyed(context), pinned, observedGeneration, retained: true };
}

/** A new life after destroyed: what was pinned died with the old one. */
export function revive(context: Context): Lifecycle {
  const { teardown: _old, failure: _past, absentBecause: _why, retained, ...rest } = startOver(context);
  const generation = Math.max(1, rest.generation);
  // What was retained is taken up again as it is.
  if (retained) return { ...rest, generation };
  const { snapshot: _dead, applied: _gone, ...fresh } = rest;
  return { ...fresh, touched: false, generation, observedGeneration: 0 };
}

/** A host that is found belongs to this enclave: no second one may be created beside it. */
export function pinHost({ lifecycle, assessment }: Context): Lifecycle {
  const { instanceId, foundIn } = assessment.host;
  if (instanceId === undefined) return lifecycle;
  const { variables } = assessment;
  return {
    ...lifecycle,
    touched: true,
    pinned: { ...lifecycle.pinned, instanceId },
    // What it was made with says where it lies from now on.
    ...(foundIn === undefined ? {} : { region: foundIn, ...(variables === undefined ? {} : { snapshot: variables }) }),
  };
}

/** The deadline passed, or the host was lost, before the enclave was verified. */
export function failVerification(context: Context, key = generationKey(context.lifecycle)): Lifecycle {
  const { host, enclave } = context.assessment;
  const what = enclave.running === true ? 'the enclave could not be verified in time' : NOT_REPORTED;
  const cause = enclave.message === undefined ? '' : `: ${enclave.message}`;
  const message =
    host.state === 'gone'
      ? 'the host vanished before it reported a running enclave'
      : `${what} (${enclave.reason})${cause}`;
  return fail(context, 'bootstrap', message, key);
}

/** The host reports a permanent error: the attempt ends now, with the host's message. */
export function refusedByHost(context: Context): Lifecycle {
  const { lifecycle, assessment } = context;
  const { refusal } = assessment.enclave;
  return {
    ...fail(context, 'validation', '', generationKey(lifecycle)),
    failure: {
      class: 'validation',
      message: `the host cannot start generation ${lifecycle.observedGeneration}: ${refusal}`,
      fix: 'correct the record, or fix the cause and write PENDING_DEPLOY to try again',
      at: iso(assessment.now),
      refusedGeneration: lifecycle.observedGeneration,
    },
  };
}

/** Paused: nothing is under way, and what failed before is history. */
export function atRest({ lifecycle }: Context): Lifecycle {
  const { direct: _done, failure: _past, nextAttemptAt: _none, drift: _other, ...rest } = lifecycle;
  return { ...uncounted(rest), serving: false };
}
