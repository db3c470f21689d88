/** Plan projection: what conditions and messages say of plans and approvals. */
import type { ConditionUpdate } from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Context } from './context.ts';
import { repairStep } from './repair-ladder.ts';

/** In sync as far as it was observed: of what only a plan shows, nothing is known. */
export function planFailure({ planned }: Lifecycle): Pick<ConditionUpdate, 'message'> {
  if (planned?.verdict !== 'Unknown') return {};
  const { failures, failure } = planned;
  return { message: `no full plan could be made (${failure?.class ?? 'unknown'}, ${failures} in a row); tried again` };
}

/** A change of the record waits for a person. */
export function isUnapproved({ assessment: { admission } }: Context): boolean {
  return !admission.ok && admission.reason === 'AwaitingApproval';
}

/** Of a repair, nothing is left to try but a run, and a person has to approve it. */
export function waitsForApproval(context: Context): boolean {
  const { lifecycle, assessment } = context;
  return assessment.approval === 'awaited' && lifecycle.run === undefined && repairStep(context) === 'apply';
}
