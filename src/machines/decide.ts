/** Decide: one pure step from lifecycle and assessment to the next lifecycle and its effects. */
import { transition } from 'xstate';
import { conditionOf } from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import { equalJson } from '../enclave/json.ts';
import { omit } from '../enclave/omit.ts';
import type { Assessment } from './assessment.ts';
import { type Context, elapsed } from './context.ts';
import { confirmedDown } from './drift.ts';
import type { Effect } from './effects.ts';
import { lifecycleMachine } from './lifecycle.ts';
import { nextLookMs } from './requeue-after.ts';
import { project } from './status.ts';
import { isLater, trackDrift, trackSecurityFindings, withoutFindings } from './track-drift.ts';
import { trackFindings } from './track-findings.ts';
import { resetAttempts } from './updates.ts';

export interface Decision {
  readonly lifecycle: Lifecycle;
  readonly effects: readonly Effect[];
  /** True where the lifecycle differs from the one decided upon: it must be committed. */
  readonly changed: boolean;
}

/**
 * Runs the machine once.
 *
 * *Guarantees*: pure; equal arguments give equal results. The effects hold for the returned lifecycle only after it is
 * committed. *Assumes* that `lifecycle` has the intent folded in (`resolveIntent`) and `before` is what was read.
 */
export function decide(before: Lifecycle | undefined, lifecycle: Lifecycle, assessment: Assessment): Decision {
  const noted = noteObservation({ lifecycle, assessment });
  const snapshot = lifecycleMachine.resolveState({ value: noted.phase, context: { lifecycle: noted, assessment } });
  const [next, actions] = transition(lifecycleMachine, snapshot, { type: 'ASSESSED', assessment });
  if (next.value === 'unassessed') throw new Error('the lifecycle machine never enters its initial state');
  const now = new Date(assessment.now).toISOString();
  const moved = next.value !== noted.phase;
  const phased: Lifecycle = {
    ...next.context.lifecycle,
    phase: next.value,
    phaseSince: moved ? now : noted.phaseSince,
  };
  const context: Context = { lifecycle: phased, assessment: next.context.assessment };
  const projected = project(context);
  const effects: Effect[] = actions.flatMap((action) => (isEffect(action) ? [toEffect(action)] : []));
  if (moved || before === undefined) {
    // Told before anything is done: an effect that fails must not swallow it.
    effects.unshift({
      type: 'emitEvent',
      event: {
        type:
          phased.phase === 'stalled' || phased.phase === 'invalid' || phased.phase === 'backingOff'
            ? 'Warning'
            : 'Normal',
        reason: 'PhaseChanged',
        message: `${before === undefined ? 'new' : noted.phase} → ${phased.phase}: ${projected.message}`,
      },
    });
  }
  effects.unshift(...securityFindings(before, projected));
  effects.push({ type: 'requeueAfter', delayMs: nextLookMs({ ...context, lifecycle: projected }) });
  return {
    lifecycle: projected,
    effects,
    changed: before === undefined || !equalJson(before, projected),
  };
}

/** What weakens an enclave is told when it begins, even where it is repaired at once. */
function securityFindings(before: Lifecycle | undefined, after: Lifecycle): readonly Effect[] {
  const told = (message: string): Effect => ({
    type: 'emitEvent',
    event: { type: 'Warning', reason: 'SecurityFinding', message },
  });
  const begun = (after.weakened ?? []).filter((attribute) => before?.weakened?.includes(attribute) !== true);
  const secure = conditionOf(after.conditions, 'Secure');
  const known = conditionOf(before?.conditions ?? [], 'Secure');
  const same = known?.status === 'False' && known.reason === secure?.reason;
  const isExpected = secure?.reason === 'DebugRequested';
  if (secure?.status !== 'False' || secure.reason === 'Drifted' || isExpected || same) return begun.map(told);
  return [...begun, secure.reason].map(told);
}

const EFFECTS: ReadonlySet<string> = new Set([
  'startRun',
  'cancelRun',
  'startHost',
  'stopHost',
  'restartEnclave',
  'restartAllocator',
  'askHost',
  'forget',
]);

