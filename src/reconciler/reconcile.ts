/** Reconcile: one enclave, once: observe, decide, commit, act, publish. */

import { isFromTheFuture, type Lock, REQUEST_VERBS, type Request } from '../enclave/items.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { STACK_VERSION, stateKey } from '../enclave/names.ts';
import { type EnclaveRecord, isManaged, readRecord } from '../enclave/record.ts';
import type { Report } from '../enclave/report-item.ts';
import type { RunItem, RunVariables } from '../enclave/run-item.ts';
import type { SpecResult } from '../enclave/spec.ts';
import { type Assessment, decide, deletionHeld, type Effect, type Intent, resolveIntent } from '../machines/index.ts';
import { type ActorsEvent, act } from './act.ts';
import { approvalEvents, takeRequests } from './approvals.ts';
import { assess, lookAtHost, policyOf, readSpec, withPolicy } from './assess.ts';
import type { Config } from './config.ts';
import type { ReconcileContext } from './context.ts';
import { notePlans, planEvents } from './plan-notes.ts';
import { OperatorError } from './ports.ts';
import { publicationOf, smallPublication, waitingPublication } from './publication.ts';
import { regionOf } from './region-of.ts';
import { outlookText } from './run-outlook.ts';
import type { Asker } from './run-slots.ts';

export type ReconcileResult =
  /** Nothing to look after. */
  | { readonly kind: 'ignored' }
  /** Another writer was faster: read again, decide again. `startsRun`: what was refused would have started a run. */
  | { readonly kind: 'conflict'; readonly startsRun: boolean }
  | {
      readonly kind: 'done';
      readonly requeueAfterMs: number;
      readonly changed: boolean;
      /** Requests or plan results were found: there may be more than one commit consumes. */
      readonly asked: boolean;
    };

/**
 * Brings one enclave one step closer to its record.
 *
 * *Guarantees*: nothing is done that was not committed before; what is done carries a name or a persisted attempt, so
 * that doing it again is harmless; every write is conditional. *Errors*: `OperatorError` of the first port that
 * failed; the next reconcile begins anew.
 */
export async function reconcile(id: string, context: ReconcileContext): Promise<ReconcileResult> {
  const { ports, config } = context;

  // Observe: what is asked for, and what is remembered.
  const [raw, remembered, asked, planned] = await Promise.all([
    ports.records.get(id),
    ports.state.read(id),
    context.asked ? ports.state.requests(id) : [],
    context.asked ? ports.state.planResults(id) : [],
  ]);
  if (remembered.fromTheFuture || (remembered.lifecycle !== undefined && isFromTheFuture(remembered.lifecycle))) {
    ports.log.error({ enclaveId: id }, 'written by a newer operator: left alone until this one is upgraded');
    return { kind: 'ignored' };
  }
  const requests = asked.filter(isUnderstood);
  const planResults = planned.filter((result) => !isFromTheFuture(result));
  const record = raw === undefined ? undefined : readRecord(raw);
  const read = record === undefined ? undefined : readSpec(record, remembered.lifecycle, context);
  const resolved = resolveIntent({
    id,
    lifecycle: remembered.lifecycle,
    record,
    spec: read?.ok === true ? read.spec : undefined,
    now: ports.clock.now(),
    installedAt: Date.parse(context.control.installedAt),
    graceMs: config.deletionGraceMs,
    staleCommandMs: config.staleCommandMs,
    deletionsAllowed: context.deletionsAllowed(),
    incarnation: ports.random.id(6),
  });
  // No lifecycle and no record of ours: another provider's, another status', or nothing at all.
  if (resolved === undefined) {
    context.slots.release(id);
    if (record === undefined && requests.length > 0) await dismiss(id, requests, context);
    if (planResults.length > 0) await ports.state.discardPlanResults(planResults);
    return { kind: 'ignored' };
  }
  const found = withPolicy(resolved, record);
  const noted = notePlans(found.lifecycle, planResults, ports.clock.now());
  const intent: Intent = { ...found, lifecycle: takeRequests(noted, requests, ports.clock.now()) };
  // Of a record that is another's, or in nobody's status, nothing is applied.
  const spec = intent.record === 'ours' ? read : undefined;

  // Observe: what exists.
  const looked = lookAtHost(id, intent.lifecycle, context);
  const [run, host, reports] = await Promise.all([
    context.runs.view(id, intent.lifecycle.run, remembered.lock),
    looked,
    looked.then((host) => reportsOf(intent.lifecycle, host, context)),
  ]);

  // Decide. Nothing waits between finding a slot free and holding it.
  const asker = askerOf(intent.lifecycle, host);
  if (remembered.lifecycle?.run !== undefined) context.slots.hold(id, asker, true);
  const slot = context.slots.isFree(id, asker);
  const outlook = slot ? undefined : outlookText(context.slots.outlook(id, asker));
  const assessment = assess({ intent, record, spec, requests, run, host, reports, slot, outlook }, context);
  const decision = decide(remembered.lifecycle, intent.lifecycle, assessment);
  // As with slots: nothing waits between being given leave and being known to be at it.
  context.repairs.know(id, decision.lifecycle);
  if (decision.lifecycle.run !== undefined) context.slots.hold(id, asker);
  else if (!slot && waitsForSlot(decision.lifecycle, assessment)) context.slots.wait(id, asker);
  else context.slots.release(id);
  if (decision.lifecycle.run !== undefined) {
    context.quota.know(id, decision.lifecycle);
    context.names.know(id, decision.lifecycle);
  }

  // Commit.
  let lifecycle = decision.lifecycle;
  const isAsked = requests.length + planResults.length > 0;
  if (decision.changed || isAsked) {
    const epoch = context.epoch();
    lifecycle = { ...lifecycle, revision: (remembered.lifecycle?.revision ?? 0) + 1, epoch };
    const begun = lifecycle.run !== undefined && lifecycle.run.name !== remembered.lifecycle?.run?.name;
    // A slot stays held where this fails or conflicts: a marker may stand all the same, and the reconcile that
    // follows knows.
    const result = await ports.state.commit({
      lifecycle,
      readRevision: remembered.lifecycle?.revision,
      start: begun ? startOf(lifecycle, config, ports.clock.now()) : undefined,
      consumed: requests,
      planResults,
    });
    if (result === 'conflict') return { kind: 'conflict', startsRun: begun };
    context.onLifecycle(id, lifecycle);
    context.driftAnswers.requested(id, requests);
    const lookedBefore = context.hosts.before(host.foundIn ?? regionOf(lifecycle, config.region), host.observedAt);
    context.onCommitted({ before: remembered.lifecycle, after: lifecycle, run, lookedBefore });
  }

  // Act. What fails here is derived anew by the next assessment; what is to be seen is published all the same.
  const outcome = run.state === 'finished' ? run.outcome : undefined;
  const told = { before: remembered.lifecycle, after: lifecycle, requests, outcome };
  const effects = [...planEvents(told.before, lifecycle), ...approvalEvents(told), ...decision.effects];
  const failure = await act(id, lifecycle, effects, requestEvents(requests), context).then(
    () => undefined,
    (error: unknown) => error,
  );

  // Publish.
  if (record !== undefined) {
    await context.publishes.time(id, () => publish(record, lifecycle, intent, spec, context));
  }
  if (failure !== undefined) throw failure;
  return {
    kind: 'done',
    requeueAfterMs: requeueAfter(decision.effects),
    changed: decision.changed,
    asked: isAsked,
  };
}

