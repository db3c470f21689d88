/** What drift is, on what real Terraform planned of the enclave stack, and on plans no emulator makes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { driftOf } from '../../../runner/src/drift.ts';
import type { PlannedChange } from '../../../runner/src/engine/port.ts';
import { readPlan } from '../../../runner/src/engine/terraform-output.ts';
import { digestOf } from '../../../runner/src/plan-digest.ts';

const planned = (name: string) =>
  readPlan(readFileSync(new URL(`../../fixtures/plans/${name}.json`, import.meta.url), 'utf8'));
const HOST = 'aws_instance.enclave_instance';

describe('drift in real plans', () => {
  it('is none where nothing was changed, whatever AWS filled in', () => {
    expect(planned('nothing').resource_drift.length).toBeGreaterThan(0);
    expect(driftOf(planned('nothing'))).toMatchObject({ drifted: false, differences: [] });
  });

  it('is none where somebody else has tagged the host', () => {
    expect(JSON.stringify(planned('foreign-tag'))).toContain('CostCentre');
    expect(driftOf(planned('foreign-tag'))).toMatchObject({ drifted: false });
  });

  it('is an opened port and a policy added by hand', () => {
    const { drifted, differences } = driftOf(planned('by-hand'));
    expect(drifted).toBe(true);
    expect(differences).toEqual([
      { address: 'aws_iam_role_policies_exclusive.enclave_policies', attributes: ['policy_names'] },
      { address: 'aws_security_group.enclave_sg', attributes: ['ingress'] },
    ]);
  });

  it('is a host that is gone', () => {
    expect(driftOf(planned('host-gone')).differences).toEqual([{ address: HOST, attributes: ['*'] }]);
  });
});

const change = (
  type: string,
  actions: readonly string[],
  before: PlannedChange['change']['before'],
  after: PlannedChange['change']['before'],
): PlannedChange => ({ address: `${type}.x`, type, change: { actions, before, after } });

interface Row {
  readonly reason: string;
  readonly changes?: readonly PlannedChange[];
  readonly drift?: readonly PlannedChange[];
  readonly attributes: readonly string[];
}

const rows: readonly Row[] = [
  {
    reason: 'a no-op is nothing',
    changes: [change('aws_instance', ['no-op'], { ami: 'a' }, { ami: 'b' })],
    attributes: [],
  },
  {
    reason: 'an attribute of ours',
    changes: [change('aws_instance', ['update'], { instance_type: 'a' }, { instance_type: 'b' })],
    attributes: ['instance_type'],
  },
  {
    reason: 'an attribute AWS fills in is not ours',
    changes: [change('aws_instance', ['update'], { public_ip: '1' }, { public_ip: '2' })],
    attributes: [],
  },
  {
    reason: 'of a type that is not listed, everything is ours',
    changes: [change('aws_new_thing', ['update'], { a: 1 }, { a: 2 })],
    attributes: ['a'],
  },
  {
    reason: 'one of our tags was changed',
    changes: [change('aws_instance', ['update'], { tags: { Generation: '9', X: '1' } }, { tags: { Generation: '1' } })],
    attributes: ['tags'],
  },
  {
    reason: 'one of our tags is missing',
    drift: [change('aws_instance', ['update'], { tags: { Generation: '1' } }, { tags: {} })],
    attributes: ['tags'],
  },
  {
    reason: 'what the stack ignores and AWS shows changed counts all the same',
    drift: [change('aws_instance', ['update'], { user_data: 'a' }, { user_data: 'b' })],
    attributes: ['user_data'],
  },
  {
    reason: 'rules in another order are the same rules',
    drift: [
      change('aws_security_group', ['update'], { ingress: [{ p: 1 }, { p: 2 }] }, { ingress: [{ p: 2 }, { p: 1 }] }),
    ],
    attributes: [],
  },
  {
    reason: 'absent, null and empty are the same',
    drift: [change('aws_security_group', ['update'], { ingress: [] }, { ingress: null, description: '' })],
    attributes: [],
  },
  {
    reason: 'a resource that would be replaced',
    changes: [change('aws_iam_role', ['delete', 'create'], {}, {})],
    attributes: ['*'],
  },
  { reason: 'a resource that is gone', drift: [change('aws_iam_role', ['delete'], {}, null)], attributes: ['*'] },
];

describe('drift', () => {
  it.each(rows)('$reason', ({ changes = [], drift = [], attributes }) => {
    const { differences, drifted } = driftOf({ resource_changes: changes, resource_drift: drift });
    expect(differences.flatMap((each) => each.attributes)).toEqual(attributes);
    expect(drifted).toBe(attributes.length > 0);
  });

  it('is told of twenty resources at most, and counted of all', () => {
    const many = Array.from({ length: 30 }, (_, n) => ({
      ...change('aws_iam_role', ['create'], null, {}),
      address: `aws_iam_role.r${n}`,
    }));
    const verdict = driftOf({ resource_changes: many, resource_drift: [] });
    expect(verdict.differences).toHaveLength(20);
    const all = digestOf({ resource_changes: many, resource_drift: [] });
    expect(digestOf({ resource_changes: many.slice(0, 29), resource_drift: [] })).not.toBe(all);
  });
});

describe('the digest of a plan', () => {
  it('is that of an equal plan, in whatever order, and of no other', () => {
    const plan = planned('by-hand');
    const turned = { ...plan, resource_changes: [...plan.resource_changes].reverse() };
    expect(digestOf(turned)).toBe(digestOf(plan));
    expect(digestOf(plan)).toMatch(/^[0-9a-f]{64}$/);
    expect(digestOf(plan)).not.toBe(digestOf(planned('host-gone')));
  });

  it('is that of doing nothing, whatever AWS filled in or somebody has tagged', () => {
    const nothing = digestOf({ resource_changes: [], resource_drift: [] });
    expect(digestOf(planned('nothing'))).toBe(nothing);
    expect(digestOf(planned('foreign-tag'))).toBe(nothing);
  });

  it.each([
    { what: 'a value', after: { ingress: ['0.0.0.0/0'] }, actions: ['update'] },
    { what: 'an attribute', after: { ingress: ['10.0.0.0/8'], egress: [] }, actions: ['update'] },
    { what: 'an action', after: { ingress: ['10.0.0.0/8'] }, actions: ['delete', 'create'] },
  ])('tells plans apart by $what', ({ after, actions }) => {
    const of = (each: PlannedChange) => digestOf({ resource_changes: [each], resource_drift: [] });
    const before = { ingress: [], egress: ['all'] };
    const base = change('aws_security_group', ['update'], before, { ingress: ['10.0.0.0/8'], egress: ['all'] });
    expect(of(change('aws_security_group', actions, before, { egress: ['all'], ...after }))).not.toBe(of(base));
  });

  it('holds nothing of a foreign attribute', () => {
    const of = (address: string) =>
      digestOf({
        resource_changes: [change('aws_instance', ['update'], { ami: 'a' }, { ami: 'b', public_ip: address })],
        resource_drift: [],
      });
    expect(of('10.0.0.1')).toBe(of('10.0.0.2'));
  });
});
