/** Hosts of the pipeline before this one, on virtual time: what their records say, and what is done to them. */
import { describe, expect, it } from 'vitest';
import { omit } from '../../src/enclave/omit.ts';
import { LEGACY } from '../support/legacy.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1700000000000_before';
/** As the application writes it: numbers as text. */
const CONFIG = { dockerImage: 'nginx:1.27', cpuCount: '2', memoryMiB: '1024', instanceType: 'm5.xlarge' };

/** An operator at rest that has found one host without an agent. */
async function adopted(overrides: Parameters<typeof virtualOperator>[0] = {}, more: Record<string, unknown> = {}) {
  const v = virtualOperator(overrides);
  v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
  v.post(ID, { status: 'DEPLOYED', providerConfig: CONFIG, ...more });
  v.start();
  await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'taken over');
  return v;
}

const run = (v: VirtualOperator) => {
  const item = v.runs(ID).at(-1);
  return item as { reason?: string; variables?: { change?: string; pinned?: object } } | undefined;
};

describe('a host of the old pipeline', () => {
  it('keeps its status, and is said to be neither seen nor secure', async () => {
    const v = await adopted();
    await v.clock.advance(2 * HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.condition(ID, 'EnclaveRunning')).toMatchObject({ status: 'Unknown', reason: 'LegacyHost' });
    expect(v.condition(ID, 'Secure')).toMatchObject({ status: 'False', reason: 'LegacyHost' });
    expect(v.executions(ID)).toEqual([]);
    const { operator } = v.world.record(ID) as unknown as { operator: { conditions: { type: string }[] } };
    expect(operator.conditions).toContainEqual(expect.objectContaining({ type: 'Secure', status: 'False' }));
  });

  it('keeps the references of its record, with a warning, and gets no run when they are allowed later', async () => {
    const providerConfig = { ...CONFIG, host: { subnetId: 'subnet-0123456789abcdef0' } };
    const v = virtualOperator({ environment: 'prod' }, { environment: 'prod' });
    v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
    v.post(ID, { status: 'DEPLOYED', providerConfig });
    const first = v.start();
    await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'taken over');
    await v.clock.advance(HOUR);
    expect(v.condition(ID, 'SpecValid')).toMatchObject({ status: 'True', reason: 'Valid' });
    await first.stop();
    v.config.allowedReferences.push('subnet-0123456789abcdef0');
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(v.executions(ID)).toEqual([]);
  });

  it('whose record names no image waits for its window with the first valid record, and is not created anew', async () => {
    const rest = omit(CONFIG, 'dockerImage');
    const opensOnceAYear = { maintenanceWindow: { cron: '0 3 1 1 *' } };
    const v = await adopted({}, { providerConfig: { ...rest, dockerImage: undefined }, policy: opensOnceAYear });
    expect(v.condition(ID, 'SpecValid')).toMatchObject({ status: 'False' });
    expect(v.status(ID)).toBe('DEPLOYED');
    v.edit(ID, CONFIG);
    await v.clock.advance(2 * HOUR);
    expect(v.executions(ID)).toEqual([]);
    v.world.updateRecord(ID, { policy: {}, updatedAt: v.clock.iso() });
    await v.until(() => v.executions(ID).length === 1, 'the run');
    expect(run(v)).toMatchObject({ reason: 'update', variables: { change: 'replace' } });
  });

  it('lies where its host is, whatever region the record names, and the record is told so', async () => {
    for (const status of ['DEPLOYED', 'PENDING_DEPLOY']) {
      const v = virtualOperator();
      v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
      v.post(ID, { status, region: 'eu-west-1', providerConfig: CONFIG });
      v.start();
      await v.clock.advance(HOUR);
      expect(v.executions(ID), status).toEqual([]);
      expect(v.world.hosts.living(ID)).toHaveLength(1);
      expect(v.condition(ID, 'SpecValid')).toMatchObject({ status: 'False' });
      expect(v.status(ID)).toBe(status === 'DEPLOYED' ? 'DEPLOYED' : 'FAILED');
      v.world.updateRecord(ID, { region: 'us-west-2', updatedAt: v.clock.iso() });
      v.world.putRequest(ID, 'adopt');
      await v.until(() => v.lifecycle(ID)?.pinned.legacy !== undefined, 'prepared');
      expect(v.lifecycle(ID)?.snapshot?.region).toBe('us-west-2');
      await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    }
  });

  it('is prepared by one run when that is asked for, and stays DEPLOYED meanwhile', async () => {
    const v = await adopted({}, {});
    const seen = new Set<string | undefined>();
    v.world.putRequest(ID, 'adopt');
    await v.until(() => {
      seen.add(v.status(ID));
      return v.lifecycle(ID)?.pinned.legacy !== undefined;
    }, 'prepared');
    await v.clock.advance(HOUR);
    expect(run(v)?.reason).toBe('adopt');
    expect(v.executions(ID)).toHaveLength(1);
    expect([...seen]).toEqual(['DEPLOYED']);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', adopted: true, pinned: { legacy: LEGACY } });
    expect(v.lifecycle(ID)).not.toHaveProperty('adopting');
    expect(v.condition(ID, 'Secure')).toMatchObject({ status: 'False', reason: 'LegacyHost' });
  });

  it('is not forgotten where the run has to wait for its slot', async () => {
    const v = await adopted({ maxRuns: 1 });
    v.world.runs.script = ({ id }) => (id === ID ? {} : { workMs: 20 * MINUTE });
    v.post('enc_other');
    await v.until(() => v.executions('enc_other').length === 1, 'the slot taken');
    v.world.putRequest(ID, 'adopt');
    await v.clock.advance(5 * MINUTE);
    expect(v.executions(ID)).toEqual([]);
    await v.until(() => v.lifecycle(ID)?.pinned.legacy !== undefined, 'prepared');
    expect(run(v)?.reason).toBe('adopt');
  });

  it('is prepared after a pause, where it was asked for meanwhile', async () => {
    const v = virtualOperator();
    v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'stopped', reports: false });
    v.post(ID, { status: 'PAUSED', providerConfig: CONFIG });
    v.start();
    await v.until(() => v.lifecycle(ID)?.phase === 'paused', 'taken over');
    v.world.putRequest(ID, 'adopt');
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toEqual([]);
    expect(v.status(ID)).toBe('PAUSED');
    v.command(ID, 'RESUMING');
    await v.until(() => v.lifecycle(ID)?.pinned.legacy !== undefined, 'prepared');
    expect(run(v)?.reason).toBe('adopt');
    expect(v.status(ID)).toBe('DEPLOYED');
  });

  it('stays DEPLOYED where its state is not what exists, until a person has looked', async () => {
    const v = await adopted();
    v.world.runs.script = () => ({ fails: { class: 'state', message: 'a plan would create aws_iam_role.x' } });
    v.world.putRequest(ID, 'adopt');
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    await v.clock.advance(3 * HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
    v.world.runs.script = () => ({});
    v.world.putRequest(ID, 'adopt');
    await v.until(() => v.lifecycle(ID)?.pinned.legacy !== undefined, 'prepared');
    expect(v.status(ID)).toBe('DEPLOYED');
  });

  it.each([
    ['what restarts an enclave asks for a new host', { dockerImage: 'nginx:1.28' }, 'replace'],
    ['what interrupts nothing waits for one', { logs: { retentionDays: 90 } }, 'inPlace'],
  ])('takes no changes: %s', async (_, edit, change) => {
    const v = await adopted();
    v.edit(ID, { ...CONFIG, ...edit });
    await v.until(() => v.executions(ID).length === 1, 'a run');
    expect(run(v)).toMatchObject({ reason: 'update', variables: { change } });
  });

  it('gives way to a host of our own, which is believed by its reports alone', async () => {
    const v = await adopted();
    const before = v.host(ID);
    v.world.putRequest(ID, 'adopt');
    await v.until(() => v.lifecycle(ID)?.pinned.legacy !== undefined, 'prepared');
    v.edit(ID, { ...CONFIG, dockerImage: 'nginx:1.28' });
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2 && v.lifecycle(ID)?.phase === 'ready', 'modernised');
    const hosts = v.world.hosts.living(ID);
    expect(hosts).toHaveLength(1);
    expect(hosts[0]?.instanceId).not.toBe(before.instanceId);
    expect(v.lifecycle(ID)).toMatchObject({ adopted: false });
    expect(v.lifecycle(ID)?.pinned).not.toHaveProperty('legacy');
    expect(v.condition(ID, 'Secure')).toMatchObject({ status: 'True', reason: 'None' });
  });

  it('is found by a run where the record asks for a deploy, and taken over by it', async () => {
    const v = virtualOperator();
    v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
    v.post(ID, { providerConfig: CONFIG });
    v.start();
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.world.hosts.living(ID)).toHaveLength(1);
    expect(v.lifecycle(ID)).toMatchObject({ adopted: true, pinned: { legacy: LEGACY } });
    expect(v.condition(ID, 'Secure')).toMatchObject({ status: 'False', reason: 'LegacyHost' });
  });
});

describe('unlock', () => {
  const LOCKED = { class: 'locked' as const, message: 'the state has been locked' };

  it('tries again at once where a lock was in the way, and a run that breaks it goes on', async () => {
    const v = virtualOperator({ retryBaseMs: 10 * MINUTE });
    v.world.runs.script = () => ({ fails: LOCKED });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.failure?.class === 'locked', 'locked');
    v.world.runs.script = () => ({});
    const before = v.executions(ID).length;
    v.world.putRequest(ID, 'unlock');
    await v.until(() => v.executions(ID).length > before, 'another run', MINUTE);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  });

  it('hastens nothing where something else was in the way', async () => {
    const v = virtualOperator({ retryBaseMs: 10 * MINUTE });
    v.world.runs.script = () => ({ fails: { class: 'capacity', message: 'none left' } });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.failure?.class === 'capacity', 'no capacity');
    v.world.putRequest(ID, 'unlock');
    await v.clock.advance(MINUTE);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.world.tables.state.partition(`request#${ID}`)).toEqual([]);
  });
});
