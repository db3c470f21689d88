/** Guards of the lifecycle machine: questions with a name, asked of lifecycle and assessment. */
import type { Reason } from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { ErrorClass } from '../enclave/items/run.ts';
import { attemptsOf, behind, type Context, elapsed, neverApplied } from './context.ts';
import { driftConfirmed, isConfigurationDrift } from './drift.ts';
import { repairStep } from './repair-ladder.ts';

/** Classes that trying again cannot cure without a change of the record or of the account. */
const TERMINAL: ReadonlySet<ErrorClass> = new Set(['validation', 'permission', 'state']);

export function isTerminalClass(errorClass: ErrorClass): boolean {
  return TERMINAL.has(errorClass);
}

export function due({ lifecycle, assessment }: Context): boolean {
  return lifecycle.nextAttemptAt === undefined || Date.parse(lifecycle.nextAttemptAt) <= assessment.now;
}

/** A direct effect is still given time to show. */
export function settling({ lifecycle, assessment }: Context): boolean {
  return lifecycle.direct !== undefined && elapsed(lifecycle.direct.at, assessment.now) < assessment.limits.settleMs;
}

/** One look may be wrong, or too early: a host that should exist is missed only when two looks agree. */
function hostLost(context: Context): boolean {
  return context.assessment.host.state === 'gone' && (neverApplied(context.lifecycle) || driftConfirmed(context));
}

/** An adopted host without an agent: nothing but EC2 can say how it is. */
function legacy({ lifecycle, assessment }: Context): boolean {
  return lifecycle.adopted && assessment.enclave.reason === 'LegacyHost';
}

/** A run that ends in this very assessment applied another generation than the one the report was judged by. */
function isOfApplied({ lifecycle, assessment: { enclave } }: Context): boolean {
  return enclave.generation === undefined || enclave.generation === lifecycle.observedGeneration;
}

/** The enclave the spec describes is running, by a report newer than the last start of its host. */
export function proven(context: Context): boolean {
  const { host, enclave } = context.assessment;
  return (
    host.verdict === 'Match' &&
    host.state === 'running' &&
    ((enclave.verdict === 'Match' && enclave.fresh && isOfApplied(context)) || legacy(context))
  );
}

/** The host reports a permanent error of the generation that was applied. */
function isRefused(context: Context): boolean {
  return context.assessment.enclave.refusal !== undefined && isOfApplied(context);
}

/** The host reported this error for an earlier attempt, and nothing has asked it to retry since. */
function isUnaskedSince({ lifecycle: { failure, observedGeneration, direct, commandAt } }: Context): boolean {
  const isAsked = direct?.effect === 'restartEnclave' && Date.parse(direct.at) >= Date.parse(commandAt);
  return failure?.refusedGeneration === observedGeneration && !isAsked;
}

/** Nothing that was done since the phase began has restarted the host, or what runs on it. */
function undisturbed({ lifecycle: { direct, baseline, phaseSince } }: Context): boolean {
  return direct === undefined && (baseline === undefined || Date.parse(baseline.at) < Date.parse(phaseSince));
}

/** What is looked after is neither that the host is down nor that the enclave is. */
function merelyDiffers({ lifecycle }: Context): boolean {
  return isConfigurationDrift(lifecycle);
}

/** It does, by its agent's word, or nothing was done that could have kept it from that. */
function servesOn(context: Context): boolean {
  return merelyDiffers(context) && (proven(context) || undisturbed(context));
}

function isExhausted(context: Context): boolean {
  const idle = context.assessment.run.state === 'none' && !settling(context);
  return idle && driftConfirmed(context) && repairStep(context) === 'exhausted';
}

/** The last thing that was done to it in this phase, a run or without one; RFC 3339. */
function lastDoneAt({ direct, ranAt, phaseSince }: Lifecycle): string {
  const times = [phaseSince, direct?.at, ranAt].filter((time) => time !== undefined);
  return times.reduce((last, time) => (Date.parse(time) > Date.parse(last) ? time : last));
}

