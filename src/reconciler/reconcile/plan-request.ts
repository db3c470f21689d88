/** Plan request: what a plan run is to plan of one enclave, by what is stored of it now. */
import { readDrift } from '../../drift/index.ts';
import { isFromTheFuture } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { RunVariables } from '../../enclave/items/run.ts';
import { readRecord } from '../../enclave/record.ts';
import { type EnclavePolicy, policyOf, suspension } from '../../enclave/spec/policy.ts';
import { specHash } from '../../enclave/spec/spec.ts';
import { isWithoutAgent } from '../observers/report-view.ts';
import { isPlanAsked, planDueAt } from '../plan/schedule.ts';
import type { Asked } from '../plan/scheduler.ts';
import { onLegacyHost, pendingChange } from './admission.ts';
import type { ReconcileContext } from './context.ts';
import { readSpec } from './observe.ts';
import { mendingOf, variablesOf } from './run-request.ts';

type SubjectContext = Pick<ReconcileContext, 'ports' | 'config' | 'specs'>;

const NOT_NOW: Asked = { kind: 'notNow' };

/**
 * What was applied, where its plan is due. Where somebody asks, what a run that is begun now would be given: so that it
 * can be looked at before it is begun.
 */
export async function driftSubject(id: string, context: SubjectContext): Promise<Asked> {
  const { ports, config } = context;
  // Results before the lifecycle: one that is consumed between the two reads is in the lifecycle that is read. What was
  // found last time says when the next plan is due.
  const results = await ports.state.planResults(id);
  if (results.some((result) => !isFromTheFuture(result))) return NOT_NOW;
  const { lifecycle, fromTheFuture } = await ports.state.read(id);
  if (lifecycle === undefined || fromTheFuture || isFromTheFuture(lifecycle)) return NOT_NOW;
  const now = ports.clock.now();
  const policy = policyOf(lifecycle);
  const asked = isPlanAsked(lifecycle, now);
  if (!asked && isLeftAlone(policy, now)) return { kind: 'never', revision: lifecycle.revision };
  const dueAt = planDueAt(lifecycle, config.driftEveryMs);
  const isDue = dueAt !== undefined && dueAt <= now && suspension(policy, now) === undefined;
  if (!asked && !isDue) return NOT_NOW;
  const isApplied = lifecycle.generation === lifecycle.observedGeneration;
  const variables = isApplied
    ? appliedVariables(lifecycle, policy, asked)
    : await wantedVariables(lifecycle, policy, context);
  if (variables === undefined) return NOT_NOW;
  return {
    kind: 'subject',
    subject: { id, generation: lifecycle.generation, variables, incarnation: lifecycle.incarnation },
  };
}

/** For as long as this revision stands: a suspension that ends by itself is waited for. */
function isLeftAlone(policy: EnclavePolicy, now: number): boolean {
  return policy.drift.mode === 'off' || (policy.suspend?.until === undefined && suspension(policy, now) !== undefined);
}

function appliedVariables(lifecycle: Lifecycle, policy: EnclavePolicy, asked: boolean): RunVariables | undefined {
  const mending = mendingOf(lifecycle, policy);
  if (mending === undefined || lifecycle.snapshot === undefined) return undefined;
  // What another version of the stack would make of it is no drift; what a person approves is what would be made of it.
  if (!asked || policy.drift.approval !== 'manual')
    return { ...mending, stackVersion: lifecycle.snapshot.stackVersion };
  const drift = readDrift(lifecycle.drift);
  const replaces = drift?.kind === 'attributes' && drift.step === 'replace';
  return replaces ? { ...mending, change: 'replace' } : mending;
}

/** Undefined where the record says something else by now, which the next reconcile takes note of. */
async function wantedVariables(lifecycle: Lifecycle, policy: EnclavePolicy, context: SubjectContext) {
  const { ports, config } = context;
  const { id, pinned } = lifecycle;
  const [raw, reports] = await Promise.all([
    ports.records.get(id),
    pinned.instanceId === undefined ? [] : ports.state.reports(id, [pinned.instanceId]),
  ]);
  const read = raw === undefined ? undefined : readSpec(readRecord(raw), lifecycle, context);
  if (read?.ok !== true || specHash(read.spec) !== lifecycle.specHash) return undefined;
  const isLegacy = isWithoutAgent(lifecycle, reports);
  const change = onLegacyHost(isLegacy, pendingChange(lifecycle, read.spec));
  return variablesOf(lifecycle, read.spec, policy, change, config);
}
