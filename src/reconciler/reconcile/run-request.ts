/** Run request: which run an enclave would begin, and what it is given. */

import type { Lock } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { RunItem, RunVariables } from '../../enclave/items/run.ts';
import { STACK_VERSION, stateKey } from '../../enclave/names.ts';
import { omit } from '../../enclave/omit.ts';
import type { SpecChange } from '../../enclave/spec/change.ts';
import { type EnclavePolicy, policyOf } from '../../enclave/spec/policy.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import { type Assessment, deletionHeld } from '../../machines/index.ts';
import type { Config } from '../config.ts';
import type { RunRequest } from '../limits/run-slots.ts';

/** Of what kind a run of this enclave would be now, and whose. */
export function runRequestOf(lifecycle: Lifecycle, host: Assessment['host']): RunRequest {
  const owner = lifecycle.identity.walletAddress;
  if (lifecycle.desired === 'Absent') return { kind: 'destroy', owner };
  return { kind: host.state === 'gone' ? 'create' : 'change', owner };
}

/** Would have begun a run, had there been a slot. */
export function waitsForSlot(lifecycle: Lifecycle, assessment: Assessment): boolean {
  if (lifecycle.run !== undefined) return false;
  if (assessment.approval === 'awaited' && lifecycle.desired !== 'Absent') return false;
  if (lifecycle.phase === 'pending' || lifecycle.phase === 'provisioning' || lifecycle.phase === 'updating') {
    return assessment.spec.ok && assessment.admission.ok;
  }
  const behind = lifecycle.generation > lifecycle.observedGeneration;
  if (lifecycle.phase === 'ready') return behind && assessment.spec.ok && assessment.admission.ok;
  if (lifecycle.phase === 'destroying') {
    return (
      lifecycle.touched && lifecycle.teardown === undefined && deletionHeld({ lifecycle, assessment }) === undefined
    );
  }
  return lifecycle.phase === 'repairing';
}

/** Lock and run item of a marker that was just made; committed with it or not at all. */
export function startOf(
  lifecycle: Lifecycle,
  config: Config,
  now: number,
): { readonly lock: Lock; readonly run: RunItem } | undefined {
  const { run } = lifecycle;
  if (run === undefined) return undefined;
  const variables = lifecycle.snapshot ?? bareVariables(lifecycle, config);
  return {
    lock: { run: run.name, state: 'intended' },
    run: {
      v: 1,
      minReader: 1,
      id: lifecycle.id,
      name: run.name,
      action: run.action,
      reason: run.reason,
      generation: run.generation,
      requestedAt: new Date(now).toISOString(),
      // What may be done, and to which host, is decided by what is known now, not when the last run began.
      variables: {
        ...variables,
        policy: { ...policyOf(lifecycle) },
        pinned: lifecycle.pinned,
        ...(lifecycle.approval === undefined ? {} : { approved: lifecycle.approval.digest }),
      },
    },
  };
}

/** What a destroy needs where nothing was ever applied by this operator: the state's key and its region. */
function bareVariables(lifecycle: Lifecycle, config: Config): RunVariables {
  return {
    region: regionOf(lifecycle, config.region),
    environment: config.environment,
    stateKey: stateKey(lifecycle.id),
    stackVersion: STACK_VERSION,
    walletAddress: lifecycle.identity.walletAddress,
    generation: lifecycle.generation,
    pinned: lifecycle.pinned,
  };
}

/** Of the last run's variables, what holds for others: which host a repair was to replace does not. */
function remembered(snapshot: Lifecycle['snapshot']): Lifecycle['snapshot'] {
  if (snapshot?.replaces === undefined) return snapshot;
  return omit(snapshot, 'replaces', 'change');
}

/** What was last applied, once more. */
export function mendingOf(
  { snapshot: last, applied, pinned, observedGeneration: generation }: Lifecycle,
  policy: EnclavePolicy,
): RunVariables | undefined {
  const snapshot = remembered(last);
  if (snapshot === undefined || applied === undefined) return undefined;
  return { ...snapshot, stackVersion: STACK_VERSION, generation, spec: applied, policy, change: 'none', pinned };
}

/** What a deploy would be given: the record's spec, or, where that is not valid, what was last applied. */
export function variablesOf(
  lifecycle: Lifecycle,
  wanted: EnclaveSpec | undefined,
  policy: EnclavePolicy,
  change: SpecChange | undefined,
  config: Config,
): RunVariables | undefined {
  const { pinned } = lifecycle;
  const snapshot = remembered(lifecycle.snapshot);
  if (wanted === undefined) return snapshot?.spec === undefined ? undefined : { ...snapshot, policy, pinned };
  return {
    ...snapshot,
    region: wanted.region,
    environment: config.environment,
    stateKey: stateKey(lifecycle.id),
    stackVersion: STACK_VERSION,
    walletAddress: lifecycle.identity.walletAddress,
    generation: lifecycle.generation,
    spec: { ...wanted },
    policy,
    /** How disruptive this generation is allowed to be: the gate replaces a host only where a field asks for it. */
    change: change?.class ?? 'none',
    pinned,
  };
}
