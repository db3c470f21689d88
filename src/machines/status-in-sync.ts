/** InSync: whether what exists is what was asked for, and why what differs is left where it is. */
import { ATTRIBUTES, ENTRIES, readDrift } from '../drift/index.ts';
import type { ConditionUpdate, Reason } from '../enclave/conditions.ts';
import { behind, type Context } from './context.ts';
import { isConfigurationDrift, isRepairable } from './drift.ts';
import { planFailure } from './plan-projection.ts';

type Assessment = Context['assessment'];
type Said = Pick<ConditionUpdate, 'reason' | 'message'>;

export function inSync(context: Context): ConditionUpdate {
  const { lifecycle, assessment } = context;
  if (lifecycle.drift !== undefined && lifecycle.drift.seen >= 2) {
    return { type: 'InSync', status: 'False', ...whatDiffers(context) };
  }
  if (lifecycle.desired === 'Running' && behind(context))
    return { type: 'InSync', status: 'False', reason: 'GenerationPending' };
  if (!assessment.spec.ok && assessment.record === 'ours')
    return { type: 'InSync', status: 'False', reason: 'InvalidSpec' };
  if (assessment.host.verdict === 'Unknown') return { type: 'InSync', status: 'Unknown', reason: 'HostUnknown' };
  const differs = whatIsFound(context);
  if (differs !== undefined) return { type: 'InSync', status: 'False', reason: 'Drifted', message: differs };
  if (assessment.rests && assessment.host.verdict === 'Match')
    return { type: 'InSync', status: 'True', reason: 'None' };
  if (lifecycle.desired === 'Running' && assessment.enclave.verdict === 'Unknown') {
    return { type: 'InSync', status: 'Unknown', reason: assessment.enclave.reason };
  }
  return assessment.host.verdict === 'Match'
    ? { type: 'InSync', status: 'True', reason: 'None', ...planFailure(lifecycle), ...foreignDrift(assessment) }
    : { type: 'InSync', status: 'Unknown', reason: 'Unobserved' };
}

/** No rung has cured it, and the pause before the next try is not over. */
export function isGivenUp({ lifecycle, assessment }: Context): boolean {
  const pauses = lifecycle.nextAttemptAt !== undefined && Date.parse(lifecycle.nextAttemptAt) > assessment.now;
  return lifecycle.phase === 'ready' && isConfigurationDrift(lifecycle) && pauses;
}

/** What differs, and why it is left as it is where it is. */
function whatDiffers(context: Context): Said {
  const { repair } = context.assessment;
  const seen = whatIsSeen(context);
  if (repair.ok) return seen.message === undefined ? { reason: seen.reason } : { ...seen, message: seen.message };
  const message = `${seen.message ?? seen.reason}; not repaired: ${repair.message}`;
  return { reason: repair.reason === 'DriftContested' ? repair.reason : seen.reason, message };
}

function whatIsSeen(context: Context): { readonly reason: Reason; readonly message: string | undefined } {
  const { host, enclave } = context.assessment;
  if (isConfigurationDrift(context.lifecycle)) return { reason: 'Drifted', message: whatIsFound(context) };
  if (host.verdict === 'Drift') return { reason: driftReason(host.state), message: undefined };
  if (enclave.verdict === 'Drift') return { reason: enclave.reason, message: enclave.message };
  return { reason: 'Drifted', message: undefined };
}

function driftReason(state: Assessment['host']['state']): Reason {
  const attribute = ATTRIBUTES.find((each) => ENTRIES[each].hostState === state);
  return (attribute === undefined ? undefined : ENTRIES[attribute].reason) ?? 'Drifted';
}

/** By their names alone: values hold ids and addresses, and whoever knows the enclave's id can read the condition. */
function whatIsFound(context: Context): string | undefined {
  const { lifecycle, assessment } = context;
  const drifted = assessment.findings.filter(({ verdict, owned }) => verdict === 'Drift' && owned === 'operator');
  const repaired = drifted.filter(isRepairable).map(({ attribute }) => attribute);
  const told = drifted.filter((each) => !isRepairable(each)).map(({ attribute }) => attribute);
  // A look that shows nothing takes back nothing.
  const drift = readDrift(lifecycle.drift);
  const tracked = drift?.kind === 'attributes' ? drift.attributes : [];
  const parts = [
    ...(drifted.length === 0 && tracked.length > 0 ? [tracked.join(', ')] : []),
    ...(repaired.length > 0 ? [repaired.join(', ')] : []),
    ...(told.length > 0 ? [`${told.join(', ')}: told, and not repaired`] : []),
    ...(isGivenUp(context) ? ['no repair has cured it'] : []),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

function foreignDrift({ findings }: Assessment): Pick<ConditionUpdate, 'message'> {
  const foreign = findings.filter(({ verdict, owned }) => verdict === 'Drift' && owned === 'foreign');
  if (foreign.length === 0) return {};
  return { message: `${foreign.map(({ attribute }) => attribute).join(', ')}: as it was found, and left so` };
}
