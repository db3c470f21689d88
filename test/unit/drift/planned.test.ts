import { describe, expect, it } from 'vitest';
import { type Finding, ROWS } from '../../../src/drift/index.ts';
import { plannedFindings, withPlanned } from '../../../src/drift/planned.ts';
import { type FleetRunItem, type PlanResult, PlanResultSchema } from '../../../src/enclave/items/fleet-run.ts';
import type { Lifecycle } from '../../../src/enclave/items/lifecycle.ts';
import type { Planned } from '../../../src/enclave/items/plan.ts';
import { omit } from '../../../src/enclave/omit.ts';
import { planEvents, resultsOf, trackPlan, trackPlans } from '../../../src/reconciler/plan/result.ts';
import { aLifecycle, aRun } from '../../support/conformance-harness.ts';

const T0 = Date.parse('2030-01-01T00:00:00.000Z');
const at = (minutes: number) => new Date(T0 + minutes * 60_000).toISOString();
const GROUP = 'aws_security_group.enclave_sg';

function resting(planned: Partial<Planned> = {}, changes: Partial<Lifecycle> = {}): Lifecycle {
  return aLifecycle('enc_1', {
    phase: 'ready',
    generation: 2,
    observedGeneration: 2,
    planned: {
      askedAt: at(10),
      at: at(15),
      run: 'drift-1-1',
      generation: 2,
      verdict: 'Drift',
      differences: [{ address: GROUP, attributes: ['ingress'] }],
      digest: 'd',
      failures: 0,
      ...planned,
    },
    ...changes,
  });
}

const result = (changes: Partial<PlanResult> = {}): PlanResult => ({
  v: 1,
  minReader: 1,
  id: 'enc_1',
  generation: 2,
  startedAt: at(61),
  at: at(62),
  drifted: false,
  planDigest: 'e',
  run: 'drift-1-2',
  askedAt: at(60),
  lost: false,
  ...changes,
});
const attributes = (findings: readonly Finding[]) => findings.map(({ attribute }) => attribute);

describe('findings of a plan', () => {
  it.each([
    { address: GROUP, names: ['ingress'], found: ['network.rules'] },
    { address: GROUP, names: ['*'], found: ['network.rules'] },
    { address: 'aws_instance.enclave_instance', names: ['*'], found: ['host.exists'] },
    { address: 'aws_instance.enclave_instance', names: ['metadata_options', 'tags'], found: ['host.metadata', 'tags'] },
    { address: 'aws_iam_role_policies_exclusive.enclave_policies', names: ['policy_names'], found: ['role.policies'] },
    { address: 'aws_kms_key.enclave', names: ['is_enabled', 'policy'], found: ['key.policy', 'key.state'] },
    { address: 'aws_cloudwatch_log_group.enclave_logs', names: ['retention_in_days'], found: ['logs.group'] },
    { address: 'aws_thing.of_tomorrow', names: ['colour'], found: ['terraform.state'] },
  ])('$address $names is $found, as serious as its row', ({ address, names, found }) => {
    const findings = plannedFindings(resting({ differences: [{ address, attributes: names }] }));
    expect(attributes(findings)).toEqual(found);
    for (const finding of findings) {
      const row = ROWS.find(({ attribute }) => attribute === finding.attribute);
      const { severity, rung, owned, security } = row!;
      expect(finding).toMatchObject({ verdict: 'Drift', severity, rung, owned, security });
      expect(finding.observed).toContain(address);
    }
  });

  it('want no new host for what differs beside the host', () => {
    const rungOf = (address: string, name: string) =>
      plannedFindings(resting({ differences: [{ address, attributes: [name] }] }))[0]?.rung;
    expect(rungOf('aws_s3_object.enclave_configuration', 'content')).toBe('apply');
    expect(rungOf('aws_instance.enclave_instance', 'user_data')).toBe('replace');
  });

  it.each<{ why: string; lifecycle: Lifecycle }>([
    { why: 'the plan agrees', lifecycle: resting({ verdict: 'Match' }) },
    { why: 'the plan could not be made', lifecycle: resting({ verdict: 'Unknown' }) },
    { why: 'a run has ended since', lifecycle: resting({}, { ranAt: at(12) }) },
    { why: 'another generation is wanted', lifecycle: resting({}, { generation: 3 }) },
    { why: 'it was made of another generation', lifecycle: resting({ generation: 3 }) },
    {
      why: 'a run is under way',
      lifecycle: resting(
        {},
        {
          run: {
            name: 'r',
            action: 'deploy',
            seq: 1,
            generation: 2,
            reason: 'repair',
            startedAt: at(11),
            deadlineAt: at(41),
          },
        },
      ),
    },
  ])('are none where $why', ({ lifecycle }) => {
    expect(plannedFindings(lifecycle)).toEqual([]);
  });

  it('stand beside what was observed, until a later look decides the attribute', () => {
    const lifecycle = resting();
    const decided = (minutes: number) => () => T0 + minutes * 60_000;
    expect(attributes(withPlanned([], lifecycle, () => undefined))).toEqual(['network.rules']);
    expect(attributes(withPlanned([], lifecycle, decided(9)))).toEqual(['network.rules']);
    expect(withPlanned([], lifecycle, decided(11))).toEqual([]);
  });

  it('take the place of what was unknown, and none of what was seen to differ', () => {
    const [planned] = plannedFindings(resting());
    const unknown: Finding = { ...planned!, verdict: 'Unknown', observed: undefined };
    const seen: Finding = { ...planned!, observed: 'an open port' };
    expect(withPlanned([unknown], resting(), () => undefined)).toEqual([planned]);
    expect(withPlanned([seen], resting(), () => undefined)).toEqual([seen]);
  });
});

