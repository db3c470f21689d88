/** Reservations: what a decision takes of the limits that enclaves share, from before its commit until after it. */
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Assessment } from '../../machines/index.ts';
import type { RunRequest } from '../limits/run-slots.ts';
import type { SharedLimits } from './context.ts';

export interface Reserving {
  /** As decided: it is about to be committed. */
  readonly lifecycle: Lifecycle;
  /** What it was decided upon. */
  readonly assessment: Assessment;
  /** The run that this enclave would begin. */
  readonly request: RunRequest;
  /** A run would begin if there were a slot. */
  readonly waitsForSlot: boolean;
}

/**
 * ```
 *  assess, decide ─► reserve ─► commit ─┬─ committed ─► confirm: what is over is released
 *                                       ├─ refused ───► cancel: everything is as it was before
 *                                       └─ failed ────► neither: the write may have arrived, which the next
 *                                                       reconcile reads; what was taken stays taken until then
 * ```
 */
export interface Reservations {
  confirm(): void;
  cancel(): void;
}

/**
 * Takes what was found free by the assessment, and enters the lines for what was not.
 *
 * *Assumes* that nothing is awaited between the assessment and this call. *Errors*: throws where a run was decided upon
 * without a slot; then nothing is taken.
 */
export function reserve(
  { lifecycle, assessment, request, waitsForSlot }: Reserving,
  { slots, repairs, quota, names }: SharedLimits,
): Reservations {
  const { id, run } = lifecycle;
  const { admission, repair } = assessment;
  const wantsSlot = run !== undefined || waitsForSlot;
  const slot = wantsSlot ? slots.reserve(id, request) : undefined;
  if (run !== undefined && slot?.kind !== 'reserved') {
    throw new Error(`a run of ${id} was decided upon without a run slot`);
  }
  if (!admission.ok && admission.reason === 'QuotaExceeded') quota.wait(lifecycle);
  if (!repair.ok && repair.reason === 'RepairCapped') repairs.wait(id, lifecycle);
  else repairs.leave(id);
  const taken = [
    slot?.kind === 'reserved' ? slot.cancel : () => {},
    repairs.reserve(id, lifecycle),
    quota.reserve(lifecycle),
    names.reserve(lifecycle),
  ];
  return {
    confirm() {
      if (!wantsSlot) slots.release(id);
    },
    cancel() {
      for (const giveBack of taken) giveBack();
    },
  };
}
