/** Admission: whether the operator may start anything for an enclave now, and why not. */

import type { Control } from '../../enclave/items/fleet.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { type ChangeClass, classifyChange, type SpecChange } from '../../enclave/spec/change.ts';
import { nextOpening } from '../../enclave/spec/maintenance-window.ts';
import { type EnclavePolicy, inMaintenanceWindow, suspension } from '../../enclave/spec/policy.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import type { Admission } from '../../machines/index.ts';
import type { Dependencies } from '../fleet/dependencies.ts';

/** Changes that interrupt a running enclave wait for its maintenance window. */
const DISRUPTIVE: ReadonlySet<ChangeClass> = new Set(['enclaveRestart', 'stopStart', 'replace']);

/** Of what was taken over without a valid record, nothing is known that could stay. */
const UNKNOWN_BEFORE: SpecChange = { class: 'replace', changes: [], causes: ['providerConfig'] };

const UNCHANGED: SpecChange = { class: 'none', changes: [], causes: [] };

/** What the wanted spec changes of the one that was last applied; undefined where none was. */
export function pendingChange(lifecycle: Lifecycle, wanted: EnclaveSpec | undefined): SpecChange | undefined {
  const { applied } = lifecycle;
  if (wanted === undefined) return undefined;
  if (applied === undefined) {
    const isFirst = lifecycle.adopted && lifecycle.generation > lifecycle.observedGeneration;
    return isFirst ? UNKNOWN_BEFORE : undefined;
  }
  if (lifecycle.observedGeneration === 0) return undefined;
  // The generation would be a newer one.
  if (lifecycle.generation === lifecycle.observedGeneration) return UNCHANGED;
  // Written by this schema, or by an older one: a field that is missing there reads as changed, never as an error.
  return classifyChange(applied as unknown as EnclaveSpec, wanted);
}

/** A host without an agent carries out no change: what would restart the enclave takes a new host. */
export function onLegacyHost(isLegacy: boolean, change: SpecChange | undefined): SpecChange | undefined {
  return isLegacy && change !== undefined && DISRUPTIVE.has(change.class) ? { ...change, class: 'replace' } : change;
}

/** The freeze that holds at this time; undefined where none does. */
export function freezeAt({ freeze }: Pick<Control, 'freeze'>, now: number): Control['freeze'] {
  return freeze?.until !== undefined && Date.parse(freeze.until) <= now ? undefined : freeze;
}

/** What has never run begins only when all it depends on is ready; what runs already no longer asks. */
function dependencyOf(
  lifecycle: Lifecycle,
  dependencies: Pick<Dependencies, 'cycle' | 'missing'>,
): Admission | undefined {
  if (lifecycle.serving || lifecycle.observedGeneration > 0 || lifecycle.desired !== 'Running') return undefined;
  const cycle = dependencies.cycle(lifecycle.id);
  if (cycle !== undefined) {
    const message = `policy.dependsOn leads back to itself: ${cycle.join(' → ')}; remove one of these dependencies`;
    return { ok: false, reason: 'DependencyCycle', message };
  }
  const missing = dependencies.missing(lifecycle.id);
  if (missing.length === 0) return undefined;
  return { ok: false, reason: 'DependencyNotReady', message: `waits for ${missing.join(', ')} to be ready` };
}

/**
 * A freeze and a suspension hold back everything but deletion; a window holds back what interrupts an enclave that
 * serves.
 */
export function admit(
  policy: EnclavePolicy,
  lifecycle: Lifecycle,
  change: SpecChange | undefined,
  fleet: {
    readonly control: Pick<Control, 'freeze'>;
    readonly dependencies: Pick<Dependencies, 'cycle' | 'missing'>;
  },
  now: number,
): Admission {
  const frozen = freezeAt(fleet.control, now);
  if (frozen !== undefined) {
    const { actor, reason, until } = frozen;
    const message = `the fleet is frozen by ${actor}: ${reason}${until === undefined ? '' : `, until ${until}`}`;
    return { ok: false, reason: 'FleetFrozen', message, ...(until === undefined ? {} : { until }) };
  }
  const suspended = suspension(policy, now);
  if (suspended !== undefined) {
    const { actor, until } = policy.suspend ?? {};
    const message = `suspended${actor === undefined ? '' : ` by ${actor}`}: ${suspended}${until === undefined ? '' : `, until ${until}`}`;
    return { ok: false, reason: 'Suspended', message, ...(until === undefined ? {} : { until }) };
  }
  const waiting = dependencyOf(lifecycle, fleet.dependencies);
  if (waiting !== undefined) return waiting;
  const window = policy.maintenanceWindow;
  const interrupts = lifecycle.serving && change !== undefined && DISRUPTIVE.has(change.class);
  if (window === undefined || !interrupts || inMaintenanceWindow(policy, now)) return { ok: true };
  const opens = nextOpening(window, now);
  const until = opens === undefined ? undefined : new Date(opens).toISOString();
  const message = `${change.causes.join(', ')} waits for the maintenance window${until === undefined ? '' : `, which opens ${until}`}`;
  return { ok: false, reason: 'OutsideMaintenanceWindow', message, ...(until === undefined ? {} : { until }) };
}
