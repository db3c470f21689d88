/** What differs of a host that runs, on virtual time: seen twice, put back, and held back where it must be. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attribute, Posture } from '../../src/drift/index.ts';
import type { ConditionType } from '../../src/enclave/conditions.ts';
import type { Metrics } from '../../src/reconciler/metrics/index.ts';
import { scrape } from '../support/scrape.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

let v: VirtualOperator;
let calls: (operation: string) => number;
let metrics: Metrics;

const lifecycle = (id = ID) => {
  const found = v.lifecycle(id);
  if (found === undefined) throw new Error(`no lifecycle of ${id}`);
  return found;
};
const condition = (type: ConditionType, id = ID) => v.condition(id, type);
const isHealed = (id = ID) => condition('InSync', id)?.status === 'True' && lifecycle(id).phase === 'ready';
/** As it is now: a copy, so that a later change does not show in it. */
const host = () => ({ ...v.host(ID) });
const change = (changes: Partial<Posture>, id = ID) => v.changeHost(id, changes);
const retag = (tags: Record<string, string>, id = ID) => change({ tags: { ...v.host(id).posture?.tags, ...tags } }, id);
const repairs = (id = ID) => v.runs(id).filter(({ reason }) => reason === 'repair').length;
const told = () =>
  v
    .events(ID)
    .filter(({ reason }) => reason === 'SecurityFinding')
    .map(({ message }) => message);

async function deployed(policy?: object, ids: readonly string[] = [ID]): Promise<void> {
  v = virtualOperator({ runInstancesPerSecond: 0, maxRuns: 1_000 });
  ({ calls, metrics } = v.start());
  await v.clock.advance(5_000);
  await v.deploy(ids, policy === undefined ? {} : { policy }, 30 * MINUTE);
  await v.until(() => ids.every((id) => isHealed(id)), 'in sync');
  await v.clock.advance(10 * MINUTE);
}

/** A window that is open for an hour, many hours from now. */
const CLOSED = { maintenanceWindow: { cron: '0 12 * * *', durationMinutes: 60 } };
const WEAK = { metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } };
const OPEN = {
  groups: [{ id: 'sg-0' }, { id: 'sg-9', name: 'open-to-all' }].map((each) => ({
    name: 'treza-enclave-sg-enc_1',
    ...each,
  })),
};

const ROWS: readonly [Attribute, Partial<Posture>, object?][] = [
  ['host.instanceType', { instanceType: 'm6i.2xlarge' }],
  ['host.profile', { profile: 'somebody-elses' }],
  ['host.metadata', WEAK],
  ['network.groups', OPEN],
  ['tags', { tags: { EnclaveId: ID, Environment: 'dev' } }],
  ['host.enclaveOptions', { enclavesEnabled: false }, { drift: { overrides: { host: 'replace' } } }],
  ['network.publicIp', { publicIp: '192.0.2.1' }, { drift: { overrides: { 'network.publicIp': 'replace' } } }],
];

