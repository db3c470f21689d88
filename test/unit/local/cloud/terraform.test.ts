/** Simulated Terraform: what it plans, applies, refuses and leaves behind. */
import { describe, expect, it } from 'vitest';
import { stateKey } from '../../../../src/enclave/names.ts';
import { omit } from '../../../../src/enclave/omit.ts';
import { control } from '../../../../src/local/cloud/control.ts';
import { PlanRefused } from '../../../../src/local/cloud/terraform.ts';
import { actionsOf, spec, VirtualCloud, variables } from '../../../support/virtual-cloud.ts';

const HOST = 'aws_instance.enclave_instance';
const CONFIGURATION = 'aws_s3_object.enclave_configuration';

describe('plan and apply', () => {
  it('creates everything once, the host last, and then has nothing to do', async () => {
    const cloud = new VirtualCloud();
    const plan = await cloud.plan('a');
    expect(new Set(plan.resource_changes.map(({ change }) => change.actions.join()))).toEqual(new Set(['create']));
    expect(plan.resource_changes.at(-1)?.address).toBe(HOST);
    const lines: object[] = [];
    expect(await cloud.apply(plan.planId, lines)).toEqual({ ok: true, interrupted: false });
    expect(lines).toContainEqual(expect.objectContaining({ type: 'apply_start' }));
    expect(cloud.host('a')).toMatchObject({ state: 'running', tags: { EnclaveId: 'a', Environment: 'dev' } });
    const state = cloud.core.terraform.state(stateKey('a'));
    expect(state.resources).toHaveLength(7);
    expect(state.outputs).toEqual({ instance_id: cloud.host('a').instanceId, ami_id: cloud.host('a').amiId });
    expect(actionsOf(await cloud.plan('a'))).toEqual({});
  });

  it('destroys everything, the host first, and removes the state', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const plan = await cloud.plan('a', {}, true);
    expect(plan.resource_changes[0]?.address).toBe(HOST);
    expect(await cloud.apply(plan.planId)).toEqual({ ok: true, interrupted: false });
    expect(cloud.core.terraform.inventory('a')).toEqual([]);
    expect(cloud.core.terraform.state(stateKey('a'))).toMatchObject({ serial: 0, resources: [] });
  });

  it.each<[string, object, Record<string, string>]>([
    ['a new image', { dockerImage: 'nginx:1.28' }, { [CONFIGURATION]: 'update' }],
    ['another size', { instanceType: 'm6i.2xlarge' }, { [CONFIGURATION]: 'update', [HOST]: 'update' }],
    ['another processor', { instanceType: 'm6g.xlarge' }, { [CONFIGURATION]: 'update', [HOST]: 'delete+create' }],
    ['other ports', { exposePorts: [80] }, { [CONFIGURATION]: 'update', 'aws_security_group.enclave_sg': 'update' }],
  ])('plans for %s what it takes', async (_, change, expected) => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const more = { generation: 2, spec: { ...spec, ...change } };
    expect(actionsOf(await cloud.plan('a', more))).toEqual(expected);
    const before = cloud.host('a').instanceId;
    expect((await cloud.run('a', more)).ok).toBe(true);
    expect(actionsOf(await cloud.plan('a', more))).toEqual({});
    expect(cloud.host('a').instanceId === before).toBe(expected[HOST] !== 'delete+create');
  });

  it('starts a stopped host when its type changes, and only then', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    cloud.core.hosts.stop(cloud.host('a').instanceId);
    await cloud.clock.advanceUntil(() => cloud.host('a').state === 'stopped', 60_000);
    await cloud.run('a', { spec: { ...spec, dockerImage: 'other' } });
    expect(cloud.host('a').state).toBe('stopped');
    await cloud.run('a', { spec: { ...spec, instanceType: 'm6i.2xlarge' } });
    expect(cloud.host('a')).toMatchObject({ state: 'running', instanceType: 'm6i.2xlarge' });
  });

  it('keeps the image a run pins', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a', { pinned: { amiId: 'ami-0abc' } });
    expect(cloud.host('a').amiId).toBe('ami-0abc');
    expect(actionsOf(await cloud.plan('a'))).toEqual({});
    expect(actionsOf(await cloud.plan('a', { pinned: { amiId: 'ami-0def' } }))).toEqual({ [HOST]: 'delete+create' });
  });

  it('sees drift, and mends it', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const { core } = cloud;
    control(core, { op: 'tagHost', enclaveId: 'a', key: 'EnclaveId', value: null });
    control(core, {
      op: 'modifyResource',
      enclaveId: 'a',
      type: 'aws_cloudwatch_log_group',
      attributes: { retention_in_days: 1 },
    });
    control(core, { op: 'removeResource', enclaveId: 'a', type: 'aws_iam_instance_profile' });
    const plan = await cloud.plan('a');
    const drift = Object.fromEntries(
      plan.resource_drift.map(({ address, change }) => [address, change.actions.join()]),
    );
    expect(drift).toEqual({
      [HOST]: 'update',
      'aws_cloudwatch_log_group.enclave_logs': 'update',
      'aws_iam_instance_profile.enclave_instance_profile': 'delete',
    });
    expect((await cloud.apply(plan.planId)).ok).toBe(true);
    expect(cloud.host('a').tags.EnclaveId).toBe('a');
    expect(await cloud.plan('a')).toMatchObject({ resource_drift: [] });
    expect(actionsOf(await cloud.plan('a'))).toEqual({});
  });

  it('shows a terminated host as drift, and makes a new one', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const { instanceId } = cloud.host('a');
    cloud.core.hosts.terminate(instanceId);
    const plan = await cloud.plan('a');
    expect(plan.resource_drift).toMatchObject([
      { address: HOST, change: { actions: ['delete'], before: { id: instanceId } } },
    ]);
    expect(actionsOf(plan)).toEqual({ [HOST]: 'create' });
  });

  it('makes another host where a run names the one that exists, and only then', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const { instanceId } = cloud.host('a');
    const plan = await cloud.plan('a', { change: 'replace', replaces: instanceId });
    expect(actionsOf(plan)).toEqual({ [HOST]: 'delete+create' });
    expect(actionsOf(await cloud.plan('a', { change: 'replace', replaces: 'i-another' }))).toEqual({});
  });

  it('imports what exists when the state is lost, and makes nothing twice', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    cloud.core.terraform.lose(stateKey('a'));
    expect(Object.values(actionsOf(await cloud.plan('a')))).toEqual(Array(7).fill('import no-op'));
    expect((await cloud.run('a')).ok).toBe(true);
    expect(cloud.hosts('a')).toHaveLength(1);
    expect(actionsOf(await cloud.plan('a'))).toEqual({});
  });

  it('destroys what exists although the state is lost', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    cloud.core.terraform.lose(stateKey('a'));
    expect((await cloud.run('a', {}, true)).ok).toBe(true);
    expect(cloud.core.terraform.inventory('a')).toEqual([]);
  });

  it('leaves what the incumbent left as it is, until a change asks for a new host', async () => {
    const cloud = new VirtualCloud();
    control(cloud.core, { op: 'adoptable', enclaveId: 'old', count: 1, instanceType: 'm6i.xlarge', agent: false });
    const before = cloud.host('old').instanceId;
    const edited = { generation: 2, spec: { ...spec, exposePorts: [80] } };
    for (const more of [{}, { ...edited, change: 'inPlace' }]) {
      expect(actionsOf(await cloud.plan('old', more))).toEqual({});
      expect((await cloud.run('old', more)).ok).toBe(true);
    }
    const replace = { ...edited, change: 'replace' };
    expect(actionsOf(await cloud.plan('old', replace))).toEqual({
      'aws_security_group.enclave_sg': 'update',
      'aws_cloudwatch_log_group.enclave_logs': 'update',
      [CONFIGURATION]: 'create',
      [HOST]: 'delete+create',
    });
    expect((await cloud.run('old', replace)).ok).toBe(true);
    expect(cloud.host('old').instanceId).not.toBe(before);
    expect(actionsOf(await cloud.plan('old', replace))).toEqual({});
    expect(cloud.core.resources.ofEnclave('old').map(({ type }) => type)).toContain('aws_s3_bucket');
    expect((await cloud.run('old', {}, true)).ok).toBe(true);
    expect(cloud.core.terraform.inventory('old')).toEqual([]);
  });

  it('leaves a group alone that a host still uses', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    const group = cloud.core.resources.ofEnclave('a').find(({ type }) => type === 'aws_security_group');
    const fields = omit(cloud.host('a'), 'instanceId', 'agent');
    cloud.core.hosts.place({ ...fields, securityGroupId: group!.id, tags: {} });
    const lines: object[] = [];
    const { planId } = await cloud.plan('a', {}, true);
    expect((await cloud.apply(planId, lines)).ok).toBe(false);
    expect(JSON.stringify(lines)).toContain('DependencyViolation');
  });

  it('refuses an instance type that is none, as data', async () => {
    const cloud = new VirtualCloud();
    const lines: object[] = [];
    const { planId } = await cloud.plan('a', { spec: { ...spec, instanceType: '$(reboot)' } });
    expect((await cloud.apply(planId, lines)).ok).toBe(false);
    expect(JSON.stringify(lines)).toContain('InvalidParameterValue');
    expect(cloud.hosts('a')).toEqual([]);
  });
});

