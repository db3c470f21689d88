/** What holds of every decision: from what is not known, nothing is repaired. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, type Finding, ROWS } from '../../../src/drift/index.ts';
import type { Lifecycle, Phase } from '../../../src/enclave/items/lifecycle.ts';
import { type Assessment, decide, type Effect } from '../../../src/machines/index.ts';
import { cooperate, initialModel, MODEL_LIMITS } from '../../support/model-world.ts';

const READY = cooperate(initialModel('PENDING_DEPLOY'), ({ lifecycle }) => lifecycle?.phase === 'ready');
const NOW = READY.now + 60_000;
const REPAIRS: ReadonlySet<Effect['type']> = new Set([
  'startRun',
  'startHost',
  'stopHost',
  'restartEnclave',
  'restartAllocator',
  'askHost',
]);

const finding = (attribute: Finding['attribute'], verdict: Finding['verdict'], owned: Finding['owned']): Finding => {
  const row = ROWS.find((each) => each.attribute === attribute);
  if (row === undefined) throw new Error(`no row ${attribute}`);
  const { severity, rung, security } = row;
  return { attribute, verdict, owned, severity, rung, security, desired: 'a', observed: 'b', observedAt: NOW };
};
const findings = (verdicts: fc.Arbitrary<readonly [Finding['verdict'], Finding['owned']]>) =>
  fc
    .uniqueArray(fc.constantFrom(...ATTRIBUTES), { maxLength: ATTRIBUTES.length })
    .chain((attributes) =>
      fc
        .array(verdicts, { minLength: attributes.length, maxLength: attributes.length })
        .map((all) =>
          attributes.map((attribute, n) => finding(attribute, ...(all[n] ?? (['Unknown', 'operator'] as const)))),
        ),
    );
const rankOf = (attribute: Finding['attribute']) =>
  ['critical', 'high', 'medium', 'low'].indexOf(finding(attribute, 'Drift', 'operator').severity);

/** Whoever it belongs to, it is not known, or as it should be; or it differs, and is nobody's to change. */
const unrepairable = fc.oneof(
  fc.constantFrom(['Unknown', 'operator'] as const, ['Match', 'operator'] as const, ['Unknown', 'foreign'] as const),
  fc.constant(['Drift', 'foreign'] as const),
);

/** What an earlier look may have left behind. */
const remembered = fc.record({
  phase: fc.constantFrom<Phase[]>('ready', 'repairing', 'invalid'),
  fingerprint: fc.constantFrom(
    'host:stopped',
    'host:gone',
    'enclave:EnclaveNotRunning',
    'apply:host.metadata,tags',
    'restartHost:host.statusChecks',
    'replace:host.enclaveOptions',
  ),
  seen: fc.integer({ min: 0, max: 2 }),
  count: fc.integer({ min: 0, max: 9 }),
});

function lifecycleOf({
  phase,
  fingerprint,
  seen,
  count,
}: {
  phase: Phase;
  fingerprint: string;
  seen: number;
  count: number;
}): Lifecycle {
  if (READY.lifecycle === undefined) throw new Error('no lifecycle');
  const since = new Date(READY.now).toISOString();
  return {
    ...READY.lifecycle,
    phase,
    phaseSince: since,
    drift: { fingerprint, seen, since, observedAt: READY.now },
    attempts: { key: `drift:${fingerprint}`, count },
  };
}

function assessmentOf(
  lifecycle: Lifecycle,
  host: Assessment['host'],
  enclave: Pick<Assessment['enclave'], 'verdict' | 'reason'>,
  seen: readonly Finding[],
): Assessment {
  const variables = {
    region: 'r',
    environment: 'dev',
    stateKey: 'k',
    stackVersion: 1,
    walletAddress: 'w',
    generation: lifecycle.generation,
    spec: {},
    pinned: lifecycle.pinned,
  };
  return {
    now: NOW,
    random: 0.5,
    limits: MODEL_LIMITS,
    newCommand: false,
    newGeneration: false,
    retry: false,
    adopt: false,
    staleCommand: false,
    record: 'ours',
    // In `invalid`, a spec that is valid begins a run, and no repair.
    spec:
      lifecycle.phase === 'invalid'
        ? { ok: false, issues: [{ field: 'f', code: 'REQUIRED', message: 'm', fix: 'x' }] }
        : { ok: true, debugAllowed: false, workloadType: 'service' },
    admission: { ok: true },
    repair: { ok: true },
    rests: false,
    change: undefined,
    retain: false,
    host,
    enclave: {
      fresh: enclave.verdict === 'Match',
      running: enclave.verdict === 'Match' ? true : undefined,
      health: 'unknown',
      measured: false,
      debug: false,
      mismeasured: false,
      imageDigest: undefined,
      bootId: 'b',
      sequence: 1,
      ...enclave,
    },
    secondLook: undefined,
    findings: seen,
    run: { state: 'none' },
    slot: true,
    deletionsAllowed: true,
    dependents: [],
    variables,
    mending: variables,
  };
}