describe('what differs of a host', () => {
  it.each(ROWS)('%s is put back by one run, and serves meanwhile', async (attribute, changes, policy) => {
    await deployed(policy);
    const before = host();
    change(changes);
    await v.until(() => lifecycle().phase === 'repairing', 'under repair', 5 * MINUTE);
    expect(lifecycle().drift).toMatchObject({ seen: 2, fingerprint: expect.stringMatching(`:${attribute}$`) });
    expect(lifecycle().message).toBe(`repairing ${attribute}`);
    const statuses = new Set<string | undefined>();
    await v.until(
      () => {
        statuses.add(v.status(ID));
        return isHealed();
      },
      'healed',
      20 * MINUTE,
    );
    expect([...statuses]).toEqual(['DEPLOYED']);
    expect(repairs()).toBe(1);
    expect(v.runs(ID).at(-1)).toMatchObject({ reason: 'repair', generation: 1, outcome: { result: 'succeeded' } });
    expect(host().posture).toEqual(before.posture);
    expect(host().instanceId === before.instanceId).toBe(policy === undefined);
    expect(JSON.stringify([v.world.record(ID), v.events(ID)])).not.toMatch(/192\.0\.2\.1|somebody-elses|open-to-all/);
  });

  it('is not repaired before another sweep has seen it too', async () => {
    await deployed();
    change(WEAK);
    await v.until(() => lifecycle().drift !== undefined, 'seen');
    expect(lifecycle().drift?.seen).toBe(1);
    expect(repairs()).toBe(0);
    change({ metadata: { endpoint: 'enabled', tokens: 'required', hopLimit: 1 } });
    await v.clock.advance(10 * MINUTE);
    expect(repairs()).toBe(0);
    expect(lifecycle().drift).toBeUndefined();
  });

  it.each([
    ['a mode', { drift: { mode: 'alert' } }],
    ['an override of its class', { drift: { overrides: { host: 'alert' } } }],
    ['an override of its name', { drift: { overrides: { 'host.metadata': 'alert' } } }],
  ])('is told and left where %s says so', async (_, policy) => {
    await deployed(policy);
    change(WEAK);
    await v.clock.advance(30 * MINUTE);
    expect(condition('InSync')).toMatchObject({ reason: 'Drifted', message: 'host.metadata: told, and not repaired' });
    expect((await scrape(metrics)).get('drift_findings{attribute="host",severity="warning"}')).toBe(1);
    expect(repairs()).toBe(0);
    expect(told()).toEqual(['host.metadata']);
  });

  it('is never replaced unasked', async () => {
    await deployed();
    change({ enclavesEnabled: false });
    await v.clock.advance(30 * MINUTE);
    expect(condition('InSync')?.message).toBe('host.enclaveOptions: told, and not repaired');
    expect([repairs(), v.world.hosts.living(ID).length]).toEqual([0, 1]);
  });

  it('is put back all at once', async () => {
    await deployed();
    change({ ...WEAK, profile: null, tags: {} });
    await v.until(() => lifecycle().phase === 'repairing', 'under repair', 5 * MINUTE);
    await v.until(isHealed, 'healed', 20 * MINUTE);
    expect(repairs()).toBe(1);
  });

  it('waits for the run slot of nobody while the fleet is frozen', async () => {
    await deployed();
    v.freeze();
    await v.clock.advance(MINUTE);
    change(WEAK);
    await v.clock.advance(20 * MINUTE);
    expect(repairs()).toBe(0);
    v.unfreeze();
    await v.until(isHealed, 'healed', 90 * MINUTE);
    expect(repairs()).toBe(1);
  });
});

describe('what only a plan shows', () => {
  it.each([
    ['aws_security_group.enclave_sg', 'ingress', 'network.rules', true],
    ['aws_iam_role_policies_exclusive.enclave_policies', 'policy_names', 'role.policies', true],
    ['aws_kms_key.enclave', 'policy', 'key.policy', true],
    ['aws_cloudwatch_log_group.enclave_logs', 'retention_in_days', 'logs.group', false],
    ['aws_instance.enclave_instance', 'disable_api_termination', 'host.terminationProtection', false],
    ['aws_s3_object.enclave_configuration', 'content', 'host.userData', false],
  ])('%s (%s) is put back by a run, which plans anew', async (address, name, attribute, security) => {
    await deployed();
    const differences = [{ address, attributes: [name] }];
    v.world.runs.fleet.plan = () => ({ drifted: true, planDigest: 'd1', differences });
    await v.until(() => lifecycle().phase === 'repairing', 'under repair', 26 * 60 * MINUTE);
    expect(lifecycle().drift?.fingerprint).toBe(`apply:${attribute}`);
    expect(condition('Secure')?.status).toBe(security ? 'False' : 'True');
    await v.until(() => isHealed(), 'healed', 20 * MINUTE);
    expect([repairs(), told()]).toEqual([1, security ? [attribute] : []]);
  });
});

