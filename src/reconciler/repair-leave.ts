/** Repair leave: whether a drift may be repaired now, and why not. */
import type { Lifecycle } from '../enclave/items.ts';
import { driftModeOf, type EnclavePolicy } from '../enclave/policy.ts';
import { type Admission, contestedUntil, type RepairLeave } from '../machines/index.ts';
import { regionOf } from './region-of.ts';
import type { RepairGovernor } from './repair-governor.ts';

/** Phases from which a repair begins, or in which it goes on. */
const REPAIRED: ReadonlySet<Lifecycle['phase']> = new Set(['ready', 'invalid', 'repairing']);
const GRANTED: RepairLeave = { ok: true };

export interface LeaveContext {
  readonly repairs: Pick<RepairGovernor, 'ask'>;
  readonly defaultRegion: string;
  readonly now: number;
}

/** Of what differs, what may be done about it. Asks the governor only for what would be repaired at once. */
export function repairLeave(
  lifecycle: Lifecycle,
  policy: EnclavePolicy,
  admission: Admission,
  { repairs, defaultRegion, now }: LeaveContext,
): RepairLeave {
  const { drift } = lifecycle;
  if (drift === undefined || !REPAIRED.has(lifecycle.phase)) return GRANTED;
  const name = drift.fingerprint.replace(':', '.');
  const mode = driftModeOf(policy, name);
  if (mode === 'alert' || mode === 'off') {
    return { ok: false, reason: 'AlertOnly', message: `policy.drift says ${mode} of ${name}` };
  }
  const contested = contestedUntil(lifecycle, now);
  if (contested !== undefined) {
    const until = new Date(contested).toISOString();
    const message = `${name} was repaired twice within an hour and came back; tried again after ${until}, or at once by \`enclavectl retry\``;
    return { ok: false, reason: 'DriftContested', message, until };
  }
  if (!admission.ok) return GRANTED;
  const refusal = repairs.ask(lifecycle.id, regionOf(lifecycle, defaultRegion));
  if (refusal === undefined) return GRANTED;
  const { reason, message } = refusal;
  return {
    ok: false,
    reason,
    message,
    ...('until' in refusal ? { until: new Date(refusal.until).toISOString() } : {}),
  };
}
