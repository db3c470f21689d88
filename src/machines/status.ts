/** Projection: conditions and message of a decision. */
import {
  type Condition,
  type ConditionUpdate,
  conditionOf,
  REASON_MEANINGS,
  type Reason,
  setCondition,
} from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Context } from './context.ts';
import { describePhase, failureText, heldBack, inOneLine, issuesText, waitsForDependents } from './describe-phase.ts';
import { isConfigurationDrift } from './drift.ts';
import { isUnapproved, waitsForApproval } from './plan-projection.ts';
import { inSync } from './status-in-sync.ts';

/** Returns the lifecycle with conditions and message brought up to date. */
export function project(context: Context): Lifecycle {
  const { lifecycle, assessment } = context;
  const at = { now: new Date(assessment.now).toISOString(), generation: lifecycle.observedGeneration };
  let conditions: readonly Condition[] = lifecycle.conditions;
  for (const update of conditionsOf(context)) conditions = setCondition(conditions, update, at);
  return { ...lifecycle, conditions: [...conditions], message: describePhase(context) };
}

function conditionsOf(context: Context): readonly ConditionUpdate[] {
  const { lifecycle } = context;
  const absent = lifecycle.desired === 'Absent';
  const stalled = lifecycle.phase === 'stalled';
  const updates: ConditionUpdate[] = [
    ready(context),
    specValid(context),
    provisioned(context),
    ...enclaveConditions(context),
    inSync(context),
    progressing(context),
    stalled
      ? { type: 'Stalled', status: 'True', reason: stalledReason(lifecycle), message: failureText(lifecycle.failure) }
      : { type: 'Stalled', status: 'False', reason: 'None' },
  ];
  const blocked = conditionOf(lifecycle.conditions, 'DeletionBlocked')?.status === 'True';
  if (absent || blocked || heldBack(context) !== undefined) updates.push(deletionBlocked(context));
  return updates;
}

function ready(context: Context): ConditionUpdate {
  const { lifecycle, assessment } = context;
  const { phase } = lifecycle;
  if (servesMeanwhile(context)) return { type: 'Ready', status: 'True', reason: 'Running' };
  const { withheld } = assessment.enclave;
  // The host of a batch that has completed may be stopped: then it reports nothing any more.
  if (phase === 'ready' && withheld !== undefined && !assessment.rests) {
    const { reason, message } = withheld;
    return { type: 'Ready', status: 'False', reason, ...(message === undefined ? {} : { message }) };
  }
  if (phase === 'ready' && assessment.enclave.health === 'failing') {
    return { type: 'Ready', status: 'False', reason: 'HealthCheckFailing' };
  }
  if (phase === 'ready') return { type: 'Ready', status: 'True', reason: 'Running' };
  if (phase === 'paused') return { type: 'Ready', status: 'False', reason: 'Paused' };
  if (phase === 'destroying') return { type: 'Ready', status: 'False', reason: 'Destroying' };
  if (phase === 'destroyed') {
    return { type: 'Ready', status: 'False', reason: lifecycle.retained === true ? 'Retained' : 'Destroyed' };
  }
  return { type: 'Ready', status: 'False', reason: 'NotReady' };
}

/** What merely differs is put back while the enclave serves. */
function servesMeanwhile({ lifecycle, assessment: { host, enclave } }: Context): boolean {
  return (
    lifecycle.phase === 'repairing' &&
    lifecycle.serving &&
    isConfigurationDrift(lifecycle) &&
    host.state === 'running' &&
    enclave.running === true &&
    enclave.withheld === undefined &&
    enclave.verdict !== 'Drift'
  );
}

function specValid({ assessment }: Context): ConditionUpdate {
  if (assessment.record !== 'ours') return { type: 'SpecValid', status: 'Unknown', reason: 'Unobserved' };
  const { spec } = assessment;
  if (!spec.ok) return { type: 'SpecValid', status: 'False', reason: 'InvalidSpec', message: issuesText(assessment) };
  const { warnings = [] } = spec;
  const message = warnings.length === 0 ? {} : { message: `${REASON_MEANINGS.Valid} ${inOneLine(warnings)}` };
  return { type: 'SpecValid', status: 'True', reason: 'Valid', ...message };
}

