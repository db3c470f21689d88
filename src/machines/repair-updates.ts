/** Updates of a repair: its attempts, its end, and what is left where no rung cures. Pure, as all updates. */
import { namesOfDrift, readDrift } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import { omit } from '../enclave/omit.ts';
import { attemptsOf, type Context } from './context.ts';
import { driftKey, isConfigurationDrift, restartsHost } from './drift.ts';
import { runResult } from './guards.ts';
import { repairStep } from './repair-ladder.ts';
import { backoffMs, beginRun, endRun, finishedOutcome, iso } from './run-updates.ts';
import { fail, failureOf, failVerification, incrementAttempts, stall, withAttempts } from './updates.ts';

/** Every repair counts when it is begun: one that "succeeds" without healing must not be repeated for ever. */
export function countRepair(context: Context): Lifecycle {
  const key = driftKey(context);
  const { lifecycle } = context;
  const { attempts, ...tries } = incrementAttempts(lifecycle, key);
  return { ...lifecycle, ...tries, attempts: { ...attempts, rung: repairStep(context) } };
}

/**
 * The attempt and its run, in one: what was counted already would be of the next rung. What merely differs is put back
 * as it was: a newer generation waits for its own admission.
 */
export function beginRepairRun(context: Context): Lifecycle {
  const rung = repairStep(context);
  const tried = { ...context, lifecycle: countRepair(context) };
  const ofFindings = isConfigurationDrift(context.lifecycle);
  if (!ofFindings && rung !== 'replace') return beginRun(tried, 'deploy');
  const { mending } = context.assessment;
  // What differs tells Terraform by itself that another host is needed; a host that merely does not work does not.
  const replaces = ofFindings ? {} : { replaces: context.lifecycle.pinned.instanceId };
  const variables =
    mending === undefined || rung !== 'replace' ? mending : { ...mending, change: 'replace', ...replaces };
  const restarts = rung === 'replace' || context.assessment.findings.some(restartsHost);
  return beginRun(tried, 'deploy', { variables, reason: 'repair', restarts });
}

/** A repair run that ended well is given time to show before it is tried again; what it was for must be seen anew. */
export function endRepair(context: Context): Lifecycle {
  const { assessment, lifecycle } = context;
  const ended = endRun(context);
  if (ended.drift === undefined || !isConfigurationDrift(ended)) return ended;
  const pauseMs = backoffMs(lifecycle.attempts.count, assessment.random, assessment.limits);
  return {
    ...ended,
    // Not every look is of now: one from before the end says nothing of what came of it.
    drift: { ...ended.drift, observedAt: Math.max(ended.drift.observedAt, assessment.now) },
    nextAttemptAt: iso(assessment.now + pauseMs),
  };
}

/** A repair run that failed waits before the next rung; its attempt was counted when it began. */
export function failRepair(context: Context): Lifecycle {
  const { assessment, lifecycle } = context;
  const outcome = finishedOutcome(context);
  return {
    ...endRun(context),
    ...(runResult(context) === 'failed' ? { failure: failureOf(outcome, context) } : {}),
    nextAttemptAt: iso(assessment.now + backoffMs(lifecycle.attempts.count, assessment.random, assessment.limits)),
  };
}

/** The ladder is at its end: what the last repair said, or that none helped. */
export function exhaust(context: Context): Lifecycle {
  const { lifecycle } = context;
  const { attempts } = lifecycle;
  const key = driftKey(context);
  const failed = fail(context, 'unknown', `${attemptsOf(lifecycle, key)} repairs did not cure ${key}`, key);
  const failure = lifecycle.failure ?? failed.failure;
  return stall(
    { ...context, lifecycle: { ...failed, attempts, ...(failure === undefined ? {} : { failure }) } },
    false,
  );
}

/** May not be repaired now: it is looked after again as any other. */
export function withdraw({ lifecycle }: Context): Lifecycle {
  return omit(lifecycle, 'nextAttemptAt');
}

/** What differed is as it should be, and nothing has been done to the host: it serves as it did before. */
export function mended({ lifecycle }: Context): Lifecycle {
  return omit(lifecycle, 'failure', 'nextAttemptAt');
}

/** No rung cures what merely differs: the enclave serves on, and the last rung is tried again after a rest. */
export function giveUp(context: Context): Lifecycle {
  const { lifecycle, assessment } = context;
  const count = attemptsOf(lifecycle, driftKey(context));
  const what = lifecycle.drift === undefined ? 'drift' : namesOfDrift(lifecycle.drift).join(', ');
  const failure = lifecycle.failure ?? {
    class: 'unknown' as const,
    message: `${count} repairs did not cure ${what}`,
    at: iso(assessment.now),
  };
  return {
    ...omit(lifecycle, 'direct'),
    failure,
    nextAttemptAt: iso(assessment.now + assessment.limits.stalledRetryMs),
  };
}

/** The rest is over: one more try. */
export function climbAgain(context: Context): Lifecycle {
  const { lifecycle } = context;
  // Of what an enclave reports, only that it runs lame is given up and not stalled.
  const drift = readDrift(lifecycle.drift);
  const isDegraded = drift?.kind === 'report' && drift.attribute === 'enclave.proxies';
  const isGivenUp = drift?.kind === 'attributes' || isDegraded;
  if (!isGivenUp || repairStep(context) !== 'exhausted') return lifecycle;
  const key = driftKey(context);
  return { ...omit(lifecycle, 'nextAttemptAt'), ...withAttempts(lifecycle, key, attemptsOf(lifecycle, key) - 1) };
}

/** A repair came to nothing: the host runs and does not report. It was counted when it was begun. */
export function repairFailed(context: Context): Lifecycle {
  const { attempts } = context.lifecycle;
  const failed = { ...failVerification(context, attempts.key), attempts };
  return { ...stall({ ...context, lifecycle: failed }, false), serving: false };
}
