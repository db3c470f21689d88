/** Updates: how a decision changes what is remembered. Pure; each returns the next lifecycle. */
import { isRepairKey } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { ErrorClass, Failure, Outcome } from '../enclave/items/run.ts';
import { omit } from '../enclave/omit.ts';
import { attemptsOf, type Context } from './context.ts';
import { confirmedDown } from './drift.ts';
import { generationKey, runResult } from './guards.ts';
import { backoffMs, endRun, finishedOutcome, iso } from './run-updates.ts';

/** Differences whose attempts are remembered beside the present one's. */
const MOST_TRIED = 8;

const NOT_REPORTED = 'the host reported no running enclave in time';

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
export function incrementAttempts(lifecycle: Lifecycle, key: string): Pick<Lifecycle, 'attempts' | 'tried'> {
  return withAttempts(lifecycle, key, attemptsOf(lifecycle, key) + 1);
}

/** `count` attempts at `key`; those at another difference are remembered beside them. */
export function withAttempts(lifecycle: Lifecycle, key: string, count: number): Pick<Lifecycle, 'attempts' | 'tried'> {
  const { attempts, tried: before = {} } = lifecycle;
  if (attempts.key === key || !isRepairKey(attempts.key)) {
    return { attempts: { key, count }, ...(lifecycle.tried === undefined ? {} : { tried: before }) };
  }
  // Differences that take turns climb their ladders all the same.
  const kept = Object.entries(omit(before, key, attempts.key)).slice(1 - MOST_TRIED);
  return { attempts: { key, count }, tried: { ...Object.fromEntries(kept), [attempts.key]: attempts.count } };
}

/** Nothing has been attempted, at whatever. */
export function resetAttempts(lifecycle: Lifecycle): Lifecycle {
  return { ...omit(lifecycle, 'tried'), attempts: { key: '', count: 0 } };
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
  const tries = incrementAttempts(context.lifecycle, key);
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
  const tries = incrementAttempts(lifecycle, key);
  return {
    ...lifecycle,
    ...tries,
    failure: { class: errorClass, message, at: iso(assessment.now), ...refusedBefore(context) },
    nextAttemptAt: iso(assessment.now + backoffMs(tries.attempts.count, assessment.random, assessment.limits)),
  };
}

/** Stalled: nothing leads on but a new generation, a command or a retry; a transient cause is tried each hour. */
export function stall(context: Context, terminal: boolean): Lifecycle {
  const lifecycle = omit(context.lifecycle, 'nextAttemptAt');
  const { assessment } = context;
  return {
    ...lifecycle,
    // Unknown ends nothing: only what is seen to be dead, twice, does not serve.
    serving: lifecycle.serving && !confirmedDown(context),
    ...(terminal ? {} : { nextAttemptAt: iso(assessment.now + assessment.limits.stalledRetryMs) }),
  };
}

/** Tried again because it was asked for: attempts of old belong to the old request. */
export function startOver({ lifecycle, assessment }: Context): Lifecycle {
  return { ...resetAttempts(omit(lifecycle, 'nextAttemptAt', 'healed')), commandAt: iso(assessment.now) };
}

/** The pause is over. Attempts stay: they belong to the generation. */
export function resumeAttempts({ lifecycle }: Context): Lifecycle {
  return omit(lifecycle, 'nextAttemptAt');
}

/** Running and proven: errors are history. Drift attempts stay until it has been healthy for a while. */
export function settle({ lifecycle }: Context): Lifecycle {
  const rest = omit(lifecycle, 'failure', 'nextAttemptAt', 'direct', 'drift');
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
  return { ...omit(lifecycle, 'direct', 'drift', 'nextAttemptAt'), serving: false };
}

export function beginDestroying(context: Context): Lifecycle {
  return resetAttempts(omit(unserve(context), 'nextAttemptAt', 'teardown', 'retained'));
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
  const lifecycle = omit(context.lifecycle, 'teardown');
  return fail({ ...context, lifecycle }, 'state', 'the host is still found after a destroy run', 'destroy');
}

export function destroyed({ lifecycle }: Context): Lifecycle {
  const rest = omit(
    lifecycle,
    'failure',
    'nextAttemptAt',
    'direct',
    'drift',
    'healed',
    'weakened',
    'findings',
    'made',
    'completed',
    'baseline',
    'planned',
    'planAsked',
    'approval',
  );
  return { ...resetAttempts(rest), serving: false, adopted: false, pinned: {}, observedGeneration: 0 };
}

/** Deleted by name only: the resources stay, and the tombstone keeps saying whose they are. */
export function retain(context: Context): Lifecycle {
  const { pinned, observedGeneration } = context.lifecycle;
  return { ...destroyed(context), pinned, observedGeneration, retained: true };
}

/** A new life after destroyed: what was pinned died with the old one. */
export function revive(context: Context): Lifecycle {
  const { retained, ...rest } = omit(startOver(context), 'teardown', 'failure', 'absentBecause');
  const generation = Math.max(1, rest.generation);
  // What was retained is taken up again as it is.
  if (retained) return { ...rest, generation };
  return { ...omit(rest, 'snapshot', 'applied'), touched: false, generation, observedGeneration: 0 };
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
  return { ...resetAttempts(omit(lifecycle, 'direct', 'failure', 'nextAttemptAt', 'drift')), serving: false };
}