describe('noting a plan', () => {
  it('replaces the plan of before', () => {
    const next = trackPlan(resting(), result(), T0);
    expect(next.planned).toMatchObject({ verdict: 'Match', run: 'drift-1-2', digest: 'e', failures: 0 });
    expect(next.planned).not.toHaveProperty('differences');
  });

  it.each<{ why: string; lifecycle: Lifecycle; found?: Partial<PlanResult> }>([
    { why: 'a run ended since it was asked for', lifecycle: resting({}, { ranAt: at(60) }) },
    { why: 'the generation has moved', lifecycle: resting({}, { generation: 3 }) },
    { why: 'a later one is known', lifecycle: resting({ askedAt: at(70), run: 'drift-2-1' }) },
    { why: 'it was noted already', lifecycle: resting(), found: { run: 'drift-1-1' } },
    { why: 'an earlier enclave of this id was planned', lifecycle: resting(), found: { incarnation: 'before' } },
    {
      why: 'a run is under way',
      lifecycle: resting(
        {},
        {
          run: {
            name: 'r',
            action: 'deploy',
            seq: 1,
            generation: 2,
            reason: 'repair',
            startedAt: at(61),
            deadlineAt: at(91),
          },
        },
      ),
    },
  ])('drops it where $why', ({ lifecycle, found }) => {
    expect(trackPlan(lifecycle, result(found), T0)).toBe(lifecycle);
  });

  it('counts plans that fail in a row, and takes them for no verdict', () => {
    const failure = { class: 'throttled' as const, message: 'slow down' };
    const failed = omit(result({ failure }), 'drifted');
    const once = trackPlan(resting({ verdict: 'Match' }), failed, T0);
    expect(once.planned).toMatchObject({ verdict: 'Unknown', failures: 1, failure });
    const twice = trackPlan(once, { ...failed, run: 'drift-1-3', askedAt: at(90) }, T0);
    expect(twice.planned?.failures).toBe(2);
  });

  it('answers who asked before the run was begun, and nobody who asked later', () => {
    const asked = (minutes: number) => resting({}, { planAsked: { at: at(minutes), actor: 'somebody' } });
    expect(trackPlan(asked(59), result(), T0).planAsked).toBeUndefined();
    expect(trackPlan(asked(61), result(), T0).planAsked).toBeDefined();
  });

  it('takes the results that wait in the order of their runs, whatever order they are read in', () => {
    const failure = { class: 'throttled' as const, message: 'slow down' };
    const { drifted: _none, ...failed } = result({ run: 'drift-1-9', askedAt: at(60), failure });
    const later = result({ run: 'drift-1-10', askedAt: at(90), incarnation: resting().incarnation });
    for (const results of [
      [failed, later],
      [later, failed],
    ])
      expect(trackPlans(resting(), results, T0).planned).toMatchObject({ verdict: 'Match', run: 'drift-1-10' });
    expect(trackPlans(resting(), [], T0)).toEqual(resting());
  });

  it('is told where something differs that did not, or no plan could be made', () => {
    const differences = [{ address: GROUP, attributes: ['egress'] }];
    const before = resting();
    const told = (changes: Partial<PlanResult>) =>
      planEvents(before, trackPlan(before, result(changes), T0)).map(
        (effect) => 'event' in effect && effect.event.reason,
      );
    expect(told({})).toEqual([]);
    expect(told({ drifted: true, differences })).toEqual(['PlanFoundDrift']);
    expect(told({ drifted: true, differences: before.planned!.differences })).toEqual([]);
    expect(told({ failure: { class: 'state', message: 'locked' } })).toEqual(['PlanFailed']);
    expect(planEvents(before, before)).toEqual([]);
  });
});

