/** Steps: the words the lifecycle machine is written in: effects, updates and rungs. */
import { and, not, setup } from 'xstate';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Assessment } from './assessment.ts';
import { type Context, elapsed } from './context.ts';
import { isConfigurationDrift } from './drift.ts';
import type { Effect } from './effects.ts';
import { deletionHeld, guards, isTerminalClass, settling } from './guards.ts';
import { repairStep } from './repair-ladder.ts';
import { countRepair } from './repair-updates.ts';
import * as runs from './run-updates.ts';
import * as update from './updates.ts';

type Params<T extends Effect['type']> = Omit<Extract<Effect, { type: T }>, 'type'>;

/** Replaces a host of which no comparison says that it must be another. */
function replacesUnplanned(context: Context): boolean {
  return repairStep(context) === 'replace' && !isConfigurationDrift(context.lifecycle);
}

function hasNoRecord({ assessment: { record } }: Context): boolean {
  return record === 'gone' || record === 'other';
}

/** Within the grace, the operator repairs an enclave without a record but applies no change and creates no host. */
function deploysWithoutRecord(context: Context): boolean {
  const { lifecycle, assessment } = context;
  if (!hasNoRecord(context)) return false;
  const isSeen = assessment.host.state !== 'gone' && assessment.host.state !== 'unknown';
  return lifecycle.phase !== 'repairing' || !isSeen || repairStep(context) === 'replace';
}

function secondLookAgrees({ assessment: { secondLook } }: Context): boolean {
  return secondLook === 'unwell' || secondLook === 'unreachable';
}

export const machineSetup = setup({
  types: {
    context: {} as Context,
    input: {} as Context,
    events: {} as { type: 'ASSESSED'; assessment: Assessment } | { type: 'SETTLED' },
  },
  guards: {
    ...guards,
    runNone: ({ context }) => context.assessment.run.state === 'none',
    hostPresent: ({ context }) =>
      context.assessment.host.state !== 'gone' && context.assessment.host.state !== 'unknown',
    runIntended: ({ context }) => context.assessment.run.state === 'intended',
    deployWithdrawn: ({ context }) => context.assessment.run.state === 'intended' && hasNoRecord(context),
    runOverdue: ({ context }) => {
      const { run } = context.lifecycle;
      return (
        context.assessment.run.state === 'running' &&
        run !== undefined &&
        context.assessment.now >= Date.parse(run.deadlineAt) &&
        cancelDue(context)
      );
    },
    runUnwanted: ({ context }) =>
      context.lifecycle.run?.action === 'deploy' &&
      (context.assessment.run.state === 'intended' || context.assessment.run.state === 'running') &&
      cancelDue(context),
    canDeploy: ({ context }) =>
      context.assessment.run.state === 'none' &&
      context.assessment.slot &&
      guards.allowed({ context }) &&
      mayApply(context) &&
      context.assessment.variables !== undefined &&
      !deploysWithoutRecord(context) &&
      attemptReady(context),
    canDestroy: ({ context }) =>
      context.assessment.run.state === 'none' &&
      context.assessment.slot &&
      context.lifecycle.touched &&
      context.lifecycle.teardown === undefined &&
      context.assessment.dependents !== undefined &&
      deletionHeld(context) === undefined &&
      attemptReady(context),
    canAct: ({ context }) => context.assessment.run.state === 'none' && !settling(context) && attemptReady(context),
    runIsDestroy: ({ context }) => context.lifecycle.run?.action === 'destroy',
    recordGone: ({ context }) => context.assessment.record === 'gone' && context.lifecycle.retained !== true,
    rungIsStartHost: ({ context }) => repairStep(context) === 'startHost',
    rungIsRestartEnclave: ({ context }) => repairStep(context) === 'restartEnclave',
    rungIsRestartAllocator: ({ context }) => repairStep(context) === 'restartAllocator',
    rungIsRestartHost: ({ context }) => repairStep(context) === 'restartHost',
    rungIsAskedFirst: ({ context }) => repairStep(context) === 'restartHost' || replacesUnplanned(context),
    unasked: ({ context }) => context.assessment.secondLook === undefined,
    secondLookAgrees: ({ context }) => secondLookAgrees(context),
    rungIsRun: ({ context }) =>
      repairStep(context) === 'apply' ||
      (repairStep(context) === 'replace' && (!replacesUnplanned(context) || secondLookAgrees(context))),
  },
  actions: {
    startRun: (_, _params: Params<'startRun'>) => {},
    cancelRun: (_, _params: Params<'cancelRun'>) => {},
    startHost: (_, _params: Params<'startHost'>) => {},
    stopHost: (_, _params: Params<'stopHost'>) => {},
    restartEnclave: (_, _params: Params<'restartEnclave'>) => {},
    restartAllocator: (_, _params: Params<'restartAllocator'>) => {},
    askHost: (_, _params: Params<'askHost'>) => {},
    forget: (_, _params: Params<'forget'>) => {},
  },
});

