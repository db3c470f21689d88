/** A small world around the lifecycle machine: what one enclave's surroundings may do, one event at a time. */
import type { Finding } from '../../src/drift/index.ts';
import { type Lifecycle, PHASES } from '../../src/enclave/items/lifecycle.ts';
import type { Outcome, RunVariables } from '../../src/enclave/items/run.ts';
import { type EnclaveRecord, readRecord } from '../../src/enclave/record.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/spec.ts';
import { type Assessment, decide, type Effect, type Limits, resolveIntent } from '../../src/machines/index.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { viewHost } from '../../src/reconciler/observers/host-view.ts';
import { viewEnclave } from '../../src/reconciler/observers/report-view.ts';

const START = Date.parse('2030-01-01T00:00:00.000Z');
const HOUR = 3_600_000;
export const MODEL_LIMITS: Limits = ConfigSchema.parse({ attemptsPerGeneration: 2, repairAttempts: 2 });

/** What may happen between two looks. */
export type ModelEvent =
  | { readonly type: 'look' }
  | { readonly type: 'wait' }
  | { readonly type: 'command'; readonly status: string }
  | { readonly type: 'edit'; readonly valid: boolean }
  | { readonly type: 'deleteRecord' }
  | { readonly type: 'retry' }
  | { readonly type: 'runStarts' }
  | { readonly type: 'runEnds'; readonly as: 'succeeded' | 'failed' | 'terminal' | 'cancelled' }
  | { readonly type: 'hostMoves' }
  | { readonly type: 'hostLost' }
  | { readonly type: 'hostStops' }
  | { readonly type: 'enclaveCrashes' }
  | { readonly type: 'reports' }
  /** Somebody changes the host, in a way that an apply cures. */
  | { readonly type: 'drifts' }
  | { readonly type: 'blind'; readonly blind: boolean }
  | { readonly type: 'slots'; readonly full: boolean };

export interface ModelState {
  readonly now: number;
  readonly lifecycle: Lifecycle | undefined;
  readonly record:
    | { readonly status: string; readonly updatedAt: string; readonly revision: number; readonly valid: boolean }
    | undefined;
  readonly run:
    | {
        readonly name: string;
        readonly action: string;
        readonly claimed: boolean;
        readonly outcome: Outcome | undefined;
      }
    | undefined;
  readonly host:
    | { readonly id: number; readonly state: 'pending' | 'running' | 'stopping' | 'stopped'; readonly boot: number }
    | undefined;
  readonly hosts: number;
  readonly report:
    | {
        readonly host: number;
        readonly boot: number;
        readonly sequence: number;
        readonly running: boolean;
        readonly generation: number;
      }
    | undefined;
  readonly crashed: boolean;
  readonly drifted: boolean;
  /** The host was asked to report by another way. */
  readonly asked: boolean;
  readonly blind: boolean;
  readonly full: boolean;
  readonly looks: number;
  readonly retry: boolean;
  /** Writes of commands so far: no two carry one updatedAt. */
  readonly writes: number;
  /** Effects of the last look. */
  readonly effects: readonly Effect['type'][];
}

const written = (count: number) => new Date(START + count).toISOString();

export function initialModel(status: string, valid = true): ModelState {
  return {
    now: START,
    lifecycle: undefined,
    record: { status, updatedAt: written(0), revision: 0, valid },
    run: undefined,
    host: undefined,
    hosts: 0,
    report: undefined,
    crashed: false,
    drifted: false,
    asked: false,
    blind: false,
    full: false,
    looks: 0,
    retry: false,
    writes: 0,
    effects: [],
  };
}

function recordOf(state: ModelState): EnclaveRecord | undefined {
  if (state.record === undefined) return undefined;
  const { status, updatedAt } = state.record;
  return readRecord({ id: 'e', status, updatedAt, createdAt: 'c', walletAddress: 'w', providerConfig: {} });
}

function variablesOf({ pinned }: Lifecycle, generation: number): RunVariables {
  return {
    region: 'r',
    environment: 'dev',
    stateKey: 'k',
    stackVersion: 1,
    walletAddress: 'w',
    generation,
    spec: {},
    pinned,
  };
}

/** What a sweep shows of the host, where nobody is at work on it. */
function findingsIn({ host, blind, drifted, now }: ModelState, lifecycle: Lifecycle): readonly Finding[] {
  if (host === undefined || blind || lifecycle.run !== undefined || lifecycle.desired === 'Absent') return [];
  const finding: Finding = {
    attribute: 'host.metadata',
    desired: 'required',
    observed: drifted ? 'optional' : 'required',
    verdict: drifted ? 'Drift' : 'Match',
    severity: 'high',
    rung: 'apply',
    owned: 'operator',
    security: true,
    observedAt: now,
  };
  return [finding];
}