describe('locks, interrupts and faults', () => {
  it('lets one operation at a time have the state, and counts who tried', async () => {
    const cloud = new VirtualCloud();
    const first = cloud.core.terraform.plan(
      { enclaveId: 'a', stateKey: stateKey('a'), destroy: false, variables: variables() },
      cloud.alive,
    );
    await expect(cloud.plan('a')).rejects.toThrow('Error acquiring the state lock');
    await cloud.settle(first);
    expect(cloud.core.tally.of('a')).toMatchObject({ plans: 2, maxWorking: 2, working: 0 });
  });

  it('refuses a plan that another apply has overtaken', async () => {
    const cloud = new VirtualCloud();
    const [one, two] = [await cloud.plan('a'), await cloud.plan('a')];
    expect((await cloud.apply(one.planId)).ok).toBe(true);
    const lines: object[] = [];
    expect((await cloud.apply(two.planId, lines)).ok).toBe(false);
    expect(JSON.stringify(lines)).toContain('Saved plan is stale');
    expect(cloud.hosts('a')).toHaveLength(1);
    expect(cloud.core.tally.of('a').stalePlans).toBe(1);
  });

  it('ends after the resource in work when interrupted, with the state saved', async () => {
    const cloud = new VirtualCloud();
    const { planId } = await cloud.plan('a');
    const applying = cloud.core.terraform.apply(planId, () => undefined, cloud.alive);
    await cloud.clock.advance(1);
    expect(cloud.core.terraform.interrupt(planId)).toBe(true);
    expect(await cloud.settle(applying)).toEqual({ ok: false, interrupted: true });
    const { resources } = cloud.core.terraform.state(stateKey('a'));
    expect(resources.map(({ address }) => address)).toEqual(['aws_security_group.enclave_sg']);
    expect(cloud.core.tally.of('a')).toMatchObject({ interrupts: 1, working: 0 });
    expect((await cloud.run('a')).ok).toBe(true);
  });

  it('heeds an interrupt that comes before the apply', async () => {
    const cloud = new VirtualCloud();
    const { planId } = await cloud.plan('a');
    cloud.core.terraform.interrupt(planId);
    expect(await cloud.apply(planId)).toEqual({ ok: false, interrupted: true });
    expect(cloud.core.resources.ofEnclave('a')).toEqual([]);
  });

  it('loses what was in work when killed: it exists, and the state does not know it', async () => {
    const cloud = new VirtualCloud();
    const { planId } = await cloud.plan('a');
    const killer = new AbortController();
    const applying = cloud.core.terraform.apply(planId, () => undefined, killer.signal);
    await cloud.clock.advanceUntil(() => cloud.hosts('a').length === 1, 60_000);
    killer.abort();
    expect(cloud.core.tally.of('a').working).toBe(0);
    expect((await cloud.settle(applying)).ok).toBe(false);
    expect(cloud.core.terraform.state(stateKey('a')).resources.map(({ address }) => address)).not.toContain(HOST);
    expect(actionsOf(await cloud.plan('a'))).toEqual({ [HOST]: 'import no-op' });
  });

  it('fails as often as ordered, at the plan or at the host', async () => {
    const cloud = new VirtualCloud();
    control(cloud.core, { op: 'failRuns', enclaveId: 'a', times: 1, at: 'plan', class: 'locked' });
    control(cloud.core, { op: 'failRuns', enclaveId: 'a', times: 2, class: 'quota' });
    await expect(cloud.plan('a')).rejects.toBeInstanceOf(PlanRefused);
    expect((await cloud.run('b')).ok).toBe(true);
    expect((await cloud.run('a')).ok).toBe(false);
    expect((await cloud.run('a')).ok).toBe(false);
    expect(cloud.hosts('a')).toEqual([]);
    expect((await cloud.run('a')).ok).toBe(true);
  });

  it('says that a host died while it was made', async () => {
    const cloud = new VirtualCloud();
    const lines: object[] = [];
    const { planId } = await cloud.plan('a');
    const applying = cloud.apply(planId, lines);
    await cloud.clock.flush();
    cloud.core.hosts.onChange((host) => {
      if (host.state === 'pending') cloud.core.hosts.terminate(host.instanceId);
    });
    expect((await applying).ok).toBe(false);
    expect(JSON.stringify(lines)).toContain("unexpected state 'terminated'");
  });
});
