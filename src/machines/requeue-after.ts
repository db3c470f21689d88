/** When an enclave must be looked at again, if nothing happens before. */
import type { Phase } from '../enclave/items/lifecycle.ts';
import type { Context } from './context.ts';
import { awaitsLook, patienceMs } from './drift.ts';

/** Longer pauses are the relist's and the sweep's business. */
const LONGEST_MS = 60 * 60_000;
const SOON_MS = 100;

/** Phases in which something is expected to change by itself within seconds. */
const WATCHED: ReadonlySet<Phase> = new Set([
  'observing',
  'verifying',
  'repairing',
  'pausing',
  'resuming',
  'destroying',
]);

/** The earliest of all deadlines that lie ahead, ms from now; at least a tenth of a second. */
export function nextLookMs(context: Context): number {
  const { lifecycle, assessment } = context;
  const { limits, now } = assessment;
  const delays: number[] = [LONGEST_MS];
  const at = (time: string | undefined, plusMs = 0) => {
    const delay = time === undefined ? 0 : Date.parse(time) + plusMs - now;
    // A deadline that has passed has been acted upon by this very decision.
    if (delay > 0) delays.push(delay);
  };
  at(lifecycle.nextAttemptAt);
  if (!assessment.admission.ok) at(assessment.admission.until);
  if (lifecycle.missingSince !== undefined && lifecycle.desired !== 'Absent')
    at(lifecycle.missingSince, limits.deletionGraceMs);
  if (lifecycle.run !== undefined) {
    // Results come by the stream; the backstop looks where none came.
    delays.push(limits.runBackstopMs);
    at(lifecycle.run.deadlineAt);
    if (assessment.run.state === 'intended' || assessment.run.state === 'none') delays.push(limits.observeMs);
    if (lifecycle.run.cancelledAt !== undefined) delays.push(limits.observeMs);
  } else if (awaitsLook(lifecycle, now)) {
    delays.push(limits.runBackstopMs);
  } else if (WATCHED.has(lifecycle.phase) || (lifecycle.drift !== undefined && lifecycle.drift.seen < 2)) {
    delays.push(limits.observeMs);
  }
  if (lifecycle.drift !== undefined) at(lifecycle.drift.since, patienceMs(context));
  if (!assessment.repair.ok) at(assessment.repair.until);
  // The old enclave is gone: the new record under its id has waited long enough.
  if (lifecycle.phase === 'destroyed' && assessment.record === 'other' && !lifecycle.retained) delays.push(SOON_MS);
  if (lifecycle.phase === 'verifying') at(lifecycle.phaseSince, limits.verifyDeadlineMs);
  for (const deadline of statusDeadlines(limits)) at(lifecycle.commandAt, deadline);
  return Math.max(SOON_MS, Math.min(...delays));
}

function statusDeadlines(limits: Context['assessment']['limits']): readonly number[] {
  return [limits.deployDeadlineMs, limits.destroyDeadlineMs, limits.pauseDeadlineMs, limits.resumeDeadlineMs];
}