const repairsOf = (lifecycle: Lifecycle, assessment: Assessment) =>
  decide(lifecycle, lifecycle, assessment).effects.filter(({ type }) => REPAIRS.has(type));
const running = { verdict: 'Match', state: 'running', instanceId: 'i-1', observedAt: NOW } as const;

describe('from what is not known', () => {
  const hosts = fc.constantFrom<Assessment['host']>(
    running,
    { verdict: 'Unknown', state: 'unknown', instanceId: undefined, observedAt: 0 },
    { verdict: 'Unknown', state: 'several', instanceId: undefined, observedAt: NOW },
    { verdict: 'Unknown', state: 'pending', instanceId: 'i-1', observedAt: NOW },
    { verdict: 'Unknown', state: 'stopping', instanceId: 'i-1', observedAt: NOW },
  );
  const enclaves = fc.constantFrom<Pick<Assessment['enclave'], 'verdict' | 'reason'>>(
    { verdict: 'Match', reason: 'Running' },
    { verdict: 'Unknown', reason: 'ReportSilent' },
    { verdict: 'Unknown', reason: 'EnclavesUnobserved' },
  );

  it('no repair follows, whatever is remembered', () => {
    fc.assert(
      fc.property(remembered, hosts, enclaves, findings(unrepairable), (before, host, enclave, seen) => {
        const lifecycle = lifecycleOf(before);
        expect(repairsOf(lifecycle, assessmentOf(lifecycle, host, enclave, seen))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('no repair follows either for what the policy wants told only', () => {
    fc.assert(
      fc.property(
        remembered,
        enclaves,
        findings(fc.constant(['Drift', 'operator'] as const)),
        (before, enclave, all) => {
          const lifecycle = lifecycleOf(before);
          const told = all.map((each) => ({ ...each, rung: 'alert' as const }));
          expect(repairsOf(lifecycle, assessmentOf(lifecycle, running, enclave, told))).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a paused enclave', () => {
  const paused = fc.record({
    phase: fc.constantFrom<Phase[]>('paused', 'pausing'),
    fingerprint: fc.constantFrom('host:running', 'host:stopped', 'enclave:EnclaveNotRunning', 'apply:network.rules'),
    seen: fc.integer({ min: 0, max: 2 }),
    count: fc.integer({ min: 0, max: 9 }),
  });
  const lifecycleOfPaused = (before: Parameters<typeof lifecycleOf>[0]): Lifecycle => ({
    ...lifecycleOf(before),
    desired: 'Paused',
    serving: false,
  });
  const stopped = { verdict: 'Match', state: 'stopped', instanceId: 'i-1', observedAt: NOW } as const;
  const unknown = (state: Assessment['host']['state'], instanceId?: string): Assessment['host'] => ({
    verdict: 'Unknown',
    state,
    instanceId,
    observedAt: NOW,
  });
  const hosts = fc.constantFrom<Assessment['host']>(
    stopped,
    unknown('unknown'),
    unknown('several'),
    unknown('pending', 'i-1'),
    unknown('stopping', 'i-1'),
  );
  const enclaves = fc.constantFrom<Pick<Assessment['enclave'], 'verdict' | 'reason'>>(
    { verdict: 'Match', reason: 'Running' },
    { verdict: 'Drift', reason: 'EnclaveNotRunning' },
    { verdict: 'Unknown', reason: 'ReportSilent' },
  );
  const any = fc.tuple(
    fc.constantFrom<Finding['verdict'][]>('Unknown', 'Match', 'Drift'),
    fc.constantFrom<Finding['owned'][]>('operator', 'foreign'),
  );

  it('is left as it is, whatever is remembered and found, unless its host is known to run', () => {
    fc.assert(
      fc.property(paused, hosts, enclaves, findings(any), (before, host, enclave, seen) => {
        const lifecycle = lifecycleOfPaused(before);
        expect(repairsOf(lifecycle, assessmentOf(lifecycle, host, enclave, seen))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('has its host stopped by the second look that shows it running, and by nothing else', () => {
    fc.assert(
      fc.property(enclaves, findings(any), (enclave, seen) => {
        const { drift: _none, ...lifecycle } = lifecycleOfPaused({
          phase: 'paused',
          fingerprint: 'host:running',
          seen: 0,
          count: 0,
        });
        const look = (before: Lifecycle, observedAt: number) => {
          const host = { ...running, verdict: 'Drift', observedAt } as const;
          const { lifecycle: after, effects } = decide(before, before, assessmentOf(before, host, enclave, seen));
          return { after, repairs: effects.filter(({ type }) => REPAIRS.has(type)) };
        };
        const first = look(lifecycle, NOW);
        const again = look(first.after, NOW);
        expect([first.repairs, again.repairs]).toEqual([[], []]);
        expect(look(again.after, NOW + 1).repairs).toEqual([{ type: 'stopHost', instanceId: 'i-1' }]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a repair that is over', () => {
  it('is not begun again on a look of before its end, however often that is met', () => {
    const fingerprint = 'apply:network.rules';
    const repairing = lifecycleOf({ phase: 'repairing', fingerprint, seen: 0, count: 1 });
    const look = (now: number, observedAt: number) => ({
      ...assessmentOf(repairing, { ...running, observedAt: now }, { verdict: 'Match', reason: 'Running' }, [
        { ...finding('network.rules', 'Drift', 'operator'), observedAt },
      ]),
      now,
    });
    const steps: [number, number, number][] = [];
    let lifecycle: Lifecycle = repairing;
    for (const [now, observedAt] of [
      [NOW, READY.now - 1],
      [NOW + 600_000, READY.now - 1],
      [NOW + 900_000, NOW + 900_000],
      [NOW + 960_000, NOW + 900_000],
      [NOW + 1_800_000, NOW + 1_800_000],
    ] as const) {
      const decision = decide(lifecycle, lifecycle, look(now, observedAt));
      const repairs = decision.effects.filter(({ type }) => REPAIRS.has(type)).length;
      lifecycle = decision.lifecycle;
      steps.push([lifecycle.drift?.seen ?? -1, repairs, lifecycle.attempts.count]);
    }
    expect(steps).toEqual([
      [0, 0, 1],
      [0, 0, 1],
      [1, 0, 1],
      [1, 0, 1],
      [2, 1, 2],
    ]);
  });
});

describe('from one look', () => {
  it('no repair follows; from the second, one does, by the rung of what is worst', () => {
    const repairable = ATTRIBUTES.filter((attribute) => {
      const { rung, owned } = finding(attribute, 'Drift', 'operator');
      const isViewed = ['host.exists', 'host.running', 'host.paused'].includes(attribute);
      return owned === 'operator' && rung !== 'alert' && !isViewed;
    });
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...repairable), { minLength: 1 }), (attributes) => {
        const { drift: _none, ...lifecycle } = lifecycleOf({
          phase: 'ready',
          fingerprint: 'host:stopped',
          seen: 0,
          count: 0,
        });
        const look = (at: number) =>
          assessmentOf(
            lifecycle,
            { ...running, observedAt: at },
            { verdict: 'Match', reason: 'Running' },
            attributes.map((attribute) => ({ ...finding(attribute, 'Drift', 'operator'), observedAt: at })),
          );
        const first = decide(lifecycle, lifecycle, look(NOW));
        expect(first.effects.filter(({ type }) => REPAIRS.has(type))).toEqual([]);
        const again = decide(first.lifecycle, first.lifecycle, look(NOW));
        expect(again.effects.filter(({ type }) => REPAIRS.has(type))).toEqual([]);
        const second = decide(again.lifecycle, again.lifecycle, look(NOW + 1));
        expect(second.effects.filter(({ type }) => REPAIRS.has(type))).toHaveLength(1);
        const [rung, names = ''] = (second.lifecycle.drift?.fingerprint ?? '').split(':');
        const worst = Math.min(...attributes.map(rankOf));
        expect(names.split(',').some((name) => rankOf(name as Finding['attribute']) === worst)).toBe(true);
        // A host is asked before it is restarted, and what was not begun is not counted.
        expect(second.lifecycle.attempts.rung ?? 'restartHost').toBe(rung);
      }),
      { numRuns: 200 },
    );
  });
});