const GONE_TYPES = ['EnclaveRunning', 'Healthy', 'MeasurementsReported', 'Secure'] as const;

const HOST_REASONS = {
  running: ['True', 'HostRunning'],
  pending: ['Unknown', 'HostStarting'],
  stopping: ['False', 'HostStopped'],
  stopped: ['False', 'HostStopped'],
  gone: ['False', 'HostMissing'],
  several: ['Unknown', 'Drifted'],
  unknown: ['Unknown', 'HostUnknown'],
} as const;

function provisioned({ assessment }: Context): ConditionUpdate {
  const [status, reason] = HOST_REASONS[assessment.host.state];
  if (assessment.rests && status === 'False') return { type: 'Provisioned', status, reason: 'Completed' };
  return assessment.host.state === 'several'
    ? {
        type: 'Provisioned',
        status,
        reason,
        message: 'More than one host carries the tag of this enclave; none is touched.',
      }
    : { type: 'Provisioned', status, reason };
}

/** What was true of the enclave while it existed is true no longer. */
function goneConditions({ retained }: Lifecycle): readonly ConditionUpdate[] {
  if (retained === true) return GONE_TYPES.map((type) => ({ type, status: 'Unknown', reason: 'Retained' }));
  return GONE_TYPES.map((type) => ({
    type,
    status: type === 'EnclaveRunning' ? 'False' : 'Unknown',
    reason: 'Destroyed',
  }));
}

function enclaveConditions({ lifecycle, assessment }: Context): readonly ConditionUpdate[] {
  const { enclave, host } = assessment;
  if (lifecycle.phase === 'destroyed') return goneConditions(lifecycle);
  if (lifecycle.desired !== 'Running' || host.state !== 'running') {
    return [
      {
        type: 'EnclaveRunning',
        status: host.state === 'unknown' ? 'Unknown' : 'False',
        reason: assessment.rests ? 'Completed' : 'EnclaveNotRunning',
      },
      { type: 'Healthy', status: 'Unknown', reason: 'Unobserved' },
    ];
  }
  const message = enclave.message === undefined ? {} : { message: enclave.message };
  // One that runs and is not as it should be runs all the same: InSync and Secure say the rest.
  const isSeen = enclave.verdict !== 'Unknown' || enclave.reason === 'MeasurementsUnverified';
  const runs = isSeen && enclave.running === true;
  // What the host sees to by itself is no drift, and does not run all the same.
  const down = enclave.verdict === 'Drift' || enclave.reason === 'EnclaveNotRunning';
  const status = runs || enclave.verdict === 'Match' ? 'True' : down ? 'False' : 'Unknown';
  return [
    runs
      ? { type: 'EnclaveRunning', status, reason: 'Running' }
      : { type: 'EnclaveRunning', status, reason: enclave.reason, ...message },
    enclave.health === 'passing'
      ? { type: 'Healthy', status: 'True', reason: 'HealthCheckPassing' }
      : enclave.health === 'failing'
        ? { type: 'Healthy', status: 'False', reason: 'HealthCheckFailing' }
        : { type: 'Healthy', status: 'Unknown', reason: enclave.health === 'none' ? 'NoHealthCheck' : 'Unobserved' },
    enclave.measured
      ? { type: 'MeasurementsReported', status: 'True', reason: 'Reported' }
      : { type: 'MeasurementsReported', status: 'Unknown', reason: 'NoReport' },
    secure(enclave, lifecycle.weakened ?? []),
  ];
}