/** It runs, and cannot get out everywhere it should: less than whole, and no reason to take it down. */
function runsLame(context: Context): boolean {
  const { host, enclave } = context.assessment;
  const isLame = enclave.verdict === 'Drift' && enclave.reason === 'ProxyDown' && enclave.running === true;
  return isLame && enclave.fresh && isOfApplied(context) && host.verdict === 'Match' && host.state === 'running';
}

/** What came of a finished run. `cut`: stopped from outside before it could end, which is no attempt. */
export function runResult({ lifecycle, assessment }: Context): 'succeeded' | 'failed' | 'cut' | undefined {
  if (assessment.run.state !== 'finished') return undefined;
  const { result } = assessment.run.outcome;
  if (result !== 'cancelled') return result;
  // Cancelled because it was overdue: that is a failure, and it counts.
  return lifecycle.run !== undefined && assessment.now >= Date.parse(lifecycle.run.deadlineAt) ? 'failed' : 'cut';
}

/** What holds back even repairs. A change that waits for its window holds back only itself: what is down is not interrupted. */
const HOLDS_REPAIR: ReadonlySet<Reason> = new Set(['Suspended', 'FleetFrozen']);

export function holdsRepair(reason: Reason): boolean {
  return HOLDS_REPAIR.has(reason);
}

/** What is in the way of the enclave on its host, whatever Terraform makes around it. */
const HEALED_ON_HOST: ReadonlySet<Reason> = new Set(['AllocatorShort', 'EnclaveTerminating', 'ExtraEnclaves']);

/** Why a wanted deletion does not begin; undefined where nothing holds it. */
export function deletionHeld({ lifecycle, assessment }: Context): 'DeletionHeld' | 'DependentsExist' | undefined {
  const { missingSince, absentBecause, touched } = lifecycle;
  const vanished = touched && missingSince !== undefined && absentBecause !== 'command';
  if (vanished && !assessment.deletionsAllowed) return 'DeletionHeld';
  return (assessment.dependents ?? []).length > 0 ? 'DependentsExist' : undefined;
}