/** Reports of the host that is pinned and of the one that EC2 shows, which differ only until a new one is pinned. */
async function reportsOf(
  { id, pinned }: Lifecycle,
  { instanceId }: Assessment['host'],
  { ports }: ReconcileContext,
): Promise<readonly Report[]> {
  const known = [pinned.instanceId, instanceId].filter((each) => each !== undefined);
  return known.length === 0 ? [] : ports.state.reports(id, [...new Set(known)]);
}

/** Requests for what never was, or is no more: left lying, they would be carried out on a later enclave of this id. */
async function dismiss(id: string, requests: readonly Request[], { ports, epoch }: ReconcileContext): Promise<void> {
  // One that was written after the record was looked for may be for a record written before it.
  if ((await ports.records.get(id)) !== undefined) return;
  epoch();
  await ports.state.dismiss(requests);
  for (const { verb, actor } of requests) {
    ports.log.warn({ enclaveId: id, verb, actor }, 'a request was dismissed: there is no such enclave');
  }
}

/** Verbs of a newer enclavectl are left for a newer operator. */
function isUnderstood(request: Request): boolean {
  return (REQUEST_VERBS as readonly string[]).includes(request.verb) && !isFromTheFuture(request);
}

/** Of what kind a run of this enclave would be now, and whose. */
function askerOf(lifecycle: Lifecycle, host: Assessment['host']): Asker {
  const owner = lifecycle.identity.walletAddress;
  if (lifecycle.desired === 'Absent') return { kind: 'destroy', owner };
  return { kind: host.state === 'gone' ? 'create' : 'change', owner };
}

/** Would have begun a run, had there been a slot. */
function waitsForSlot(lifecycle: Lifecycle, assessment: Assessment): boolean {
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
function startOf(
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

function requestEvents(requests: readonly Request[]): readonly ActorsEvent[] {
  return requests.map((request) => ({
    type: 'Normal',
    reason: 'Requested',
    message: `${request.verb} requested`,
    actor: request.actor,
  }));
}

async function publish(
  record: EnclaveRecord,
  lifecycle: Lifecycle,
  intent: Intent,
  spec: SpecResult | undefined,
  context: ReconcileContext,
): Promise<void> {
  const { ports, limits } = context;
  if (!isManaged(record)) return;
  const now = ports.clock.now();
  const publication =
    intent.record === 'ours'
      ? publicationOf({
          lifecycle,
          record,
          now,
          limits,
          workloadType: spec?.ok === true ? spec.spec.workloadType : undefined,
        })
      : waitingPublication(record, lifecycle, now);
  if (publication === undefined) return;
  context.epoch();
  const text = (name: string) => (typeof record.raw[name] === 'string' ? (record.raw[name] as string) : undefined);
  const read = { status: text('status'), updatedAt: text('updatedAt'), createdAt: text('createdAt') };
  let result = await ports.records.publish(record.id, read, publication);
  if (result === 'tooLarge') {
    const small = smallPublication(publication);
    result = small === undefined ? 'published' : await ports.records.publish(record.id, read, small);
  }
  if (result === 'published') context.onPublished(record.id, String(publication.set.updatedAt));
  // The record changed under our hands: what it says now decides.
  if (result === 'conflict')
    throw new OperatorError('Conflict', 'dynamodb:UpdateItem', `the record of ${record.id} has changed`);
}

function requeueAfter(effects: readonly Effect[]): number {
  const delays = effects.flatMap((effect) => (effect.type === 'requeueAfter' ? [effect.delayMs] : []));
  return Math.min(...delays, 2_147_483_647);
}
