/** Execute effects: carries out the effects of a committed decision. */

import { assertNever } from '../../enclave/assert-never.ts';
import { type EmittedEvent, type EventDraft, newEvent } from '../../enclave/event-reasons.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { Effect } from '../../machines/index.ts';
import type { ReconcileContext, ReconcileRequest } from './context.ts';

/** `actor`: a person; absent: the operator itself. */
export type ActorsEvent = EventDraft & { readonly actor?: string };

/** Carries out effects in order, each only while this process leads; then appends what happened. */
export async function act(
  { id, log }: ReconcileRequest,
  lifecycle: Lifecycle,
  effects: readonly Effect[],
  requested: readonly ActorsEvent[],
  context: ReconcileContext,
): Promise<void> {
  const { ports } = context;
  const at = new Date(ports.clock.now()).toISOString();
  const events: EmittedEvent[] = [];
  const run = lifecycle.run === undefined ? {} : { run: lifecycle.run.name };
  const emit = (draft: ActorsEvent) => {
    events.push(newEvent(draft, { id, at, ...draft, generation: lifecycle.generation, ...run }));
  };
  for (const draft of requested) emit(draft);
  try {
    for (const effect of effects) await perform(id, lifecycle, effect, context, emit);
  } finally {
    if (events.length > 0) {
      for (const event of events)
        log.info(
          {
            enclaveId: id,
            reason: event.reason,
            phase: lifecycle.phase,
            generation: event.generation,
            run: event.run,
          },
          event.message,
        );
      await ports.history.append(events);
    }
  }
}

async function perform(
  id: string,
  lifecycle: Lifecycle,
  effect: Effect,
  context: ReconcileContext,
  emit: (draft: EventDraft) => void,
): Promise<void> {
  const { ports } = context;
  const region = regionOf(lifecycle, context.config.region);
  switch (effect.type) {
    case 'startRun': {
      context.epoch();
      const result = await ports.workflows.start(effect.name, effect.action, id);
      if (result === 'started') emit({ type: 'Normal', reason: 'RunStarted', message: `started ${effect.name}` });
      return;
    }
    case 'cancelRun':
      context.epoch();
      emit({ type: 'Normal', reason: 'RunCancelled', message: `cancelling ${effect.name}` });
      return cancelRun(id, lifecycle, effect, context);
    case 'startHost':
      context.epoch();
      emit({ type: 'Normal', reason: 'HostStarting', message: `starting ${effect.instanceId}` });
      return ports.hosts.start(region, effect.instanceId);
    case 'stopHost':
      context.epoch();
      emit({ type: 'Normal', reason: 'HostStopping', message: `stopping ${effect.instanceId}` });
      return ports.hosts.stop(region, effect.instanceId);
    case 'restartEnclave':
      context.epoch();
      emit({
        type: 'Warning',
        reason: 'EnclaveRestarting',
        message: `restarting the enclave on ${effect.instanceId}`,
      });
      return ports.hosts.restartEnclave(region, effect.instanceId);
    case 'restartAllocator':
      context.epoch();
      emit({
        type: 'Warning',
        reason: 'AllocatorRestarting',
        message: `restarting the allocator of ${effect.instanceId}`,
      });
      return ports.hosts.restartAllocator(region, effect.instanceId);
    case 'askHost':
      context.epoch();
      return askHost(id, region, effect.instanceId, context, emit);
    case 'forget': {
      context.epoch();
      const result = await ports.state.forget(id, lifecycle.revision);
      if (result === 'committed') context.lifecycles.onDelete(id);
      return;
    }
    case 'emitEvent':
      return emit(effect.event);
    case 'requeueAfter':
      return;
    default:
      return assertNever(effect, 'effect');
  }
}

/** A call that fails says nothing of the host: it is asked again at the next look, and not restarted. */
async function askHost(
  id: string,
  region: string,
  instanceId: string,
  { ports, observers }: ReconcileContext,
  emit: (draft: EventDraft) => void,
): Promise<void> {
  // Before it is asked: what it reports meanwhile may be the answer.
  const reported = observers.reports.seen(id) ?? '';
  const result = await ports.hosts.askToReport(region, instanceId);
  observers.secondLooks.asked(id, result, reported);
  const message =
    result === 'asked'
      ? `asked ${instanceId} to report before it is restarted`
      : `SSM does not reach ${instanceId}, which is to be restarted`;
  emit({ type: 'Normal', reason: 'HostAsked', message });
}

/** Flag first, so that a run that has not begun to apply never does; then withdraw what is unclaimed, or stop its task. */
async function cancelRun(
  id: string,
  lifecycle: Lifecycle,
  effect: Extract<Effect, { type: 'cancelRun' }>,
  { ports, config }: ReconcileContext,
): Promise<void> {
  const at = new Date(ports.clock.now()).toISOString();
  const requested = await ports.history.requestCancel(id, effect.name, at);
  const withdrawn = await ports.state.release(id, effect.name, ['intended']);
  if (withdrawn === 'released') {
    await ports.history.settle(id, effect.name, {
      result: 'cancelled',
      class: 'cancelled',
      message: 'the run was withdrawn before it began',
      at,
      by: 'operator',
    });
    return;
  }
  if (requested === 'requested' && effect.taskArn !== undefined)
    await ports.tasks.stop(effect.taskArn, 'the run is no longer wanted');
  // Asked to stop, and again after ECS must have killed it: only the end of its execution is left to try.
  const lastResortAt = Date.parse(lifecycle.run?.deadlineAt ?? '') + 2 * config.taskStopMs;
  if (ports.clock.now() >= lastResortAt) {
    await ports.workflows.abort(effect.name, effect.action, 'the run has passed its deadline and does not stop');
  }
}