function secure(
  { verdict, reason, running, debug, debugRequested, mismeasured, withheld }: Context['assessment']['enclave'],
  weakened: readonly string[],
): ConditionUpdate {
  if (reason === 'LegacyHost') return { type: 'Secure', status: 'False', reason };
  // What weakened it is not over because the host has fallen silent.
  if (debug && debugRequested !== true) return { type: 'Secure', status: 'False', reason: 'DebugEnclave' };
  if (mismeasured) return { type: 'Secure', status: 'False', reason: 'MeasurementMismatch' };
  if (weakened.length > 0) return { type: 'Secure', status: 'False', reason: 'Drifted', message: weakened.join(', ') };
  // Last: requested debug mode must not hide what the spec does not ask for.
  if (debug) return { type: 'Secure', status: 'False', reason: 'DebugRequested' };
  if (withheld !== undefined && verdict !== 'Match') {
    const { message } = withheld;
    return {
      type: 'Secure',
      status: 'Unknown',
      reason: withheld.reason,
      ...(message === undefined ? {} : { message }),
    };
  }
  return verdict === 'Match' || (verdict === 'Drift' && running === true)
    ? { type: 'Secure', status: 'True', reason: 'None' }
    : { type: 'Secure', status: 'Unknown', reason };
}

const PROGRESSING: ReadonlySet<Lifecycle['phase']> = new Set([
  'observing',
  'pending',
  'provisioning',
  'verifying',
  'updating',
  'repairing',
  'pausing',
  'resuming',
  'backingOff',
  'destroying',
]);

function progressing(context: Context): ConditionUpdate {
  const active = PROGRESSING.has(context.lifecycle.phase);
  return { type: 'Progressing', status: active ? 'True' : 'False', reason: progressReason(context) };
}

function progressReason(context: Context): Reason {
  const { lifecycle, assessment } = context;
  if (assessment.record === 'other') return 'WaitingForPrevious';
  if (assessment.record === 'gone' && lifecycle.desired !== 'Absent') return 'WaitingForGrace';
  if (lifecycle.run !== undefined) return assessment.run.state === 'running' ? 'RunInProgress' : 'WaitingForRun';
  switch (lifecycle.phase) {
    case 'pending':
      return assessment.admission.ok ? 'WaitingForSlot' : assessment.admission.reason;
    case 'verifying':
      return 'WaitingForReport';
    case 'ready':
      return isUnapproved(context) ? 'AwaitingApproval' : 'Waiting';
    case 'repairing':
      return waitsForApproval(context) ? 'AwaitingApproval' : 'Repairing';
    case 'backingOff':
      return 'BackingOff';
    case 'observing':
    case 'pausing':
    case 'resuming':
      return 'WaitingForHost';
    case 'destroying':
      return lifecycle.nextAttemptAt === undefined ? 'Destroying' : 'BackingOff';
    default:
      return 'Waiting';
  }
}

function stalledReason(lifecycle: Lifecycle): Reason {
  const { key } = lifecycle.attempts;
  if (key === 'stale') return 'StaleCommand';
  if (key === 'notFound') return 'HostNotFound';
  if (lifecycle.failure === undefined && lifecycle.adopted) return 'Adopted';
  return lifecycle.nextAttemptAt === undefined ? 'TerminalError' : 'RetryLimitReached';
}

function deletionBlocked(context: Context): ConditionUpdate {
  const { lifecycle } = context;
  const held = heldBack(context);
  if (held === 'DependentsExist') {
    return { type: 'DeletionBlocked', status: 'True', reason: held, message: waitsForDependents(context) };
  }
  if (held !== undefined) return { type: 'DeletionBlocked', status: 'True', reason: held };
  if (lifecycle.phase === 'destroying' && lifecycle.failure !== undefined && lifecycle.attempts.key === 'destroy') {
    return {
      type: 'DeletionBlocked',
      status: 'True',
      reason: lifecycle.failure.class === 'state' ? 'ResourcesRemain' : 'DestroyFailing',
      message: failureText(lifecycle.failure),
    };
  }
  return { type: 'DeletionBlocked', status: 'False', reason: 'None' };
}
