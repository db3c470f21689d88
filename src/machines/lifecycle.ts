/**
 * The lifecycle machine: phases, what leads from one to the next, and what each wants done.
 *
 * One event, ASSESSED, carries everything that is known. The phase then follows its ladder (`always`, first rung that
 * holds) until it rests; the phase it rests in says, on SETTLED, what it wants done. Effects are derived anew from
 * phase and assessment every time until they are observed done, never from having entered a phase: so a crash between
 * deciding and acting is repaired by the next assessment.
 */
import { and, not, raise, setup } from 'xstate';
import type { Lifecycle } from '../enclave/items.ts';
import type { Assessment } from './assessment.ts';
import type { Effect } from './effects.ts';
import { type Context, elapsed, guards, isTerminalClass, repairRung, settling } from './guards.ts';
import * as update from './updates.ts';

type Params<T extends Effect['type']> = Omit<Extract<Effect, { type: T }>, 'type'>;

const machineSetup = setup({
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
      context.assessment.variables !== undefined &&
      attemptReady(context),
    canDestroy: ({ context }) =>
      context.assessment.run.state === 'none' &&
      context.assessment.slot &&
      context.lifecycle.touched &&
      context.lifecycle.teardown === undefined &&
      attemptReady(context),
    canAct: ({ context }) => context.assessment.run.state === 'none' && !settling(context) && attemptReady(context),
    runIsDestroy: ({ context }) => context.lifecycle.run?.action === 'destroy',
    recordGone: ({ context }) => context.assessment.record === 'gone' && context.lifecycle.retained !== true,
    rungIsStartHost: ({ context }) => repairRung(context) === 'startHost',
    rungIsRestartEnclave: ({ context }) => repairRung(context) === 'restartEnclave',
    rungIsRestartHost: ({ context }) => repairRung(context) === 'restartHost',
    rungIsApply: ({ context }) => repairRung(context) === 'apply',
  },
  actions: {
    startRun: (_, _params: Params<'startRun'>) => {},
    cancelRun: (_, _params: Params<'cancelRun'>) => {},
    startHost: (_, _params: Params<'startHost'>) => {},
    stopHost: (_, _params: Params<'stopHost'>) => {},
    restartEnclave: (_, _params: Params<'restartEnclave'>) => {},
    forget: (_, _params: Params<'forget'>) => {},
  },
});

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
const remember = (next: (context: Context) => Lifecycle) =>
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
const startRun = { type: 'startRun' as const, params: runOf };
const cancelRun = {
  type: 'cancelRun' as const,
  params: (scope: Scope) => ({
    ...runOf(scope),
    taskArn: scope.context.assessment.run.state === 'running' ? scope.context.assessment.run.taskArn : undefined,
  }),
};
const onHost = <T extends 'startHost' | 'stopHost' | 'restartEnclave'>(type: T) => ({
  type,
  params: ({ context }: Scope) => ({ instanceId: context.assessment.host.instanceId ?? '' }),
});
const forget = { type: 'forget' as const, params: {} };

const begin = (action: 'deploy' | 'destroy', reason: string) => [
  remember((context) => update.beginRun(context, action, reason)),
  startRun,
];
const direct = (effect: 'startHost' | 'stopHost' | 'restartEnclave') => [
  remember((context) => update.beginDirect(context, effect)),
  onHost(effect),
];
const repair = (effect: 'startHost' | 'stopHost' | 'restartEnclave') => [
  remember(update.countRepair),
  ...direct(effect),
];
const cancel = [remember(update.cancelRun), cancelRun];
const stalled = (terminal: boolean) => ({
  target: 'stalled' as const,
  actions: remember((context) => update.stall(context, terminal)),
});

/** A deletion outranks everything else, from every phase. */
const absentFirst = {
  guard: 'absentWanted' as const,
  target: 'destroying' as const,
  actions: remember(update.beginDestroying),
};
/** A run under way is looked after in every phase that may have one. */
const keepRun = [
  { guard: 'runIntended' as const, actions: startRun },
  { guard: 'runOverdue' as const, actions: cancel },
];
const pauseOnceIdle = {
  guard: and(['runNone', 'pauseWanted']),
  target: 'pausing' as const,
  actions: remember(update.unserve),
};
const startAgain = {
  guard: 'askedAgain' as const,
  target: 'pending' as const,
  actions: remember(update.startOver),
};