describe('what weakens an enclave', () => {
  beforeEach(() => deployed());

  it('is told when it begins, by name, even where it is repaired at once; and once', async () => {
    change({ ...WEAK, profile: 'somebody-elses' });
    await v.until(() => condition('Secure')?.status === 'False', 'told', 2 * MINUTE);
    expect(condition('Secure')).toMatchObject({ reason: 'Drifted', message: 'host.metadata, host.profile' });
    await v.until(isHealed, 'healed', 20 * MINUTE);
    expect(told().sort()).toEqual(['host.metadata', 'host.profile']);
    expect(condition('Secure')?.status).toBe('True');
    expect(lifecycle().weakened).toBeUndefined();
  });

  it('is repaired although its agent is silent', async () => {
    v.world.hosts.freezeReports(v.world.hosts.living(ID)[0] as never);
    await v.clock.advance(20 * MINUTE);
    change(WEAK);
    await v.until(() => repairs() === 1, 'repaired', 10 * MINUTE);
    await v.clock.advance(30 * MINUTE);
    expect(host().posture?.metadata?.tokens).toBe('required');
    expect(v.status(ID)).toBe('DEPLOYED');
  });
});

describe('the maintenance window', () => {
  it('is waited for by what restarts the host', async () => {
    await deployed(CLOSED);
    change({ instanceType: 'm6i.2xlarge' });
    await v.until(() => /waits for the maintenance window/.test(condition('InSync')?.message ?? ''), 'waits');
    expect([repairs(), lifecycle().phase, v.status(ID)]).toEqual([0, 'ready', 'DEPLOYED']);
    await v.until(isHealed, 'healed in the window', 24 * 60 * MINUTE);
    expect(new Date(v.runs(ID).at(-1)?.requestedAt ?? '').getUTCHours()).toBe(12);
  });

  const SMALL = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 64, debug: false };
  it.each([
    ['EnclaveSize', { enclaves: [SMALL] }],
    ['ProxyDown', { proxies: [{ destination: 'a.example:443', state: 'failed' }] }],
  ])('is waited for by a restart of an enclave that runs all the same: %s', async (reason, says) => {
    await deployed(CLOSED);
    const [first] = v.world.hosts.living(ID);
    if (first === undefined) throw new Error('no host');
    v.world.hosts.ail(first, { says, cure: 'restartEnclave' });
    await v.until(() => lifecycle().message.includes(`${reason} waits for the maintenance window`), 'waits');
    expect(calls('hosts.restartEnclave')).toBe(0);
    await v.until(() => isHealed(), 'healed in the window', 24 * 60 * MINUTE);
    expect(calls('hosts.restartEnclave')).toBe(1);
  });

  it('is not waited for by what restarts nothing, nor by what lets somebody in', async () => {
    await deployed(CLOSED);
    retag({ Name: 'another' });
    await v.until(() => lifecycle().phase === 'repairing', 'tags');
    await v.until(isHealed, 'tags healed');
    change({ instanceType: 'm6i.2xlarge' });
    await v.until(() => /maintenance window/.test(condition('InSync')?.message ?? ''), 'waits');
    change(OPEN);
    await v.until(isHealed, 'both healed');
    expect(repairs()).toBe(2);
  });

  it('holds back a newer generation, and what is put back is the one before', async () => {
    await deployed(CLOSED);
    const record = v.world.record(ID);
    v.world.tables.records.put({
      ...record,
      providerConfig: { ...(record?.providerConfig as object), cpuCount: '4', instanceType: 'm6i.2xlarge' },
    });
    await v.until(() => lifecycle().generation === 2, 'edited');
    change(WEAK);
    await v.until(() => repairs() === 1, 'repaired', 10 * MINUTE);
    await v.until(() => v.runs(ID).at(-1)?.outcome !== undefined && lifecycle().phase === 'ready', 'over', 20 * MINUTE);
    expect(v.runs(ID).at(-1)).toMatchObject({ generation: 1, variables: { spec: { cpuCount: 2 } } });
    expect(lifecycle()).toMatchObject({ observedGeneration: 1, generation: 2 });
    expect(host().posture).toMatchObject({ instanceType: 'm6i.xlarge', metadata: { tokens: 'required' } });
  });
});

