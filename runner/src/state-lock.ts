/** Whose a lock on a Terraform state is, and whether its owner is proven dead. */

import type { RunItem } from '../../src/enclave/items/run.ts';
import { isPlainMap } from '../../src/enclave/json.ts';

/** What Terraform writes into `<state key>.tflock`. */
export interface StateLock {
  readonly id: string;
  /** `user@host`. */
  readonly who: string;
  readonly createdAt: number;
}

export type TaskState = 'active' | 'stopped' | 'unknown';

/** Of a run, what tells whether it holds the lock. */
export type Suspect = Pick<RunItem, 'name' | 'host' | 'startedAt' | 'taskArn' | 'outcome'>;

export type LockVerdict =
  /** Every run that may have made it is over, and so is its Terraform. */
  | { readonly kind: 'dead'; readonly run: string }
  | { readonly kind: 'live'; readonly run: string }
  /** No run of this enclave can have made it: a person, or another system. */
  | { readonly kind: 'foreign' };

/** After this no task of a run lives: the longest execution (2,400 s) and ECS' stop timeout (120 s). */
export const DEAD_AFTER_MS = 2_520_000;

/** Undefined where the object is not what Terraform writes. */
export function readStateLock(json: string): StateLock | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isPlainMap(parsed)) return undefined;
  const { ID: id, Who: who, Created: created } = parsed;
  if (typeof id !== 'string' || typeof who !== 'string' || typeof created !== 'string' || id === '') return undefined;
  const createdAt = Date.parse(created);
  return Number.isNaN(createdAt) ? undefined : { id, who, createdAt };
}

/** The host in `user@host`; a user may hold an `@`. */
export function hostOf({ who }: StateLock): string {
  return who.slice(who.lastIndexOf('@') + 1);
}

/**
 * Suspects are the runs on the lock's host that were at work when it was made. On ECS a host is one task, so there is
 * one; on a laptop there may be more, and all must be dead. Both times were written by the same machine's clock.
 */
export function suspectsOf(lock: StateLock, runs: readonly Suspect[], ownRun: string): readonly Suspect[] {
  return runs.filter(({ name, host, startedAt, outcome }) => {
    if (name === ownRun || host === undefined || host === '' || host !== hostOf(lock)) return false;
    const began = Date.parse(startedAt ?? '') <= lock.createdAt;
    const ended = outcome?.by === 'runner' && Date.parse(outcome.at) < lock.createdAt;
    return began && !ended;
  });
}

/**
 * Dead is a run whose runner has written its outcome, which it does when Terraform has ended; whose task ECS calls
 * STOPPED; or whose task ECS no longer knows, once no task of it can live. What an outcome of another writer is worth
 * shows in the task.
 */
export function isDead(run: Suspect, task: TaskState | undefined, now: number): boolean {
  if (run.outcome?.by === 'runner' || task === 'stopped') return true;
  return task === 'unknown' && now >= Date.parse(run.startedAt ?? '') + DEAD_AFTER_MS;
}

export function judgeStateLock(
  suspects: readonly Suspect[],
  tasks: ReadonlyMap<string, TaskState>,
  now: number,
): LockVerdict {
  const [first] = suspects;
  if (first === undefined) return { kind: 'foreign' };
  const living = suspects.find((run) => !isDead(run, tasks.get(run.taskArn ?? ''), now));
  return living === undefined ? { kind: 'dead', run: first.name } : { kind: 'live', run: living.name };
}