/** Provisioning and updating differ in what the record shows meanwhile, in nothing else. */
const applying = (reason: 'create' | 'update') =>
  machineSetup.createStateConfig({
    always: [
      absentFirst,
      { guard: 'runSucceeded', target: 'verifying', actions: remember(update.endRun) },
      { guard: 'runOutdated', target: 'pending', actions: remember(update.endRun) },
      {
        guard: 'runFailedForGood',
        target: 'stalled',
        actions: remember((context) =>
          update.stall({ ...context, lifecycle: update.failRun(context) }, failedTerminally(context)),
        ),
      },
      { guard: 'runEnded', target: 'backingOff', actions: remember((context) => update.failRun(context)) },
      pauseOnceIdle,
      { guard: and(['runNone', 'specInvalid']), target: 'pending' },
    ],
    on: { SETTLED: [...keepRun, { guard: 'canDeploy', actions: begin('deploy', reason) }] },
  });

function failedTerminally({ assessment }: Context): boolean {
  return assessment.run.state === 'finished' && isTerminalClass(assessment.run.outcome.class ?? 'unknown');
}

export const lifecycleMachine = machineSetup.createMachine({
  id: 'enclave',
  context: ({ input }) => input,
  initial: 'observing',
  on: {
    ASSESSED: {
      actions: [
        machineSetup.assign(({ context, event }) => ({
          assessment: event.type === 'ASSESSED' ? event.assessment : context.assessment,
        })),
        raise({ type: 'SETTLED' }),
      ],
    },
  },
  states: {
    /** First look: what the record says exists is taken over as it is; only PENDING_DEPLOY creates. */
    observing: {
      always: [
        { guard: 'wasDestroyed', target: 'destroyed' },
        absentFirst,
        {
          guard: 'commandIsStale',
          target: 'stalled',
          actions: remember((context) =>
            update.stall(
              {
                ...context,
                lifecycle: update.fail(
                  context,
                  'cancelled',
                  'the command is older than the installation of the operator; write PENDING_DEPLOY again to confirm it',
                  'stale',
                ),
              },
              true,
            ),
          ),
        },
        { guard: and(['deployAsked', 'hostPresent']), target: 'pending', actions: remember(update.pinHost) },
        { guard: and(['deployAsked', not('hostUnknown')]), target: 'pending' },
        {
          guard: 'hostLost',
          target: 'stalled',
          actions: remember((context) =>
            update.stall(
              {
                ...context,
                lifecycle: update.fail(
                  context,
                  'state',
                  'the record says that the enclave exists, and no host was found; write PENDING_DEPLOY to create it anew',
                  'notFound',
                ),
              },
              true,
            ),
          ),
        },
        {
          guard: and(['hostPresent', 'failedBefore']),
          target: 'stalled',
          actions: remember((context) => update.stall({ ...context, lifecycle: update.adopt(context) }, true)),
        },
        { guard: and(['hostPresent', 'pauseWanted']), target: 'pausing', actions: remember(update.adopt) },
        { guard: and(['hostPresent', 'resumeAsked']), target: 'resuming', actions: remember(update.adopt) },
        { guard: and(['hostPresent', 'wasServing']), target: 'ready', actions: remember(update.adopt) },
        { guard: 'hostPresent', target: 'verifying', actions: remember(update.adopt) },
      ],
    },

    /** Admission: a valid spec, a free slot, nothing that holds it back. */
    pending: {
      always: [
        absentFirst,
        { guard: 'pauseWanted', target: 'pausing', actions: remember(update.unserve) },
        { guard: and(['specInvalid', 'upToDateAndProven']), target: 'ready' },
        { guard: 'specInvalid', target: 'invalid' },
        { guard: 'admittedUpdate', target: 'updating' },
        { guard: 'admitted', target: 'provisioning' },
      ],
    },

    invalid: {
      always: [absentFirst, { guard: 'pauseAsked', target: 'pausing' }, { guard: 'specValid', target: 'pending' }],
    },

    provisioning: applying('create'),
    updating: applying('update'),

    /** The host exists; the enclave on it is believed when a report newer than its last start says so. */
    verifying: {
      always: [
        absentFirst,
        pauseOnceIdle,
        { guard: 'newGenerationReady', target: 'pending' },
        { guard: 'proven', target: 'ready', actions: remember(update.settle) },
        {
          guard: 'verifyFailedForGood',
          target: 'stalled',
          actions: remember((context) =>
            update.stall({ ...context, lifecycle: update.failVerification(context) }, false),
          ),
        },
        { guard: 'hostLost', target: 'backingOff', actions: remember(update.failVerification) },
        { guard: 'verifyingTooLong', target: 'backingOff', actions: remember(update.failVerification) },
      ],
      on: { SETTLED: [{ guard: and(['hostStopped', 'canAct']), actions: direct('startHost') }] },
    },

    ready: {
      always: [
        absentFirst,
        pauseOnceIdle,
        { guard: 'newGenerationReady', target: 'pending' },
        { guard: and(['driftConfirmed', 'allowed']), target: 'repairing' },
      ],
    },

    /** The cheapest rung that may cure it, one at a time, until the drift is gone or no rung is left. */
    repairing: {
      always: [
        absentFirst,
        { guard: 'runSucceeded', actions: remember(update.endRun) },
        { guard: 'runEnded', actions: remember(update.failRepair) },
        pauseOnceIdle,
        { guard: 'newGenerationReady', target: 'pending' },
        { guard: and(['runNone', 'proven']), target: 'ready', actions: remember(update.settle) },
        { guard: 'ladderExhausted', ...stalled(false) },
        {
          guard: 'repairSilent',
          target: 'stalled',
          actions: remember((context) =>
            update.stall({ ...context, lifecycle: update.failVerification(context) }, false),
          ),
        },
      ],
      on: {
        SETTLED: [
          ...keepRun,
          { guard: and(['driftConfirmed', 'canAct', 'rungIsStartHost']), actions: repair('startHost') },
          { guard: and(['driftConfirmed', 'canAct', 'rungIsRestartEnclave']), actions: repair('restartEnclave') },
          { guard: and(['driftConfirmed', 'canAct', 'rungIsRestartHost']), actions: repair('stopHost') },
          {
            guard: and(['driftConfirmed', 'canAct', 'canDeploy', 'rungIsApply']),
            actions: [remember(update.countRepair), ...begin('deploy', 'repair')],
          },
        ],
      },
    },

    pausing: {
      always: [
        absentFirst,
        { guard: and(['runNone', 'runningWanted']), target: 'resuming', actions: remember(update.startOver) },
        { guard: 'hostStoppedOrGone', target: 'paused', actions: remember(update.atRest) },
      ],
      on: { SETTLED: [{ guard: and(['hostRunning', 'canAct']), actions: direct('stopHost') }] },
    },

    paused: {
      always: [
        absentFirst,
        { guard: 'runningWanted', target: 'resuming', actions: remember(update.startOver) },
        { guard: 'hostRunningConfirmed', target: 'pausing' },
      ],
    },

    resuming: {
      always: [
        absentFirst,
        { guard: 'pauseWanted', target: 'pausing' },
        { guard: 'hostLost', target: 'pending' },
        { guard: 'hostRunning', target: 'verifying' },
      ],
      on: { SETTLED: [{ guard: and(['hostStopped', 'canAct']), actions: direct('startHost') }] },
    },

    backingOff: {
      always: [
        absentFirst,
        pauseOnceIdle,
        startAgain,
        { guard: 'recovered', target: 'ready', actions: remember(update.settle) },
        { guard: 'attemptDue', target: 'pending', actions: remember(update.resumeAttempts) },
      ],
    },

    /** Rests until something new is asked for; a transient cause is tried again each hour. */
    stalled: {
      always: [
        absentFirst,
        { guard: 'pauseAsked', target: 'pausing', actions: remember(update.unserve) },
        startAgain,
        { guard: 'recovered', target: 'ready', actions: remember(update.settle) },
        { guard: 'retryDue', target: 'pending', actions: remember(update.resumeAttempts) },
      ],
    },

    /** Never stalls: retries with backoff until nothing is left, seen twice. */
    destroying: {
      always: [
        { guard: 'destroyRunSucceeded', actions: remember(update.destroyDone) },
        { guard: 'destroyRunEnded', actions: remember(update.destroyFailed) },
        { guard: 'runEnded', actions: remember(update.endRun) },
        { guard: and(['runNone', 'retainWanted']), target: 'destroyed', actions: remember(update.retain) },
        { guard: 'provenEmpty', target: 'destroyed', actions: remember(update.destroyed) },
        { guard: 'stillFound', actions: remember(update.destroyAgain) },
      ],
      on: {
        SETTLED: [
          { guard: 'runUnwanted', actions: cancel },
          { guard: and(['runIntended', 'runIsDestroy']), actions: startRun },
          { guard: 'runOverdue', actions: cancel },
          { guard: 'canDestroy', actions: begin('destroy', 'destroy') },
        ],
      },
    },

    destroyed: {
      always: [
        { guard: 'runningWanted', target: 'pending', actions: remember(update.revive) },
        { guard: 'releasedFromRetention', target: 'destroying', actions: remember(update.beginDestroying) },
      ],
      on: { SETTLED: [{ guard: 'recordGone', actions: forget }] },
    },
  },
});
