/** What an enclave is doing, or waiting for, in words for people. */
import { namesOfDrift } from '../drift/index.ts';
import type { Failure } from '../enclave/items/run.ts';
import type { SpecIssue } from '../enclave/spec/spec.ts';
import { behind, type Context, elapsed } from './context.ts';
import { driftConfirmed } from './drift.ts';
import { deletionHeld } from './guards.ts';
import { waitsForApproval } from './plan-projection.ts';
import { isGivenUp } from './status-in-sync.ts';

/** What the record's `error_message` says: class, first diagnostic, fix. */
export function failureText(failure: Failure | undefined): string {
  if (failure === undefined) return '';
  return `${failure.class}: ${failure.fix === undefined ? failure.message : `${failure.message.replace(/\.$/, '')}; ${failure.fix}`}`;
}

/** One sentence for people: what it is doing, or waiting for, and why. */
export function describePhase(context: Context): string {
  const { lifecycle, assessment } = context;
  if (assessment.record === 'gone' && lifecycle.desired !== 'Absent') {
    if (heldBack(context) === 'DeletionHeld')
      return 'the record is gone; deletions are held until `enclavectl confirm-deletions`';
    return 'the record is gone; the enclave is destroyed after the grace period';
  }
  switch (lifecycle.phase) {
    case 'observing':
      return 'looking for what exists';
    case 'pending':
      if (!assessment.spec.ok && assessment.spec.absent === true) return describeAbsence(context);
      if (!assessment.admission.ok) return assessment.admission.message;
      return assessment.slot ? 'admitted' : (assessment.outlook ?? 'waiting for a free run slot');
    case 'invalid':
      return issuesText(assessment) || describeAbsence(context);
    case 'provisioning':
    case 'updating':
      return lifecycle.phase === 'updating' ? describeUpdate(context) : 'creating the host';
    case 'verifying':
      return `waiting for a report of the host (${assessment.enclave.reason})`;
    case 'ready':
      if (behind(context) && !assessment.admission.ok) return `running; ${assessment.admission.message}`;
      if (behind(context) && !assessment.slot) return 'running; waiting for a free run slot';
      if (driftConfirmed(context) && !assessment.repair.ok) return `not repaired: ${assessment.repair.message}`;
      if (isGivenUp(context)) return `running; ${failureText(lifecycle.failure)}; tried again`;
      if (assessment.rests) return 'completed; the host is stopped';
      return assessment.spec.ok || assessment.spec.absent === true
        ? 'running'
        : `running generation ${lifecycle.observedGeneration}; ${issuesText(assessment)}`;
    case 'repairing':
      return describeRepair(context);
    case 'pausing':
      return 'stopping the host';
    case 'paused':
      return 'paused';
    case 'resuming':
      return 'starting the host';
    case 'backingOff':
      return `attempt ${lifecycle.attempts.count} failed: ${failureText(lifecycle.failure) || 'the run was cut off'}; tried again`;
    case 'stalled':
      return failureText(lifecycle.failure) || 'adopted as failed; write PENDING_DEPLOY to deploy it';
    case 'destroying':
      if (heldBack(context) === 'DependentsExist') return waitsForDependents(context);
      return lifecycle.attempts.key === 'destroy' && lifecycle.failure !== undefined
        ? `destroying; ${failureText(lifecycle.failure)}`
        : 'destroying';
    case 'destroyed':
      return lifecycle.retained ? 'deleted; its resources are retained by policy' : 'destroyed';
  }
}

/** Why nothing is deployed although the record itself may be there. */
function describeAbsence({ assessment: { record } }: Context): string {
  switch (record) {
    case 'unmanaged':
      return 'the record has a status that the operator does not manage, so it deploys nothing; write PENDING_DEPLOY to deploy it';
    case 'other':
      return 'the record under this id belongs to another enclave; the operator destroys this one after the grace period';
    default:
      return 'the record is gone, so the operator deploys nothing; it destroys the enclave after the grace period';
  }
}

function describeRepair(context: Context): string {
  const { lifecycle, assessment } = context;
  const differs = lifecycle.drift === undefined ? 'drift' : namesOfDrift(lifecycle.drift).join(', ');
  if (waitsForApproval(context)) return `what cures ${differs} awaits approval: enclavectl plan, then approve`;
  const what = `repairing ${differs}`;
  if (assessment.secondLook === 'well') return `${what}; the host says that it is well, and is not restarted`;
  return assessment.secondLook === 'unanswered' ? `${what}; the host was asked to report before it is restarted` : what;
}

/** Which generation, how disruptive it is, and because of which fields. */
function describeUpdate({ lifecycle, assessment: { change } }: Context): string {
  const what = `applying generation ${lifecycle.generation}`;
  return change === undefined || change.class === 'none'
    ? what
    : `${what} (${change.class}: ${change.causes.join(', ')})`;
}

/** Why it is not being destroyed by now; undefined where it is, or need not be. */
export function heldBack(context: Context): ReturnType<typeof deletionHeld> {
  const { lifecycle, assessment } = context;
  const graceOver = elapsed(lifecycle.missingSince, assessment.now) >= assessment.limits.deletionGraceMs;
  const wanted = lifecycle.desired === 'Absent' || lifecycle.missingSince !== undefined;
  const due = lifecycle.run === undefined && lifecycle.teardown === undefined && lifecycle.phase !== 'destroyed';
  return wanted && graceOver && due ? deletionHeld(context) : undefined;
}

export function waitsForDependents({ assessment }: Context): string {
  return `waits until what depends on it is destroyed: ${(assessment.dependents ?? []).slice(0, 5).join(', ')}`;
}

/** Every error in one line. */
export function issuesText({ spec }: Pick<Context['assessment'], 'spec'>): string {
  return spec.ok || spec.absent === true ? '' : inOneLine(spec.issues);
}

/** At most five issues; the last part counts the rest. */
export function inOneLine(issues: readonly SpecIssue[]): string {
  const shown = issues.slice(0, 5).map((issue) => `${issue.field}: ${issue.message} (${issue.fix})`);
  const left = issues.length - shown.length;
  return `${shown.join('; ')}${left > 0 ? `; and ${left} more` : ''}`.slice(0, 1_500);
}
