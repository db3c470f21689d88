/** The lifecycle machine explored: no phase is a trap, every command is honoured, every effect can happen. */
import { describe, expect, it } from 'vitest';
import { fromTransition } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import type { Effect } from '../../src/machines/index.ts';
import {
  ALL_PHASES,
  cooperate,
  initialModel,
  MODEL_LIMITS,
  type ModelEvent,
  type ModelState,
  modelKey,
  stepModel,
} from '../support/model-world.ts';

const EVENTS: readonly ModelEvent[] = [
  { type: 'look' },
  { type: 'wait' },
  { type: 'command', status: 'PENDING_DEPLOY' },
  { type: 'command', status: 'PENDING_DESTROY' },
  { type: 'command', status: 'PAUSING' },
  { type: 'command', status: 'RESUMING' },
  { type: 'edit', valid: true },
  { type: 'edit', valid: false },
  { type: 'deleteRecord' },
  { type: 'retry' },
  { type: 'runStarts' },
  { type: 'runEnds', as: 'succeeded' },
  { type: 'runEnds', as: 'failed' },
  { type: 'runEnds', as: 'terminal' },
  { type: 'runEnds', as: 'cancelled' },
  { type: 'hostMoves' },
  { type: 'hostLost' },
  { type: 'hostStops' },
  { type: 'enclaveCrashes' },
  { type: 'reports' },
  { type: 'drifts' },
  { type: 'blind', blind: true },
  { type: 'slots', full: true },
];
const ORIGINS = [
  'PENDING_DEPLOY',
  'PENDING_DESTROY',
  'PAUSING',
  'RESUMING',
  'DEPLOYED',
  'DEPLOYING',
  'PAUSED',
  'FAILED',
  'DESTROYING',
  'DESTROYED',
];
/** States explored from each first status; enough that all phases and effects are met several times over. */
const LIMIT = 200;

const inPhase = (phase: string) => (state: ModelState) => state.lifecycle?.phase === phase;

/** Lets the same happen over and over while `goesOn` says so. */
function stepModels(
  from: ModelState,
  goesOn: (state: ModelState) => boolean,
  events: readonly ModelEvent[],
): ModelState {
  let state = from;
  for (let round = 0; round < 50 && goesOn(state); round += 1)
    for (const event of events) state = stepModel(state, event);
  return state;
}

/** Where the walk begins: every first status, and the places a long life rests in. */
function beginnings(): readonly ModelState[] {
  const ready = cooperate(initialModel('PENDING_DEPLOY'), inPhase('ready'));
  const paused = cooperate(stepModel(ready, { type: 'command', status: 'PAUSING' }), inPhase('paused'));
  const edited = stepModel(stepModel(ready, { type: 'edit', valid: true }), { type: 'look' });
  const stopped = stepModel(ready, { type: 'hostStops' });
  const crashed = stepModel(stepModel(ready, { type: 'enclaveCrashes' }), { type: 'reports' });
  // Dies again whenever it is restarted, until that is given up.
  const dying = stepModels(crashed, (state) => !stepModel(state, { type: 'look' }).effects.includes('askHost'), [
    { type: 'enclaveCrashes' },
    { type: 'reports' },
    { type: 'look' },
  ]);
  const changed = stepModel(ready, { type: 'drifts' });
  const gone = cooperate(stepModel(ready, { type: 'deleteRecord' }), inPhase('destroyed'));
  return [
    ...ORIGINS.map((status) => initialModel(status)),
    ready,
    paused,
    edited,
    stopped,
    crashed,
    dying,
    changed,
    gone,
  ];
}

/** All states the world can get into from there, breadth first, by xstate's own graph walk, up to a limit each. */
function explore(): readonly ModelState[] {
  const found = new Map<string, ModelState>();
  for (const beginning of beginnings()) {
    const logic = fromTransition((state: ModelState, event: ModelEvent) => stepModel(state, event), beginning);
    let expanded = 0;
    const map = getAdjacencyMap(logic, {
      events: [...EVENTS],
      serializeState: (snapshot) => modelKey(snapshot.context),
      stopWhen: () => expanded++ > LIMIT,
    });
    for (const { state } of Object.values(map)) found.set(modelKey(state.context), state.context);
  }
  return [...found.values()];
}

const states = explore();

/** At rest as desired, or where only a person can lead on, and says so. */
function atRest(state: ModelState): boolean {
  const { lifecycle } = state;
  if (lifecycle === undefined) return true;
  if (lifecycle.desired === 'Absent') return lifecycle.phase === 'destroyed';
  if (lifecycle.phase === 'stalled' || lifecycle.phase === 'invalid') return lifecycle.message !== '';
  if (lifecycle.desired === 'Paused') return lifecycle.phase === 'paused';
  return lifecycle.phase === 'ready';
}

function describeState(state: ModelState): string {
  return `${modelKey(state)} ${JSON.stringify(state.lifecycle)}`;
}