/** One look: the real intent, observation, decision and effects, on this world. */
function look(state: ModelState): ModelState {
  const record = recordOf(state);
  const valid = state.record?.valid ?? true;
  const intent = resolveIntent({
    id: 'e',
    lifecycle: state.lifecycle,
    record,
    spec: valid ? ({ dockerImage: `image:${state.record?.revision ?? 0}` } as EnclaveSpec) : undefined,
    now: state.now,
    installedAt: START - HOUR,
    graceMs: MODEL_LIMITS.deletionGraceMs,
    staleCommandMs: MODEL_LIMITS.staleCommandMs,
    deletionsAllowed: true,
    incarnation: 'abcdef',
  });
  if (intent === undefined) return { ...state, effects: [] };
  const { lifecycle } = intent;
  const looks = state.looks + 1;
  const hosts =
    state.host === undefined
      ? []
      : [
          {
            instanceId: `i-${state.host.id}`,
            enclaveId: 'e',
            environment: 'dev',
            state: state.host.state,
            launchedAt: '',
          },
        ];
  const host = state.blind
    ? ({ verdict: 'Unknown', state: 'unknown', instanceId: undefined, observedAt: 0 } as const)
    : viewHost({ hosts, pinned: undefined, observedAt: state.now }, lifecycle.desired, lifecycle.pinned.instanceId);
  const { report, run } = state;
  const reports =
    report === undefined
      ? []
      : [
          {
            v: 1,
            minReader: 1,
            id: 'e',
            instanceId: `i-${report.host}`,
            bootId: `b-${report.boot}`,
            sequence: report.sequence,
            appliedGeneration: report.generation,
            at: '',
            enclaves: [
              {
                name: 'e',
                state: report.running ? 'RUNNING' : 'TERMINATED',
                cpuCount: 2,
                memoryMiB: 1024,
                debug: false,
              },
            ],
            health: 'none' as const,
            completed: false,
            measurements: {},
          },
        ];
  const assessment: Assessment = {
    now: state.now,
    random: 0.5,
    limits: MODEL_LIMITS,
    newCommand: intent.newCommand,
    newGeneration: intent.newGeneration,
    retry: state.retry,
    adopt: false,
    staleCommand: intent.staleCommand,
    record: intent.record,
    spec:
      state.record === undefined
        ? { ok: false, absent: true }
        : valid
          ? { ok: true, debugAllowed: false, workloadType: 'service' }
          : { ok: false, issues: [{ field: 'f', code: 'REQUIRED', message: 'm', fix: 'x' }] },
    admission: { ok: true },
    repair: { ok: true },
    rests: false,
    change: undefined,
    retain: false,
    host,
    enclave: viewEnclave({ reports, silentMs: 0 }, host.instanceId, lifecycle, {
      debugAllowed: false,
      applied: undefined,
      silenceMs: HOUR,
    }),
    secondLook: state.asked ? (state.crashed ? 'unwell' : 'well') : undefined,
    run:
      lifecycle.run === undefined
        ? { state: 'none' }
        : run?.outcome !== undefined
          ? { state: 'finished', outcome: run.outcome }
          : run?.claimed
            ? { state: 'running', taskArn: 'task' }
            : { state: 'intended' },
    slot: !state.full || state.run !== undefined,
    findings: findingsIn(state, lifecycle),
    deletionsAllowed: true,
    dependents: [],
    variables: variablesOf(lifecycle, lifecycle.generation),
    mending: variablesOf(lifecycle, lifecycle.observedGeneration),
  };
  const decision = decide(state.lifecycle, lifecycle, assessment);
  let next: ModelState = {
    ...state,
    looks,
    retry: false,
    lifecycle: decision.lifecycle,
    effects: decision.effects.map((effect) => effect.type),
    run: decision.lifecycle.run === undefined ? undefined : state.run,
  };
  for (const effect of decision.effects) next = apply(next, effect);
  return next;
}

function apply(state: ModelState, effect: Effect): ModelState {
  const { host, run } = state;
  switch (effect.type) {
    case 'startRun':
      if (run?.name === effect.name) return state;
      return { ...state, run: { name: effect.name, action: effect.action, claimed: false, outcome: undefined } };
    case 'cancelRun':
      if (run === undefined || run.claimed) return state;
      return { ...state, run: { ...run, outcome: outcome('cancelled') } };
    case 'startHost':
      return host?.state === 'stopped'
        ? { ...state, host: { ...host, state: 'pending', boot: host.boot + 1 }, crashed: false, asked: false }
        : state;
    case 'stopHost':
      return host?.state === 'running' ? { ...state, host: { ...host, state: 'stopping' } } : state;
    case 'restartEnclave':
      return { ...state, crashed: false };
    case 'askHost':
      return { ...state, asked: true };
    case 'forget':
      return { ...state, lifecycle: undefined };
    default:
      return state;
  }
}

function outcome(result: 'succeeded' | 'failed' | 'terminal' | 'cancelled', instance?: number): Outcome {
  const base = { at: '', by: 'runner' };
  if (result === 'succeeded')
    return { ...base, result, remaining: [], ...(instance === undefined ? {} : { instanceId: `i-${instance}` }) };
  if (result === 'cancelled') return { ...base, result, class: 'cancelled', message: 'cancelled' };
  return { ...base, result: 'failed', class: result === 'terminal' ? 'permission' : 'capacity', message: result };
}