/** What was approved of a change says nothing of the repair of what was applied before. */
function mayApply({ lifecycle, assessment: { approval } }: Context): boolean {
  if (approval === 'given' && lifecycle.phase === 'repairing')
    return lifecycle.generation === lifecycle.observedGeneration;
  return approval !== 'awaited';
}

function attemptReady({ lifecycle, assessment }: Context): boolean {
  return lifecycle.nextAttemptAt === undefined || Date.parse(lifecycle.nextAttemptAt) <= assessment.now;
}

/** Cancellation is asked for once, and once more where nothing came of it within ECS' stop timeout. */
function cancelDue({ lifecycle, assessment }: Context): boolean {
  return elapsed(lifecycle.run?.cancelledAt, assessment.now) >= assessment.limits.taskStopMs;
}

/**
 * Changes what is remembered. Where that begins or ends a run, the rest of the same assessment sees it: no rung may
 * still hold for want of a run that has just been begun, nor because of one that has just ended.
 */
export const remember = (next: (context: Context) => Lifecycle) =>
  machineSetup.assign(({ context }) => {
    const lifecycle = next(context);
    const { assessment } = context;
    if (lifecycle.run === undefined && assessment.run.state === 'finished') {
      return { lifecycle, assessment: { ...assessment, run: { state: 'none' } } };
    }
    if (lifecycle.run !== undefined && assessment.run.state === 'none') {
      return { lifecycle, assessment: { ...assessment, run: { state: 'intended' } } };
    }
    return { lifecycle };
  });

interface Scope {
  readonly context: Context;
}
const runOf = ({ context }: Scope) => ({
  name: context.lifecycle.run?.name ?? '',
  action: context.lifecycle.run?.action ?? ('deploy' as const),
});
export const startRun = { type: 'startRun' as const, params: runOf };
const cancelRun = {
  type: 'cancelRun' as const,
  params: (scope: Scope) => ({
    ...runOf(scope),
    taskArn: scope.context.assessment.run.state === 'running' ? scope.context.assessment.run.taskArn : undefined,
  }),
};
const onHost = <T extends runs.DirectEffect | 'askHost'>(type: T) => ({
  type,
  params: ({ context }: Scope) => ({ instanceId: context.assessment.host.instanceId ?? '' }),
});
export const askHost = onHost('askHost');
export const forget = { type: 'forget' as const, params: {} };

export const begin = (action: 'deploy' | 'destroy') => [
  remember((context) => runs.beginRun(context, action)),
  startRun,
];
export const direct = (effect: runs.DirectEffect) => [
  remember((context) => runs.beginDirect(context, effect)),
  onHost(effect),
];
export const repair = (effect: runs.DirectEffect) => [remember(countRepair), ...direct(effect)];
export const cancel = [remember(runs.cancelRun), cancelRun];
export const stalled = (terminal: boolean) => ({
  target: 'stalled' as const,
  actions: remember((context) => update.stall(context, terminal)),
});

/** A deletion outranks everything else, from every phase. */
export const absentFirst = {
  guard: 'absentWanted' as const,
  target: 'destroying' as const,
  actions: remember(update.beginDestroying),
};
/** A run under way is looked after in every phase that may have one. */
export const keepRun = [
  { guard: 'runIntended' as const, actions: startRun },
  { guard: 'runOverdue' as const, actions: cancel },
];
export const pauseOnceIdle = {
  guard: and(['runNone', 'pauseWanted']),
  target: 'pausing' as const,
  actions: remember(update.unserve),
};
export const startAgain = {
  guard: 'askedAgain' as const,
  target: 'pending' as const,
  actions: remember(update.startOver),
};

/** What serves is left, for its new generation, only when that may begin: until then its drift is repaired here. */
export const changeOnceAdmitted = {
  guard: and(['newGenerationReady', 'admitted']),
  target: 'pending' as const,
  actions: remember(update.resumeAttempts),
};

/** Provisioning and updating differ in what the record shows meanwhile, in nothing else. */
export const applying = () =>
  machineSetup.createStateConfig({
    always: [
      absentFirst,
      {
        guard: 'runSucceeded',
        target: 'verifying',
        actions: [remember(runs.endRun), remember(update.beginVerifying)],
      },
      { guard: 'runOutdated', target: 'pending', actions: remember(runs.endRun) },
      {
        guard: 'runFailedForGood',
        target: 'stalled',
        actions: remember((context) =>
          update.stall({ ...context, lifecycle: update.failRun(context) }, failedTerminally(context)),
        ),
      },
      { guard: 'runEnded', target: 'backingOff', actions: remember((context) => update.failRun(context)) },
      pauseOnceIdle,
      { guard: and(['runNone', not('specValid')]), target: 'pending' },
    ],
    on: {
      // Withdraw an unclaimed deployment; a claimed run ends by itself.
      SETTLED: [
        { guard: 'deployWithdrawn', actions: cancel },
        ...keepRun,
        { guard: 'canDeploy', actions: begin('deploy') },
      ],
    },
  });

function failedTerminally({ assessment }: Context): boolean {
  return assessment.run.state === 'finished' && isTerminalClass(assessment.run.outcome.class ?? 'unknown');
}