function isEffect(action: { readonly type: string; readonly params?: unknown }): boolean {
  return EFFECTS.has(action.type);
}

function toEffect(action: { readonly type: string; readonly params?: unknown }): Effect {
  return { type: action.type, ...(action.params as object) } as Effect;
}

/** Counts observations of one drift, and of emptiness; forgets a drift that healed, and attempts of long ago. */
function noteObservation(context: Context): Lifecycle {
  const { assessment } = context;
  const { host, enclave, limits, now } = assessment;
  const known = assessment.uncompared === true ? withoutFindings(context.lifecycle) : context.lifecycle;
  const noted = trackFindings({ lifecycle: trackSecurityFindings({ lifecycle: known, assessment }), assessment });
  let lifecycle = trackDrift({ lifecycle: noted, assessment });
  if (assessment.retry && lifecycle.healed !== undefined) {
    lifecycle = omit(lifecycle, 'healed');
  }
  if (assessment.retry && lifecycle.nextAttemptAt !== undefined) {
    lifecycle = omit(lifecycle, 'nextAttemptAt');
  }
  // A host that is found belongs to this enclave: no second one may be created beside it.
  if (host.instanceId !== undefined && lifecycle.pinned.instanceId === undefined && lifecycle.desired !== 'Absent') {
    lifecycle = { ...lifecycle, pinned: { ...lifecycle.pinned, instanceId: host.instanceId } };
  }
  lifecycle = pinImage(lifecycle, enclave);
  if (lifecycle.phase === 'ready' && enclave.verdict === 'Match' && enclave.reason === 'Completed') {
    lifecycle = noteCompletion(lifecycle, now);
  }
  // Whoever made it: a host with our tag is ours to take down.
  if (host.instanceId !== undefined && !lifecycle.touched) lifecycle = { ...lifecycle, touched: true };
  // Where nothing repairs it, what is seen to be dead does not serve.
  if (lifecycle.serving && lifecycle.phase === 'stalled' && confirmedDown({ lifecycle, assessment })) {
    lifecycle = { ...lifecycle, serving: false };
  }
  if (lifecycle.teardown !== undefined) lifecycle = noteEmptiness(lifecycle, lifecycle.teardown, context);
  const restsLong = lifecycle.phase === 'ready' && elapsed(lifecycle.phaseSince, now) >= limits.healthyResetMs;
  const wasTried = lifecycle.attempts.count > 0 || lifecycle.tried !== undefined;
  if (restsLong && lifecycle.drift === undefined && wasTried) lifecycle = resetAttempts(lifecycle);
  return lifecycle;
}

/** Remembered, because a host that is stopped reports nothing any more. */
function noteCompletion(lifecycle: Lifecycle, now: number): Lifecycle {
  const { completed, observedGeneration: generation } = lifecycle;
  if (completed?.generation === generation) return lifecycle;
  return { ...lifecycle, completed: { generation, at: new Date(now).toISOString() } };
}

/** A tag is resolved once: another host of this enclave runs the image that this one runs. */
function pinImage(lifecycle: Lifecycle, { verdict, imageDigest }: Assessment['enclave']): Lifecycle {
  const image = lifecycle.applied?.dockerImage;
  if (verdict !== 'Match' || imageDigest === undefined || typeof image !== 'string') return lifecycle;
  if (lifecycle.pinned.imageReference === image) return lifecycle;
  return { ...lifecycle, pinned: { ...lifecycle.pinned, imageReference: image, imageDigest } };
}

function noteEmptiness(
  lifecycle: Lifecycle,
  teardown: NonNullable<Lifecycle['teardown']>,
  { assessment: { host, now } }: Context,
): Lifecycle {
  const later = isLater(host.observedAt, teardown.observedAt, 0, now);
  if (host.state === 'gone' && teardown.emptySeen < 2 && later) {
    return { ...lifecycle, teardown: { ...teardown, emptySeen: teardown.emptySeen + 1, observedAt: host.observedAt } };
  }
  const refuted = host.state !== 'gone' && host.state !== 'unknown' && teardown.emptySeen > 0;
  return refuted ? { ...lifecycle, teardown: { ...teardown, emptySeen: 0 } } : lifecycle;
}