/** The next state of the world; the same object where the event changes nothing. */
export function stepModel(state: ModelState, event: ModelEvent): ModelState {
  const { record, run, host, report, lifecycle } = state;
  switch (event.type) {
    case 'look':
      return look({ ...state, now: state.now + 10_000 });
    case 'wait':
      return { ...state, now: state.now + 2 * HOUR };
    case 'command':
      if (record === undefined) return state;
      return {
        ...state,
        writes: state.writes + 1,
        record: { ...record, status: event.status, updatedAt: written(state.writes + 1) },
      };
    case 'edit':
      return record === undefined
        ? state
        : { ...state, record: { ...record, valid: event.valid, revision: record.revision + 1 } };
    case 'deleteRecord':
      return record === undefined ? state : { ...state, record: undefined };
    case 'retry':
      return { ...state, retry: true };
    case 'runStarts':
      return run === undefined || run.claimed || run.outcome !== undefined
        ? state
        : { ...state, run: { ...run, claimed: true } };
    case 'runEnds': {
      if (!run?.claimed || run.outcome !== undefined) return state;
      if (event.as !== 'succeeded') return { ...state, run: { ...run, outcome: outcome(event.as) } };
      if (run.action === 'destroy')
        return { ...state, host: undefined, run: { ...run, outcome: outcome('succeeded') } };
      const present = host ?? { id: state.hosts + 1, state: 'pending' as const, boot: 1 };
      return {
        ...state,
        hosts: Math.max(state.hosts, present.id),
        host: present,
        crashed: false,
        drifted: false,
        run: { ...run, outcome: outcome('succeeded', present.id) },
      };
    }
    case 'hostMoves':
      if (host?.state === 'pending') return { ...state, host: { ...host, state: 'running' } };
      if (host?.state === 'stopping') return { ...state, host: { ...host, state: 'stopped' } };
      return state;
    case 'hostLost':
      return host === undefined ? state : { ...state, host: undefined, drifted: false };
    case 'hostStops':
      return host?.state === 'running' ? { ...state, host: { ...host, state: 'stopped' } } : state;
    case 'enclaveCrashes':
      return host?.state === 'running' ? { ...state, crashed: true } : state;
    case 'reports':
      if (host?.state !== 'running') return state;
      return {
        ...state,
        report: {
          host: host.id,
          boot: host.boot,
          sequence: (report?.sequence ?? 0) + 1,
          running: !state.crashed,
          generation: lifecycle?.generation ?? 0,
        },
      };
    case 'drifts':
      return host === undefined ? state : { ...state, drifted: true };
    case 'blind':
      return { ...state, blind: event.blind };
    case 'slots':
      return { ...state, full: event.full };
  }
}

/** What a world that works does, over and over. */
export const COOPERATION: readonly ModelEvent[] = [
  { type: 'blind', blind: false },
  { type: 'slots', full: false },
  { type: 'look' },
  { type: 'runStarts' },
  { type: 'look' },
  { type: 'runEnds', as: 'succeeded' },
  { type: 'look' },
  { type: 'hostMoves' },
  { type: 'reports' },
  { type: 'look' },
  { type: 'look' },
];

/** Lets a world that works go on until `rests` holds; answers the state, resting or not. */
export function cooperate(from: ModelState, rests: (state: ModelState) => boolean): ModelState {
  let state = from;
  for (let round = 0; round < 40; round += 1) {
    for (const event of COOPERATION) {
      state = stepModel(state, event);
      if (rests(state)) return state;
    }
    // Deadlines and pauses pass, too.
    if (round % 2 === 1) state = stepModel(state, { type: 'wait' });
  }
  return state;
}

/** States that differ in nothing a decision may depend on have one key. */
export function modelKey(state: ModelState): string {
  const { lifecycle, record, run, host, report } = state;
  return JSON.stringify([
    lifecycle?.phase ?? null,
    lifecycle?.desired ?? null,
    lifecycle?.serving ?? null,
    lifecycle !== undefined && lifecycle.generation > lifecycle.observedGeneration,
    lifecycle?.attempts.key.split(':')[0],
    lifecycle?.attempts.count,
    lifecycle?.drift?.fingerprint,
    lifecycle?.teardown?.emptySeen,
    lifecycle?.missingSince !== undefined,
    lifecycle?.nextAttemptAt !== undefined && Date.parse(lifecycle.nextAttemptAt) > state.now,
    record?.status ?? null,
    record?.valid ?? null,
    record?.status === lifecycle?.lastSeen.status,
    run?.action ?? null,
    run?.claimed ?? null,
    run?.outcome?.result ?? null,
    host?.state ?? null,
    report !== undefined && host !== undefined && report.host === host.id && report.boot === host.boot,
    state.crashed,
    state.drifted,
    state.asked,
    state.blind,
    state.full,
    state.retry,
  ]);
}

export const ALL_PHASES = PHASES;
