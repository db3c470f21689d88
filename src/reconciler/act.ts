/** Act: carries out the effects of a committed decision. */

import { assertNever } from '../enclave/assert-never.ts';
import type { OperatorEvent } from '../enclave/items.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import type { Effect } from '../machines/index.ts';
import type { ReconcileContext } from './context.ts';
import { regionOf } from './region-of.ts';

type EventDraft = Pick<OperatorEvent, 'reason' | 'message' | 'actor'>;

/** Carries out effects in order, each only while this process leads; then appends what happened. */
export async function act(
  id: string,
  lifecycle: Lifecycle,
  effects: readonly Effect[],
  requested: readonly EventDraft[],
  context: ReconcileContext,
): Promise<void> {
  const { ports } = context;
  const at = new Date(ports.clock.now()).toISOString();
  const events: OperatorEvent[] = [];
  const emit = (type: OperatorEvent['type'], draft: EventDraft) => {
    events.push({
      v: 1,
      minReader: 1,
      id,
      at,
      type,
      ...draft,
      generation: lifecycle.generation,
      ...(lifecycle.run === undefined ? {} : { run: lifecycle.run.name }),
    });
  };
  for (const draft of requested) emit('Normal', draft);
  try {
    for (const effect of effects) await perform(id, lifecycle, effect, context, emit);
  } finally {
    if (events.length > 0) {
      for (const event of events)
        ports.log.info(
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
  emit: (type: OperatorEvent['type'], draft: EventDraft) => void,
): Promise<void> {
  const { ports } = context;
  const region = regionOf(lifecycle, context.config.region);
  const operator = 'operator';
  switch (effect.type) {
    case 'startRun': {
      context.epoch();
      const result = await ports.workflows.start(effect.name, effect.action, id);
      if (result === 'started')
        emit('Normal', { reason: 'RunStarted', message: `started ${effect.name}`, actor: operator });
      return;
    }
    case 'cancelRun':
      context.epoch();
      emit('Normal', { reason: 'RunCancelled', message: `cancelling ${effect.name}`, actor: operator });
      return cancelRun(id, lifecycle, effect, context);
    case 'startHost':
      context.epoch();
      emit('Normal', { reason: 'HostStarting', message: `starting ${effect.instanceId}`, actor: operator });
      return ports.hosts.start(region, effect.instanceId);
    case 'stopHost':
      context.epoch();
      emit('Normal', { reason: 'HostStopping', message: `stopping ${effect.instanceId}`, actor: operator });
      return ports.hosts.stop(region, effect.instanceId);
    case 'restartEnclave':
      context.epoch();
      emit('Warning', {
        reason: 'EnclaveRestarting',
        message: `restarting the enclave on ${effect.instanceId}`,
        actor: operator,
      });
      return ports.hosts.restartEnclave(region, effect.instanceId);
    case 'restartAllocator':
      context.epoch();
      emit('Warning', {
        reason: 'AllocatorRestarting',
        message: `restarting the allocator of ${effect.instanceId}`,
        actor: operator,
      });
      return ports.hosts.restartAllocator(region, effect.instanceId);
    case 'askHost':
      context.epoch();
      return askHost(id, region, effect.instanceId, context, emit);
    case 'forget': {
      context.epoch();
      const result = await ports.state.forget(id, lifecycle.revision);
      if (result === 'committed') context.onLifecycle(id, undefined);
      return;
    }
    case 'emitEvent':
      return emit(effect.severity, { reason: effect.reason, message: effect.message, actor: operator });
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
  { ports, secondLooks, reports }: ReconcileContext,
  emit: (type: OperatorEvent['type'], draft: EventDraft) => void,
): Promise<void> {
  // Before it is asked: what it reports meanwhile may be the answer.
  const reported = reports.seen(id) ?? '';
  const result = await ports.hosts.askToReport(region, instanceId);
  secondLooks.asked(id, result, reported);
  const message =
    result === 'asked'
      ? `asked ${instanceId} to report before it is restarted`
      : `SSM does not reach ${instanceId}, which is to be restarted`;
  emit('Normal', { reason: 'HostAsked', message, actor: 'operator' });
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
