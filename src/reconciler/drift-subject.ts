/** Drift subject: what a drift run is to plan of one enclave, by what is stored of it at this moment. */
import { isFromTheFuture, type Lifecycle } from '../enclave/items.ts';
import { type EnclavePolicy, suspension } from '../enclave/policy.ts';
import { readRecord } from '../enclave/record.ts';
import { specHash } from '../enclave/spec.ts';
import { policyOf, readSpec, variablesOf } from './assess.ts';
import type { ReconcileContext } from './context.ts';
import type { Asked, Subject } from './drift-runs.ts';
import { appliedVariables, isPlanAsked, planDueAt } from './plan-due.ts';

const NOT_NOW: Asked = { kind: 'notNow' };

/**
 * What was applied, where its plan is due; what is wanted, where somebody asks: so that a change can be looked at before
 * it is made.
 */
export async function driftSubject(id: string, context: ReconcileContext): Promise<Asked> {
  const { ports, config } = context;
  const { lifecycle, fromTheFuture } = await ports.state.read(id);
  if (lifecycle === undefined || fromTheFuture || isFromTheFuture(lifecycle)) return NOT_NOW;
  const now = ports.clock.now();
  const asked = isPlanAsked(lifecycle, now);
  if (!asked && isLeftAlone(policyOf(lifecycle), now)) return { kind: 'never', revision: lifecycle.revision };
  const dueAt = planDueAt(lifecycle, config.driftEveryMs);
  const isDue = dueAt !== undefined && dueAt <= now && suspension(policyOf(lifecycle), now) === undefined;
  if (!asked && !isDue) return NOT_NOW;
  const isApplied = lifecycle.generation === lifecycle.observedGeneration;
  const variables = isApplied ? appliedVariables(lifecycle) : await wantedVariables(lifecycle, context);
  if (variables === undefined) return NOT_NOW;
  const subject: Subject = { id, generation: lifecycle.generation, variables };
  return { kind: 'subject', subject };
}

/** For as long as this revision stands: a suspension that ends by itself is waited for. */
function isLeftAlone(policy: EnclavePolicy, now: number): boolean {
  return policy.drift.mode === 'off' || (policy.suspend?.until === undefined && suspension(policy, now) !== undefined);
}

/** Undefined where the record says something else by now, which the next reconcile takes note of. */
async function wantedVariables(lifecycle: Lifecycle, context: ReconcileContext) {
  const raw = await context.ports.records.get(lifecycle.id);
  const read = raw === undefined ? undefined : readSpec(readRecord(raw), lifecycle, context);
  if (read?.ok !== true || specHash(read.spec) !== lifecycle.specHash) return undefined;
  return variablesOf(lifecycle, read.spec, policyOf(lifecycle), undefined, context.config);
}