describe('the lifecycle machine, explored', () => {
  it('reaches every phase', () => {
    const phases = new Set(states.map((state) => state.lifecycle?.phase));
    expect(ALL_PHASES.filter((phase) => !phases.has(phase))).toEqual([]);
    expect(states.length).toBeGreaterThan(1_000);
  });

  it('derives every effect', () => {
    const wanted: Effect['type'][] = [
      'startRun',
      'cancelRun',
      'startHost',
      'stopHost',
      'restartEnclave',
      'askHost',
      'forget',
      'requeueAfter',
      'emitEvent',
    ];
    const seen = new Set(states.flatMap((state) => stepModel(state, { type: 'look' }).effects));
    expect(wanted.filter((effect) => !seen.has(effect))).toEqual([]);
  });

  it('has no trap: in a world that works, every state comes to rest', () => {
    for (const state of states) {
      const end = cooperate(state, atRest);
      expect(atRest(end), describeState(state)).toBe(true);
    }
  });

  it('looks again in time wherever it is: a deadline or a pause never waits for an event', () => {
    for (const state of states) {
      const looked = stepModel(state, { type: 'look' });
      expect(
        looked.lifecycle === undefined || looked.effects.includes('requeueAfter') || looked.effects.length === 0,
      ).toBe(true);
    }
  });

  it('honours PENDING_DESTROY from every state', () => {
    for (const state of states) {
      if (state.record === undefined) continue;
      const end = cooperate(
        stepModel(state, { type: 'command', status: 'PENDING_DESTROY' }),
        (next) => next.lifecycle?.phase === 'destroyed' && next.lifecycle.desired === 'Absent',
      );
      expect(end.lifecycle?.phase, describeState(state)).toBe('destroyed');
      expect(end.host, describeState(state)).toBeUndefined();
    }
  });

  it('honours PAUSING and PENDING_DEPLOY from every state that is not to vanish', () => {
    for (const state of states) {
      if (state.record === undefined || state.lifecycle === undefined || state.lifecycle.desired === 'Absent') continue;
      if (state.record.status === 'PENDING_DESTROY' || state.lifecycle.missingSince !== undefined) continue;
      // The first look reports a host that should exist and does not; a command after it leads on.
      if (state.lifecycle.phase === 'observing') continue;
      const paused = cooperate(
        stepModel(state, { type: 'command', status: 'PAUSING' }),
        (next) => next.lifecycle?.phase === 'paused',
      );
      expect(paused.lifecycle?.phase, describeState(state)).toBe('paused');
      const valid = stepModel(stepModel(state, { type: 'edit', valid: true }), {
        type: 'command',
        status: 'PENDING_DEPLOY',
      });
      const running = cooperate(valid, (next) => next.lifecycle?.phase === 'ready');
      expect(running.lifecycle?.phase, describeState(state)).toBe('ready');
    }
  });

  it('has a run only in phases that look after one', () => {
    const phases = new Set(
      states.flatMap((state) => (state.lifecycle?.run === undefined ? [] : [state.lifecycle.phase])),
    );
    expect([...phases].sort()).toEqual(['destroying', 'provisioning', 'repairing', 'updating']);
  });

  it('never repairs while it cannot see', () => {
    const repairs: readonly Effect['type'][] = ['startHost', 'stopHost', 'restartEnclave', 'restartAllocator'];
    for (const state of states) {
      const blind = stepModel({ ...state, blind: true }, { type: 'look' });
      expect(
        blind.effects.filter((effect) => repairs.includes(effect)),
        describeState(state),
      ).toEqual([]);
    }
  });

  it('never starts a run while another is not over', () => {
    for (const state of states) {
      const { lifecycle } = state;
      if (lifecycle?.run === undefined || state.run?.outcome !== undefined) continue;
      const looked = stepModel(state, { type: 'look' });
      expect(looked.lifecycle?.run?.name, describeState(state)).toBe(lifecycle.run.name);
    }
  });

  it('starts no deployment without a record, unless it repairs a host that exists', () => {
    let repairs = 0;
    for (const state of states) {
      const looked = stepModel({ ...state, record: undefined }, { type: 'look' });
      const { run } = looked.lifecycle ?? {};
      if (run?.action !== 'deploy' || run.name === state.lifecycle?.run?.name) continue;
      expect(looked.lifecycle?.phase, describeState(state)).toBe('repairing');
      expect(state.host, describeState(state)).toBeDefined();
      repairs += 1;
    }
    expect(repairs).toBeGreaterThan(0);
  });

  it('withdraws a deployment that no workflow has claimed once its record is gone', () => {
    const asked = stepModel(initialModel('PENDING_DEPLOY'), { type: 'look' });
    expect(asked.lifecycle?.run?.action).toBe('deploy');
    const withdrawn = stepModel(stepModel(asked, { type: 'deleteRecord' }), { type: 'look' });
    expect(withdrawn.effects).toContain('cancelRun');
    expect(withdrawn.effects).not.toContain('startRun');
    expect(cooperate(withdrawn, (state) => state.lifecycle === undefined).hosts).toBe(0);
  });

  it('forgets nothing but what is destroyed', () => {
    for (const state of states) {
      if (state.lifecycle === undefined) continue;
      const looked = stepModel(state, { type: 'look' });
      if (looked.lifecycle !== undefined) continue;
      expect(state.host, describeState(state)).toBeUndefined();
    }
    expect(MODEL_LIMITS.deletionGraceMs).toBeGreaterThan(0);
  });
});

describe('a repair run that has just ended', () => {
  it('is not repeated on an observation that is older than its end', () => {
    let state = cooperate(initialModel('PENDING_DEPLOY'), inPhase('ready'));
    for (const type of ['hostLost', 'look', 'look', 'runStarts'] as const) state = stepModel(state, { type });
    expect(state.lifecycle).toMatchObject({ phase: 'repairing', run: { reason: 'repair' } });
    // The run made a host; the sweep that is looked at does not show it yet.
    const ended = stepModel(state, { type: 'runEnds', as: 'succeeded' });
    const looked = stepModel(stepModel(ended, { type: 'hostLost' }), { type: 'look' });
    expect(looked.effects).not.toContain('startRun');
    expect(looked.lifecycle?.run).toBeUndefined();
    const seen = stepModel({ ...looked, host: ended.host }, { type: 'look' });
    expect(cooperate(seen, inPhase('ready')).lifecycle?.runSeq).toBe(2);
  });
});
