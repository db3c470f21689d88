/** What differs of a host that runs, on virtual time: what is compared, and how it is told. */
import { beforeEach, describe, expect, it } from 'vitest';
import { omit } from '../../src/enclave/omit.ts';
import { findingsOf } from '../../src/reconciler/observers/compare.ts';
import type { Posture } from '../../src/reconciler/ports/index.ts';
import { LEGACY } from '../support/legacy.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

let v: VirtualOperator;
let calls: (operation: string) => number;

const inSync = () => v.condition(ID, 'InSync');
const isStatus = (status: string) => () => inSync()?.status === status;
const change = (changes: Partial<Posture>) => v.changeHost(ID, changes);

async function deployed(policy?: object): Promise<void> {
  v = virtualOperator({});
  ({ calls } = v.start());
  await v.clock.advance(5_000);
  await v.deploy(ID, policy === undefined ? {} : { policy }, 30 * MINUTE);
  await v.until(isStatus('True'), 'in sync');
  await v.clock.advance(10 * MINUTE);
}

describe('a host that was changed', () => {
  beforeEach(() => deployed());

  it('is as it should be before', () => {
    expect(inSync()).toMatchObject({ status: 'True', reason: 'None' });
  });

  it('is told within two sweeps, by the names of what differs, and not touched where the policy says so', async () => {
    await deployed({ drift: { mode: 'alert' } });
    const before = [calls('workflows.start'), calls('hosts.stop'), calls('hosts.restartEnclave')];
    change({ metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 }, publicIp: '192.0.2.1' });
    await v.until(isStatus('False'), 'told', 2 * MINUTE);
    expect(inSync()).toMatchObject({
      reason: 'Drifted',
      message: 'host.metadata, network.publicIp: told, and not repaired',
    });
    await v.clock.advance(30 * MINUTE);
    expect([calls('workflows.start'), calls('hosts.stop'), calls('hosts.restartEnclave')]).toEqual(before);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', serving: true });
    expect(JSON.stringify(v.world.record(ID))).not.toContain('192.0.2.1');
  });

  it('is in sync again once it is changed back', async () => {
    change({ enclavesEnabled: false });
    await v.until(isStatus('False'), 'told', 2 * MINUTE);
    change({ enclavesEnabled: true });
    await v.until(isStatus('True'), 'healed', 2 * MINUTE);
  });

  it('that has a twin is told, serves on, and neither of them is touched', async () => {
    const twin = v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
    await v.until(() => inSync()?.message?.startsWith('host.duplicate') === true, 'told', 2 * MINUTE);
    expect(v.lifecycle(ID)?.findings).toMatchObject([{ attribute: 'host.duplicate', repair: 'alert' }]);
    await v.clock.advance(30 * MINUTE);
    expect(inSync()?.status).toBe('True');
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.world.hosts.living(ID).map(({ state }) => state)).toEqual(['running', 'running']);
    v.world.hosts.terminate(twin);
    await v.until(() => v.lifecycle(ID)?.findings === undefined, 'over', 2 * MINUTE);
  });

  it('of which EC2 tells less than before is no drift', async () => {
    change({ enclavesEnabled: undefined, profile: undefined, tags: undefined, metadata: {}, groups: undefined });
    await v.clock.advance(10 * MINUTE);
    expect(inSync()).toMatchObject({ status: 'True', reason: 'None' });
  });

  it('by the run of a new spec, is not: a look from before the run says nothing of what came of it', async () => {
    const record = v.world.record(ID);
    const providerConfig = { ...(record?.providerConfig as object), instanceType: 'm6i.2xlarge' };
    v.world.tables.records.put({ ...record, providerConfig });
    const reasons = new Set<string | undefined>();
    for (let seconds = 0; seconds < 15 * 60; seconds += 1) {
      await v.clock.advance(1_000);
      reasons.add(inSync()?.reason);
    }
    expect(v.host(ID).posture?.instanceType).toBe('m6i.2xlarge');
    expect(v.lifecycle(ID)).toMatchObject({ observedGeneration: 2, phase: 'ready' });
    expect(inSync()?.status).toBe('True');
    expect([...reasons]).not.toContain('Drifted');
  });

  it('is judged by a look since the phase began, while no run is under way, and only after a run of ours', () => {
    const lifecycle = v.lifecycle(ID);
    if (lifecycle === undefined) throw new Error('no lifecycle');
    const since = Date.parse(lifecycle.phaseSince);
    const run = {
      name: 'r',
      action: 'deploy',
      seq: 2,
      generation: 1,
      reason: '',
      startedAt: '',
      deadlineAt: '',
    } as const;
    const adopted = omit(lifecycle, 'snapshot');
    const said = (of: typeof lifecycle, observedAt: number) => {
      const posture = { enclavesEnabled: false };
      const host = { verdict: 'Match', state: 'running', instanceId: 'i-1', observedAt, posture } as const;
      return findingsOf(of, { host }, 'dev').some(({ verdict }) => verdict === 'Drift');
    };
    expect(said(lifecycle, since)).toBe(true);
    expect(said(lifecycle, since - 1)).toBe(false);
    expect(said({ ...lifecycle, run }, since)).toBe(false);
    expect(said(adopted, since)).toBe(false);
    expect(said({ ...lifecycle, desired: 'Absent' }, since)).toBe(false);
    expect(said({ ...lifecycle, pinned: { ...lifecycle.pinned, legacy: LEGACY } }, since)).toBe(false);
  });

  it('by a tag of somebody else, is not', async () => {
    change({ tags: { ...v.host(ID).posture?.tags, CostCenter: '42' } });
    await v.clock.advance(10 * MINUTE);
    expect(inSync()?.status).toBe('True');
  });
});

it('what the policy says is off is not told', async () => {
  await deployed({ drift: { overrides: { tags: 'off' } } });
  // Without those by which it is found, a sweep would show nothing else of it either.
  const tags = omit(v.host(ID).posture?.tags ?? {}, 'Name');
  change({ tags });
  await v.clock.advance(10 * MINUTE);
  expect(inSync()?.status).toBe('True');
  change({ profile: null });
  await v.until(isStatus('False'), 'told', 2 * MINUTE);
  expect(inSync()?.message).toBe('host.profile');
});
