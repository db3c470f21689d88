/** Reconcile: one enclave, once: observe, decide, commit, act, publish. */

import type { Request } from '../../enclave/items/items.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import { policyOf } from '../../enclave/spec/policy.ts';
import { decide, type Effect, type Intent, resolveIntent } from '../../machines/index.ts';
import { waitEstimateText } from '../limits/wait-estimate.ts';
import { planEvents, trackPlans } from '../plan/result.ts';
import { approvalEvents, takeRequests } from './approval.ts';
import { assess } from './assess.ts';
import type { ReconcileContext, ReconcileRequest } from './context.ts';
import { type ActorsEvent, act } from './execute-effects.ts';
import { observe, readStored, withPolicy } from './observe.ts';
import { publish } from './record-status.ts';
import { reserve } from './reservations.ts';
import { runRequestOf, startOf, waitsForSlot } from './run-request.ts';

export type ReconcileResult =
  /** Nothing to look after. */
  | { readonly kind: 'ignored' }
  /** Another writer was faster: read again, decide again. */
  | { readonly kind: 'conflict' }
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
export async function reconcile(request: ReconcileRequest, context: ReconcileContext): Promise<ReconcileResult> {
  const { ports, config, limits, observers } = context;
  const { id, log } = request;

  // Observe: what is asked for and what is remembered, then what exists.
  const stored = await readStored(request, context);
  if (stored === undefined) {
    log.error({ enclaveId: id }, 'written by a newer operator: left alone until this one is upgraded');
    return { kind: 'ignored' };
  }
  const { record, requests, planResults, lifecycle: before } = stored;
  const resolved = resolveIntent({
    id,
    lifecycle: before,
    record,
    spec: stored.spec?.ok === true ? stored.spec.spec : undefined,
    now: ports.clock.now(),
    installedAt: Date.parse(context.fleet.control.installedAt),
    graceMs: config.deletionGraceMs,
    staleCommandMs: config.staleCommandMs,
    deletionsAllowed: context.fleet.deletionsAllowed,
    incarnation: ports.random.id(6),
  });
  // No lifecycle and no record of ours: another provider's, another status', or nothing at all.
  if (resolved === undefined) {
    limits.slots.release(id);
    if (record === undefined && requests.length > 0) await dismiss(request, requests, context);
    if (planResults.length > 0) await ports.state.discardPlanResults(planResults);
    return { kind: 'ignored' };
  }
  const found = withPolicy(resolved, record);
  const noted = trackPlans(found.lifecycle, planResults, ports.clock.now());
  const intent: Intent = { ...found, lifecycle: takeRequests(noted, requests, ports.clock.now()) };
  // Of a record that is another's, or in nobody's status, nothing is applied.
  const spec = intent.record === 'ours' ? stored.spec : undefined;
  context.fleet.dependencies.declare(id, policyOf(intent.lifecycle).dependsOn);
  const seen = await observe(request, intent, stored.lock, context);
  const runRequest = runRequestOf(intent.lifecycle, seen.host);
  if (before?.run !== undefined) limits.slots.hold(id, runRequest);

  // Decide. Nothing is awaited from here until the decision has reserved what the assessment found free.
  const wait = limits.slots.estimatedWait(id, runRequest);
  const assessment = assess(
    {
      ...seen,
      intent,
      record,
      spec,
      requests,
      wait: wait && waitEstimateText(wait),
      now: ports.clock.now(),
      random: ports.random.next(),
    },
    context,
  );
  const decision = decide(before, intent.lifecycle, assessment);
  const reservations = reserve(
    {
      lifecycle: decision.lifecycle,
      assessment,
      request: runRequest,
      waitsForSlot: wait !== undefined && waitsForSlot(decision.lifecycle, assessment),
    },
    limits,
  );

  // Commit.
  let lifecycle = decision.lifecycle;
  const isAsked = requests.length + planResults.length > 0;
  if (decision.changed || isAsked) {
    const epoch = context.epoch();
    lifecycle = { ...lifecycle, revision: (before?.revision ?? 0) + 1, epoch };
    const begun = lifecycle.run !== undefined && lifecycle.run.name !== before?.run?.name;
    const result = await ports.state.commit({
      lifecycle,
      readRevision: before?.revision,
      start: begun ? startOf(lifecycle, config, ports.clock.now()) : undefined,
      consumed: requests,
      planResults,
    });
    if (result === 'conflict') {
      reservations.cancel();
      return { kind: 'conflict' };
    }
    context.lifecycles.onUpsert(id, lifecycle, 'written');
    context.driftAnswers.requested(id, requests);
    const { foundIn, observedAt } = seen.host;
    const lookedBefore = observers.hosts.before(foundIn ?? regionOf(lifecycle, config.region), observedAt);
    context.onCommitted({ before, after: lifecycle, run: seen.run, lookedBefore });
  } else {
    // Stored as it was decided: a commit that failed before may have left another impression.
    limits.repairs.onUpsert(id, lifecycle, 'written');
  }
  reservations.confirm();

  // Act. What fails here is derived anew by the next assessment; what is to be seen is published all the same.
  const outcome = seen.run.state === 'finished' ? seen.run.outcome : undefined;
  const told = { before, after: lifecycle, requests, outcome };
  const effects = [...planEvents(before, lifecycle), ...approvalEvents(told), ...decision.effects];
  const failure = await act(request, lifecycle, effects, requestEvents(requests), context).then(
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

/** Requests for what never was, or is no more: left lying, they would be carried out on a later enclave of this id. */
async function dismiss(
  { id, log }: ReconcileRequest,
  requests: readonly Request[],
  { ports, epoch }: ReconcileContext,
): Promise<void> {
  // One that was written after the record was looked for may be for a record written before it.
  if ((await ports.records.get(id)) !== undefined) return;
  epoch();
  await ports.state.dismiss(requests);
  for (const { verb, actor } of requests) {
    log.warn({ enclaveId: id, verb, actor }, 'a request was dismissed: there is no such enclave');
  }
}

function requestEvents(requests: readonly Request[]): readonly ActorsEvent[] {
  return requests.map((request) => ({
    type: 'Normal',
    reason: 'Requested',
    message: `${request.verb} requested`,
    actor: request.actor,
  }));
}

function requeueAfter(effects: readonly Effect[]): number {
  const delays = effects.flatMap((effect) => (effect.type === 'requeueAfter' ? [effect.delayMs] : []));
  return Math.min(...delays, 2_147_483_647);
}