export const guards = {
  absentWanted: ({ context }: { context: Context }) => context.lifecycle.desired === 'Absent',
  pauseWanted: ({ context }: { context: Context }) => context.lifecycle.desired === 'Paused',
  runningWanted: ({ context }: { context: Context }) => context.lifecycle.desired === 'Running',

  wasDestroyed: ({ context }: { context: Context }) =>
    context.lifecycle.desired === 'Absent' && context.lifecycle.origin === 'DESTROYED',
  commandIsStale: ({ context }: { context: Context }) => context.assessment.staleCommand,
  deployAsked: ({ context }: { context: Context }) => context.lifecycle.origin === 'PENDING_DEPLOY',
  hostUnknown: ({ context }: { context: Context }) => context.assessment.host.state === 'unknown',
  failedBefore: ({ context }: { context: Context }) => context.lifecycle.origin === 'FAILED',
  resumeAsked: ({ context }: { context: Context }) => context.lifecycle.origin === 'RESUMING',
  wasPaused: ({ context }: { context: Context }) => context.lifecycle.origin === 'PAUSED',
  wasServing: ({ context }: { context: Context }) => context.lifecycle.origin === 'DEPLOYED',

  specInvalid: ({ context: { assessment } }: { context: Context }) =>
    !assessment.spec.ok && assessment.spec.absent !== true,
  specValid: ({ context }: { context: Context }) => context.assessment.spec.ok,
  /** Valid, admitted, and a run may start now: waiting for a slot is waiting for admission. */
  admitted: ({ context: { assessment } }: { context: Context }) =>
    assessment.spec.ok && assessment.admission.ok && assessment.slot,
  admittedUpdate: ({ context }: { context: Context }) => guards.admitted({ context }) && context.lifecycle.serving,
  /** Serving, and the last report is newer than the last restart of the enclave. */
  upToDateAndProven: ({ context }: { context: Context }) =>
    context.lifecycle.serving &&
    !behind(context) &&
    context.assessment.run.state === 'none' &&
    (context.assessment.enclave.fresh || legacy(context)),

  /** Neither frozen nor suspended. */
  allowed: ({ context }: { context: Context }) => {
    const { admission } = context.assessment;
    return admission.ok || !holdsRepair(admission.reason);
  },
  /** Allowed, by the policy and by what the rest of the fleet looks like as well. */
  mayRepair: ({ context }: { context: Context }) => guards.allowed({ context }) && context.assessment.repair.ok,
  serving: ({ context }: { context: Context }) => context.lifecycle.serving,
  /** What serves waits for a person where its drift is repaired meanwhile. */
  servesUnapproved: ({ context: { lifecycle, assessment } }: { context: Context }) =>
    lifecycle.serving &&
    assessment.run.state === 'none' &&
    !assessment.admission.ok &&
    assessment.admission.reason === 'AwaitingApproval',
  rests: ({ context }: { context: Context }) => context.assessment.rests && !behind(context),
  stoppedByUs: ({ context }: { context: Context }) => context.lifecycle.direct?.effect === 'stopHost',
  retainWanted: ({ context }: { context: Context }) => context.assessment.retain && context.lifecycle.touched,
  /** What was retained is wanted gone after all. */
  releasedFromRetention: ({ context }: { context: Context }) =>
    context.lifecycle.retained === true && !context.assessment.retain && context.assessment.record === 'ours',

  runActive: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'intended' || context.assessment.run.state === 'running',
  runSucceeded: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'finished' && context.assessment.run.outcome.result === 'succeeded',
  runOutdated: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'finished' &&
    context.assessment.run.outcome.result !== 'succeeded' &&
    (context.lifecycle.run?.generation ?? 0) < context.lifecycle.generation &&
    context.assessment.spec.ok,
  runFailedForGood: ({ context }: { context: Context }) => {
    const { run, limits } = context.assessment;
    if (run.state !== 'finished' || runResult(context) !== 'failed') return false;
    const failures = attemptsOf(context.lifecycle, generationKey(context.lifecycle)) + 1;
    return (
      (run.outcome.result === 'failed' && isTerminalClass(run.outcome.class ?? 'unknown')) ||
      failures >= limits.attemptsPerGeneration
    );
  },
  runEnded: ({ context }: { context: Context }) => context.assessment.run.state === 'finished',
  destroyRunSucceeded: ({ context }: { context: Context }) =>
    context.lifecycle.run?.action === 'destroy' &&
    context.assessment.run.state === 'finished' &&
    context.assessment.run.outcome.result === 'succeeded' &&
    (context.assessment.run.outcome.remaining ?? []).length === 0,
  destroyRunEnded: ({ context }: { context: Context }) =>
    context.lifecycle.run?.action === 'destroy' && context.assessment.run.state === 'finished',

  /** A paused enclave is prepared once it has been resumed. */
  adoptionAsked: ({ context }: { context: Context }) =>
    context.assessment.adopt && context.lifecycle.adopted && context.lifecycle.adopting !== true,
  /** Remembered, since a run may have to wait for its slot. */
  adoptionWanted: ({ context }: { context: Context }) =>
    (context.assessment.adopt || context.lifecycle.adopting === true) &&
    context.lifecycle.adopted &&
    context.lifecycle.desired === 'Running' &&
    context.assessment.run.state === 'none' &&
    context.assessment.spec.ok,
  newGenerationReady: ({ context }: { context: Context }) =>
    behind(context) && context.assessment.spec.ok && context.assessment.run.state === 'none',
  proven: ({ context }: { context: Context }) => proven(context),
  provenOrLame: ({ context }: { context: Context }) => proven(context) || runsLame(context),
  hostLost: ({ context }: { context: Context }) => hostLost(context),
  /** What this decision has just asked of the host is not answered yet. */
  refusedForGood: ({ context }: { context: Context }) =>
    isRefused(context) && !isUnaskedSince(context) && !settling(context),
  refusedBefore: ({ context }: { context: Context }) => isRefused(context) && isUnaskedSince(context),
  verifyingTooLong: ({ context }: { context: Context }) =>
    elapsed(context.lifecycle.phaseSince, context.assessment.now) >= context.assessment.limits.verifyDeadlineMs,
  verifyFailedForGood: ({ context }: { context: Context }) =>
    elapsed(context.lifecycle.phaseSince, context.assessment.now) >= context.assessment.limits.verifyDeadlineMs &&
    attemptsOf(context.lifecycle, generationKey(context.lifecycle)) + 1 >=
      context.assessment.limits.attemptsPerGeneration,

  /** What the host reports again and again, and another deployment would find as it is. */
  onlyRepairHelps: ({ context }: { context: Context }) =>
    !behind(context) &&
    context.assessment.run.state === 'none' &&
    driftConfirmed(context) &&
    context.assessment.enclave.verdict === 'Drift' &&
    HEALED_ON_HOST.has(context.assessment.enclave.reason) &&
    repairStep(context) !== 'exhausted',

  driftConfirmed: ({ context }: { context: Context }) => driftConfirmed(context),
  /** Nothing that is repaired is left, by a report newer than the last restart. */
  healed: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'none' && proven(context) && !merelyDiffers(context),
  mended: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'none' && context.lifecycle.drift === undefined && undisturbed(context),
  repairWithdrawn: ({ context }: { context: Context }) =>
    servesOn(context) &&
    context.assessment.run.state === 'none' &&
    driftConfirmed(context) &&
    !guards.mayRepair({ context }),
  repairInVain: ({ context }: { context: Context }) => (servesOn(context) || runsLame(context)) && isExhausted(context),
  ladderExhausted: ({ context }: { context: Context }) =>
    !merelyDiffers(context) && !runsLame(context) && isExhausted(context),
  repairSilent: ({ context }: { context: Context }) =>
    !(merelyDiffers(context) && undisturbed(context)) &&
    context.assessment.run.state === 'none' &&
    context.assessment.host.state === 'running' &&
    context.assessment.enclave.verdict === 'Unknown' &&
    elapsed(lastDoneAt(context.lifecycle), context.assessment.now) >= context.assessment.limits.verifyDeadlineMs,

  hostStopped: ({ context }: { context: Context }) => context.assessment.host.state === 'stopped',
  hostStoppedOrGone: ({ context }: { context: Context }) =>
    context.assessment.host.state === 'stopped' || hostLost(context),
  hostRunning: ({ context }: { context: Context }) => context.assessment.host.state === 'running',
  hostRunningConfirmed: ({ context }: { context: Context }) =>
    context.assessment.host.state === 'running' && driftConfirmed(context),

  attemptDue: ({ context }: { context: Context }) => due(context),
  askedAgain: ({ context }: { context: Context }) =>
    context.assessment.newCommand ||
    context.assessment.newGeneration ||
    context.assessment.retry ||
    context.assessment.adopt,
  pauseAsked: ({ context }: { context: Context }) =>
    context.lifecycle.desired === 'Paused' && (context.assessment.newCommand || context.assessment.retry),
  retryDue: ({ context }: { context: Context }) => context.lifecycle.nextAttemptAt !== undefined && due(context),
  recovered: ({ context }: { context: Context }) =>
    context.lifecycle.desired === 'Running' &&
    !behind(context) &&
    context.assessment.host.verdict === 'Match' &&
    context.assessment.enclave.verdict === 'Match' &&
    context.assessment.enclave.fresh,

  provenEmpty: ({ context }: { context: Context }) =>
    context.assessment.run.state === 'none' &&
    context.assessment.host.state === 'gone' &&
    (!context.lifecycle.touched || (context.lifecycle.teardown?.emptySeen ?? 0) >= 2),
  stillFound: ({ context }: { context: Context }) =>
    context.lifecycle.teardown !== undefined &&
    context.assessment.host.state !== 'gone' &&
    context.assessment.host.state !== 'unknown' &&
    elapsed(context.lifecycle.teardown.doneAt, context.assessment.now) >= 2 * context.assessment.limits.settleMs,
} as const;

export function generationKey(lifecycle: Lifecycle): string {
  return `generation:${lifecycle.run?.generation ?? lifecycle.generation}`;
}
