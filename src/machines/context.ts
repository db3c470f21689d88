/** Context: what every question of the machine is asked of, and the questions that all the others build on. */
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Assessment } from './assessment.ts';

export interface Context {
  readonly lifecycle: Lifecycle;
  readonly assessment: Assessment;
}

export function elapsed(since: string | undefined, now: number): number {
  return since === undefined ? Number.POSITIVE_INFINITY : now - Date.parse(since);
}

export function behind({ lifecycle }: Context): boolean {
  return lifecycle.generation > lifecycle.observedGeneration;
}

/** No run of ours has succeeded, and nothing of others' was taken over, nor is it looked for. */
export function neverApplied({ observedGeneration, phase, origin }: Lifecycle): boolean {
  return observedGeneration === 0 && (phase !== 'observing' || origin === 'PENDING_DEPLOY');
}

/** What was never applied cannot drift, and what is to vanish need not match. */
export function canDrift(lifecycle: Lifecycle): boolean {
  return !neverApplied(lifecycle) && lifecycle.desired !== 'Absent';
}

export function attemptsOf(lifecycle: Lifecycle, key: string): number {
  return lifecycle.attempts.key === key ? lifecycle.attempts.count : (lifecycle.tried?.[key] ?? 0);
}
