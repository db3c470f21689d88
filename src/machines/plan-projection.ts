/** Plan projection: what conditions and messages say of approvals. */
import type { Context } from './context.ts';
import { repairRung } from './drift.ts';

/** A change of the record waits for a person. */
export function isUnapproved({ assessment: { admission } }: Context): boolean {
  return !admission.ok && admission.reason === 'AwaitingApproval';
}

/** Of a repair, nothing is left to try but a run, and a person has to approve it. */
export function waitsForApproval(context: Context): boolean {
  const { lifecycle, assessment } = context;
  const rung = repairRung(context);
  return assessment.approval === 'awaited' && lifecycle.run === undefined && (rung === 'apply' || rung === 'replace');
}
