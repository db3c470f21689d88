/** Repair leave: whether a drift may be repaired now, and why not. */
import { type Attribute, type Finding, reportedAttributes } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { nextOpening } from '../enclave/maintenance-window.ts';
import { driftModeOf, type EnclavePolicy, inMaintenanceWindow } from '../enclave/policy.ts';
import {
  type Admission,
  attributesOf,
  contestedUntil,
  holdsRepair,
  isOfFindings,
  type RepairLeave,
  restartsHost,
} from '../machines/index.ts';
import { regionOf } from './region-of.ts';
import type { RepairGovernor } from './repair-governor.ts';

/** Phases from which a repair begins, or in which it goes on. */
const REPAIRED: ReadonlySet<Lifecycle['phase']> = new Set(['ready', 'invalid', 'repairing']);
const GRANTED: RepairLeave = { ok: true };

/** What a repair of them restarts, or replaces. */
const DISRUPTIVE_RUNGS: ReadonlySet<Finding['rung']> = new Set([
  'restartEnclave',
  'restartAllocator',
  'restartHost',
  'replace',
]);

/** The enclave serves, and its repair restarts it. One whose health check fails serves nobody. */
const SERVING_ALL_THE_SAME: ReadonlySet<string> = new Set([
  'enclave:EnclaveSize',
  'enclave:ExtraEnclaves',
  'enclave:ProxyDown',
]);

export interface LeaveContext {
  readonly repairs: Pick<RepairGovernor, 'ask'>;
  readonly defaultRegion: string;
  readonly now: number;
  /** As the policy has them. */
  readonly findings: readonly Finding[];
  /** What differs of what the host reports. */
  readonly reported?: Attribute | undefined;
  /** Somebody asks for it now. @default false */
  readonly retry?: boolean;
}

/** What the policy says of what is not found by comparing: by the attribute's name, else by that of the state. */
function modeOf(policy: EnclavePolicy, fingerprint: string, reported: Attribute | undefined) {
  if (isOfFindings(fingerprint)) return 'repair';
  const [name = fingerprint] = attributesOf(fingerprint);
  const attribute = fingerprint.startsWith('enclave:') ? reported : reportedAttributes(fingerprint)[0];
  const isNamed = attribute !== undefined && policy.drift.overrides[attribute] !== undefined;
  return driftModeOf(policy, isNamed ? attribute : name);
}

/** The policy lets the host be replaced for it, where nothing else has cured it. */
export function mayReplace({ drift }: Lifecycle, policy: EnclavePolicy, reported: Attribute | undefined): boolean {
  return drift !== undefined && modeOf(policy, drift.fingerprint, reported) === 'replace';
}

/** Of what differs, what may be done about it. Asks the governor only for what would be repaired at once. */
export function repairLeave(
  lifecycle: Lifecycle,
  policy: EnclavePolicy,
  admission: Admission,
  { repairs, defaultRegion, now, findings, reported, retry = false }: LeaveContext,
): RepairLeave {
  const { drift } = lifecycle;
  if (drift === undefined || !REPAIRED.has(lifecycle.phase)) return GRANTED;
  const name = attributesOf(drift.fingerprint).join(', ');
  // Of findings, what the policy wants told only is none that could be repaired.
  const mode = modeOf(policy, drift.fingerprint, reported);
  if (mode === 'alert' || mode === 'off') {
    return { ok: false, reason: 'AlertOnly', message: `policy.drift says ${mode} of ${name}` };
  }
  const contested = contestedUntil(lifecycle, now);
  if (contested !== undefined) {
    const until = new Date(contested).toISOString();
    const message = `${name} was repaired twice within an hour and came back; tried again after ${until}, or at once by \`enclavectl retry\``;
    return { ok: false, reason: 'DriftContested', message, until };
  }
  if (!admission.ok && holdsRepair(admission.reason)) return GRANTED;
  const closed = outsideWindow(drift.fingerprint, policy, findings, now);
  if (closed !== undefined) return closed;
  const first = drift.fingerprint === 'host:stopped' ? 'startHost' : 'other';
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

/** What serves is interrupted within its window only; what lets somebody in is not left open for it. */
function outsideWindow(
  fingerprint: string,
  policy: EnclavePolicy,
  findings: readonly Finding[],
  now: number,
): RepairLeave | undefined {
  const window = policy.maintenanceWindow;
  if (window === undefined || inMaintenanceWindow(policy, now)) return undefined;
  const names = attributesOf(fingerprint);
  const tracked = findings.filter(({ attribute }) => names.includes(attribute));
  const interrupts = (each: Finding) => DISRUPTIVE_RUNGS.has(each.rung) || restartsHost(each);
  const isUrgent = ({ security, severity }: Finding) => security && severity === 'critical';
  const waits = tracked.some(interrupts) && !tracked.some(isUrgent);
  if (!waits && !SERVING_ALL_THE_SAME.has(fingerprint)) return undefined;
  const opens = nextOpening(window, now);
  const until = opens === undefined ? undefined : new Date(opens).toISOString();
  const message = `${names.join(', ')} waits for the maintenance window${until === undefined ? '' : `, which opens ${until}`}`;
  return { ok: false, reason: 'OutsideMaintenanceWindow', message, ...(until === undefined ? {} : { until }) };
}