describe('somebody who tags again and again', () => {
  beforeEach(async () => {
    await deployed();
    for (let time = 1; time <= 2; time += 1) {
      retag({ Name: 'mine' });
      await v.until(() => lifecycle().drift !== undefined, `seen the ${time}. time`);
      await v.until(isHealed, `healed the ${time}. time`);
    }
    retag({ Name: 'mine' });
    await v.until(() => condition('InSync')?.reason === 'DriftContested', 'contested');
  });

  it('is not fought over a third time within an hour, and again after it', async () => {
    await v.clock.advance(20 * MINUTE);
    expect(repairs()).toBe(2);
    expect(condition('InSync')?.message).toMatch(/tags was repaired twice within an hour and came back/);
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.until(isHealed, 'healed', 70 * MINUTE);
    expect(repairs()).toBe(3);
  });

  it('keeps nothing else from being put back', async () => {
    change(WEAK);
    await v.until(() => repairs() === 3, 'repaired', 5 * MINUTE);
    expect(lifecycle().drift?.fingerprint).toBe('apply:host.metadata');
  });

  it('gives way to who asks', async () => {
    v.world.tables.state.put({
      pk: `request#${ID}`,
      sk: '1',
      v: 1,
      minReader: 1,
      id: ID,
      key: '1',
      verb: 'retry',
      actor: 'someone',
      at: v.clock.iso(),
    });
    await v.until(() => repairs() === 3, 'repaired', 5 * MINUTE);
  });
});

describe('what no run cures', () => {
  beforeEach(async () => {
    await deployed();
    v.world.runs.script = ({ reason }) =>
      reason === 'repair' ? { fails: { class: 'permission', message: 'not allowed' } } : {};
    retag({ Name: 'mine' });
    await v.until(() => repairs() === 3 && lifecycle().phase === 'ready', 'given up', 30 * MINUTE);
  });

  it('is given up after three runs, is told why, and serves on', async () => {
    expect(condition('InSync')).toMatchObject({ status: 'False', message: 'tags; no repair has cured it' });
    expect(lifecycle().message).toMatch(/^running; permission: not allowed; tried again/);
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.clock.advance(20 * MINUTE);
    expect(repairs()).toBe(3);
  });

  it('is tried once more after a rest', async () => {
    await v.until(() => repairs() === 4 && lifecycle().phase === 'ready', 'once more', 70 * MINUTE);
    v.world.runs.script = () => ({});
    await v.until(isHealed, 'healed', 70 * MINUTE);
    expect(repairs()).toBe(5);
    expect(lifecycle()).not.toHaveProperty('failure');
  });

  it('keeps no other difference waiting', async () => {
    await v.world.hosts.stop('us-west-2', host().instanceId);
    await v.until(() => calls('hosts.start') === 1, 'started', 5 * MINUTE);
    v.world.runs.script = () => ({});
    change(WEAK);
    await v.until(isHealed, 'all healed', 30 * MINUTE);
  });
});

describe('many at once', () => {
  const ids = Array.from({ length: 20 }, (_, n) => `enc_${n}`);

  it('that differ open the breaker: nothing, then one alone, then the rest', async () => {
    await deployed(undefined, ids);
    const all = () => ids.reduce((sum, id) => sum + repairs(id), 0);
    for (const id of ids) change(WEAK, id);
    await v.until(() => ids.every((id) => condition('InSync', id)?.status === 'False'), 'all seen');
    await v.clock.advance(5 * MINUTE);
    expect(all()).toBe(0);
    await v.until(() => all() > 0, 'one is tried', 15 * MINUTE);
    expect(all()).toBe(1);
    await v.until(() => ids.every((id) => isHealed(id)), 'all healed', 60 * MINUTE);
    expect(all()).toBe(20);
  });
});
