/** Repair leave: whether a drift may be repaired now, and why not. */
import {
  type Attribute,
  attributesOfDrift,
  type Drift,
  type DriftItem,
  ENTRIES,
  interrupts,
  namesOfDrift,
  readDrift,
} from '../../drift/index.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import { nextOpening } from '../../enclave/spec/maintenance-window.ts';
import { driftModeOf, type EnclavePolicy, inMaintenanceWindow } from '../../enclave/spec/policy.ts';
import { type Admission, conflictingUntil, holdsRepair, type RepairPermission } from '../../machines/index.ts';
import type { RepairBudget } from './budget.ts';

/** Phases from which a repair begins, or in which it goes on. */
const REPAIRED: ReadonlySet<Lifecycle['phase']> = new Set(['ready', 'invalid', 'repairing']);
const GRANTED: RepairPermission = { ok: true };

export interface PermissionContext {
  readonly repairs: Pick<RepairBudget, 'ask'>;
  readonly defaultRegion: string;
  readonly now: number;
  /** What differs of what the host reports. */
  readonly reported?: Attribute | undefined;
  /** Somebody asks for it now. @default false */
  readonly retry?: boolean;
}

/** What the policy says of it: by the attribute's name, else by that of the state. Findings have their mode already. */
function modeOf(policy: EnclavePolicy, item: DriftItem, reported: Attribute | undefined) {
  const drift = readDrift(item);
  if (drift?.kind === 'attributes') return 'repair';
  const attribute = (drift?.kind === 'report' ? reported : undefined) ?? attributesOfDrift(item)[0];
  const isNamed = attribute !== undefined && policy.drift.overrides[attribute] !== undefined;
  return driftModeOf(policy, isNamed ? attribute : (namesOfDrift(item)[0] ?? ''));
}

/** The policy lets the host be replaced for it, where nothing else has cured it. */
export function mayReplace({ drift }: Lifecycle, policy: EnclavePolicy, reported: Attribute | undefined): boolean {
  return drift !== undefined && modeOf(policy, drift, reported) === 'replace';
}

/** Of what differs, what may be done about it. Asks the budget only for what would be repaired at once; takes nothing. */
export function repairPermission(
  lifecycle: Lifecycle,
  policy: EnclavePolicy,
  admission: Admission,
  { repairs, defaultRegion, now, reported, retry = false }: PermissionContext,
): RepairPermission {
  const { drift } = lifecycle;
  if (drift === undefined || !REPAIRED.has(lifecycle.phase)) return GRANTED;
  const name = namesOfDrift(drift).join(', ');
  // Of findings, what the policy wants told only is none that could be repaired.
  const mode = modeOf(policy, drift, reported);
  if (mode === 'alert' || mode === 'off') {
    return { ok: false, reason: 'AlertOnly', message: `policy.drift says ${mode} of ${name}` };
  }
  const conflicting = conflictingUntil(lifecycle, now);
  if (conflicting !== undefined) {
    const until = new Date(conflicting).toISOString();
    const message = `${name} was repaired twice within an hour and came back; tried again after ${until}, or at once by \`enclavectl retry\``;
    return { ok: false, reason: 'DriftContested', message, until };
  }
  if (!admission.ok && holdsRepair(admission.reason)) return GRANTED;
  const closed = outsideWindow(drift, policy, now);
  if (closed !== undefined) return closed;
  const known = readDrift(drift);
  const first = known?.kind === 'host' && known.state === 'stopped' ? 'startHost' : 'other';
  // Who could not begin now takes nobody's turn.
  const isDue = lifecycle.nextAttemptAt === undefined || Date.parse(lifecycle.nextAttemptAt) <= now;
  if (!isDue && !retry) return GRANTED;
  const refusal = repairs.ask(lifecycle.id, regionOf(lifecycle, defaultRegion), first);
  if (refusal === undefined) return GRANTED;
  const { reason, message } = refusal;
  return {
    ok: false,
    reason,
    message,
    ...('until' in refusal ? { until: new Date(refusal.until).toISOString() } : {}),
  };
}

/** Disruptive repairs wait for the maintenance window, except those of critical security findings. */
function outsideWindow(item: DriftItem, policy: EnclavePolicy, now: number): RepairPermission | undefined {
  const window = policy.maintenanceWindow;
  if (window === undefined || inMaintenanceWindow(policy, now)) return undefined;
  const drift = readDrift(item);
  if (drift === undefined || !isDisruptive(drift)) return undefined;
  const opens = nextOpening(window, now);
  const until = opens === undefined ? undefined : new Date(opens).toISOString();
  const message = `${namesOfDrift(item).join(', ')} waits for the maintenance window${until === undefined ? '' : `, which opens ${until}`}`;
  return { ok: false, reason: 'OutsideMaintenanceWindow', message, ...(until === undefined ? {} : { until }) };
}

function isDisruptive(drift: Drift): boolean {
  if (drift.kind === 'host') return false;
  const attributes = drift.kind === 'report' ? [drift.attribute] : drift.attributes;
  const isUrgent = (each: Attribute) => ENTRIES[each].security === true && ENTRIES[each].severity === 'critical';
  const stepOf = (each: Attribute) => (drift.kind === 'attributes' ? drift.step : (ENTRIES[each].steps[0] ?? 'alert'));
  return attributes.some((each) => interrupts(each, stepOf(each))) && !attributes.some(isUrgent);
}