describe('the results of a run', () => {
  const run = { name: 'drift-1-2', startedAt: at(60), deadlineAt: at(120), enclaves: ['enc_1', 'enc_2'] };
  const { variables } = aRun('enc_1', 'r');
  const subject = (id: string) => ({ id, generation: 2, variables, incarnation: `of ${id}` });
  const item: FleetRunItem = {
    ...{ v: 1, minReader: 1, name: run.name, action: 'drift', requestedAt: run.startedAt },
    enclaves: run.enclaves.map(subject),
    results: { enc_1: { id: 'enc_1', generation: 2, startedAt: at(61), at: at(62), drifted: false, planDigest: 'e' } },
  };
  const outcome = { result: 'failed', class: 'timeout', message: 'too late', at: at(121), by: 'operator' } as const;

  it('are one an enclave, lost where the run did not come to it', () => {
    const [found, lost] = resultsOf(run, item, outcome, T0);
    expect(found).toMatchObject({ id: 'enc_1', run: run.name, askedAt: at(60), lost: false, incarnation: 'of enc_1' });
    expect(found).toMatchObject({ drifted: false, planDigest: 'e' });
    const failure = { class: 'timeout', message: 'too late' };
    expect(lost).toMatchObject({ id: 'enc_2', generation: 2, lost: true, failure, incarnation: 'of enc_2' });
    expect(PlanResultSchema.parse(lost)).toEqual(lost);
  });

  it('go to the enclave that the ledger names, in the form of this version, whatever the runner wrote', () => {
    const written = { ...item.results!.enc_1!, id: 'enc_9', v: 9, minReader: 9 };
    const [found] = resultsOf(run, { ...item, results: { enc_1: written } }, outcome, T0);
    expect(found).toMatchObject({ id: 'enc_1', v: 1, minReader: 1 });
  });

  it('expire, in whole seconds', () => {
    for (const { expiresAt } of resultsOf(run, item, outcome, T0 + 1)) expect(expiresAt).toBe(T0 / 1_000 + 172_800);
  });

  it('match no generation where the run item is gone', () => {
    const results = resultsOf(run, undefined, outcome, T0);
    expect(results.map(({ id, generation, lost }) => [id, generation, lost])).toEqual([
      ['enc_1', -1, true],
      ['enc_2', -1, true],
    ]);
  });
});
