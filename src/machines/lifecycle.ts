/**
 * The lifecycle machine: phases, what leads from one to the next, and what each wants done.
 *
 * One event, ASSESSED, carries everything that is known. The phase then follows its ladder (`always`, first rung that
 * holds) until it rests; the phase it rests in says, on SETTLED, what it wants done. Effects are derived anew from
 * phase and assessment every time until they are observed done, never from having entered a phase: so a crash between
 * deciding and acting is repaired by the next assessment.
 */
import { and, not, raise } from 'xstate';
import * as repairs from './repair-updates.ts';
import * as runs from './run-updates.ts';
import {
  absentFirst,
  applying,
  askHost,
  begin,
  cancel,
  changeOnceAdmitted,
  direct,
  forget,
  keepRun,
  machineSetup,
  pauseOnceIdle,
  remember,
  repair,
  startAgain,
  startRun,
} from './setup.ts';
import * as update from './updates.ts';

export const lifecycleMachine = machineSetup.createMachine({
  id: 'enclave',
  context: ({ input }) => input,
  initial: 'unassessed',
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
    /** Each step starts from a stored phase. A machine also needs a state in which nothing has been assessed yet. */
    unassessed: {},

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
        { guard: and(['hostPresent', 'wasPaused']), target: 'paused', actions: remember(update.adopt) },
        { guard: and(['hostPresent', 'pauseWanted']), target: 'pausing', actions: remember(update.adopt) },
        { guard: and(['hostPresent', 'resumeAsked']), target: 'resuming', actions: remember(update.adopt) },
        { guard: and(['hostPresent', 'wasServing']), target: 'ready', actions: remember(update.adopt) },
        { guard: 'hostPresent', target: 'verifying', actions: remember(update.adopt) },
      ],
    },

    /** Admission: a valid spec, a free slot, nothing that holds it back. Without a record it waits here for the grace. */
    pending: {
      always: [
        absentFirst,
        { guard: 'pauseWanted', target: 'pausing', actions: remember(update.unserve) },
        { guard: and([not('specValid'), 'upToDateAndProven']), target: 'ready' },
        { guard: 'specInvalid', target: 'invalid' },
        { guard: 'servesUnapproved', target: 'ready' },
        { guard: 'admittedUpdate', target: 'updating' },
        { guard: 'admitted', target: 'provisioning' },
      ],
    },

    invalid: {
      always: [
        absentFirst,
        { guard: 'pauseAsked', target: 'pausing', actions: remember(update.unserve) },
        { guard: 'specValid', target: 'pending' },
        { guard: and(['serving', 'driftConfirmed', 'mayRepair']), target: 'repairing' },
      ],
    },

    provisioning: applying(),
    updating: applying(),

    /** The host exists; the enclave on it is believed when a report newer than its last start says so. */
    verifying: {
      always: [
        absentFirst,
        pauseOnceIdle,
        changeOnceAdmitted,
        { guard: 'provenOrLame', target: 'ready', actions: remember(update.settle) },
        {
          guard: 'refusedForGood',
          target: 'stalled',
          actions: remember((context) => update.stall({ ...context, lifecycle: update.refusedByHost(context) }, true)),
        },
        { guard: and(['verifyingTooLong', 'onlyRepairHelps', 'mayRepair']), target: 'repairing' },
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
      on: {
        SETTLED: [
          { guard: and(['hostStopped', 'canAct']), actions: direct('startHost') },
          { guard: and(['refusedBefore', 'hostRunning', 'allowed', 'canAct']), actions: direct('restartEnclave') },
        ],
      },
    },

    ready: {
      always: [
        absentFirst,
        pauseOnceIdle,
        changeOnceAdmitted,
        {
          guard: and(['driftConfirmed', 'mayRepair', 'attemptDue']),
          target: 'repairing',
          actions: remember(repairs.climbAgain),
        },
        { guard: and(['adoptionWanted', 'allowed']), target: 'updating', actions: remember(update.beginAdopting) },
      ],
      on: { SETTLED: [{ guard: and(['rests', 'hostRunning', 'allowed', 'canAct']), actions: direct('stopHost') }] },
    },

    /** The cheapest rung that may cure it, one at a time, until the drift is gone or no rung is left. */
    repairing: {
      always: [
        absentFirst,
        { guard: 'runSucceeded', actions: remember(repairs.endRepair) },
        { guard: 'runEnded', actions: remember(repairs.failRepair) },
        pauseOnceIdle,
        changeOnceAdmitted,
        { guard: 'healed', target: 'ready', actions: remember(update.settle) },
        { guard: 'mended', target: 'ready', actions: remember(repairs.mended) },
        { guard: 'repairWithdrawn', target: 'ready', actions: remember(repairs.withdraw) },
        { guard: 'repairInVain', target: 'ready', actions: remember(repairs.giveUp) },
        { guard: 'ladderExhausted', target: 'stalled', actions: remember(repairs.exhaust) },
        {
          guard: 'repairSilent',
          target: 'stalled',
          actions: remember(repairs.repairFailed),
        },
      ],
      on: {
        SETTLED: [
          ...keepRun,
          // The second half of a restart of the host: no attempt of its own.
          { guard: and(['hostStopped', 'stoppedByUs', 'allowed', 'canAct']), actions: direct('startHost') },
          { guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'rungIsStartHost']), actions: repair('startHost') },
          {
            guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'rungIsRestartEnclave']),
            actions: repair('restartEnclave'),
          },
          {
            guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'rungIsRestartAllocator']),
            actions: repair('restartAllocator'),
          },
          {
            guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'rungIsRestartHost', 'secondLookAgrees']),
            actions: repair('stopHost'),
          },
          // What restarts everything on it is done only where two ways to the host say that it must be.
          { guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'rungIsAskedFirst', 'unasked']), actions: askHost },
          {
            guard: and(['driftConfirmed', 'mayRepair', 'canAct', 'canDeploy', 'rungIsRun']),
            actions: [remember(repairs.beginRepairRun), startRun],
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
        { guard: 'adoptionAsked', actions: remember(update.beginAdopting) },
        { guard: 'runningWanted', target: 'resuming', actions: remember(update.startOver) },
        { guard: 'hostRunningConfirmed', target: 'pausing' },
      ],
    },

    resuming: {
      always: [
        absentFirst,
        { guard: 'pauseWanted', target: 'pausing' },
        { guard: 'hostLost', target: 'pending' },
        { guard: 'hostRunning', target: 'verifying', actions: remember(update.beginVerifying) },
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
        { guard: 'runEnded', actions: remember(runs.endRun) },
        { guard: and(['runNone', 'retainWanted']), target: 'destroyed', actions: remember(update.retain) },
        { guard: 'provenEmpty', target: 'destroyed', actions: remember(update.destroyed) },
        { guard: 'stillFound', actions: remember(update.destroyAgain) },
      ],
      on: {
        SETTLED: [
          { guard: 'runUnwanted', actions: cancel },
          { guard: and(['runIntended', 'runIsDestroy']), actions: startRun },
          { guard: 'runOverdue', actions: cancel },
          { guard: 'canDestroy', actions: begin('destroy') },
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
