/** The status that is published in the record. */
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { ObservedStatus } from '../enclave/record.ts';
import type { Limits } from './assessment.ts';
import { elapsed } from './context.ts';

/** Statuses from which the application's gates offer no way out, and FAILED, which their deadline led to. */
const HELD: ReadonlySet<string> = new Set([
  'PENDING_DEPLOY',
  'DEPLOYING',
  'PAUSING',
  'RESUMING',
  'PENDING_DESTROY',
  'DESTROYING',
  'FAILED',
]);

/**
 * The status to publish, from desired, phase and serving; undefined: leave what the record says.
 *
 * Guarantees: never a command spelling; never DEPLOYED unless Running is desired; FAILED for an enclave held past its
 * deadline in a status from which the application offers no way out, while the work goes on.
 */
export function statusToPublish(
  lifecycle: Lifecycle,
  recordStatus: string,
  now: number,
  limits: Pick<Limits, 'deployDeadlineMs' | 'destroyDeadlineMs' | 'pauseDeadlineMs' | 'resumeDeadlineMs'>,
): ObservedStatus | undefined {
  const held = HELD.has(recordStatus);
  // FAILED is only for statuses that offer no way out; what was said to be DEPLOYED is not failed for being unseen.
  const waited = held ? elapsed(lifecycle.commandAt, now) : 0;
  const { phase } = lifecycle;
  if (lifecycle.desired === 'Absent') {
    if (phase === 'destroyed') return 'DESTROYED';
    return waited >= limits.destroyDeadlineMs ? 'FAILED' : 'DESTROYING';
  }
  if (lifecycle.desired === 'Paused') {
    if (phase === 'paused') return 'PAUSED';
    if (phase === 'stalled' || phase === 'invalid') return 'FAILED';
    return recordStatus === 'PAUSING' && waited >= limits.pauseDeadlineMs ? 'FAILED' : undefined;
  }
  if (lifecycle.serving) return 'DEPLOYED';
  if (phase === 'stalled' || phase === 'invalid') return 'FAILED';
  if (recordStatus === 'RESUMING' || (recordStatus === 'FAILED' && phase === 'verifying')) {
    return waited >= limits.resumeDeadlineMs ? 'FAILED' : undefined;
  }
  if (waited >= limits.deployDeadlineMs) return 'FAILED';
  if (phase === 'provisioning' || phase === 'updating' || phase === 'verifying' || phase === 'repairing')
    return 'DEPLOYING';
  return undefined;
}
