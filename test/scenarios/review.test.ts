/** Sequences that once went wrong, on virtual time: each names what must hold instead. */
import { describe, expect, it } from 'vitest';
import type { RunItem } from '../../src/enclave/items/run.ts';
import type { Config } from '../../src/reconciler/config.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { deployedOperator, type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const EDIT = { dockerImage: 'nginx:1.28', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.xlarge' };

const deployed = (config: Partial<Config> = {}) => deployedOperator(ID, config);

const runsOf = (v: VirtualOperator) =>
  v.executions(ID).map((name) => v.world.tables.history.get(`run#${ID}`, name) as unknown as RunItem);

describe('an operator that starts after another ran for days', () => {
  it('ends a destroy whose emptiness the other had begun to see', async () => {
    const v = virtualOperator();
    const first = v.start();
    await v.clock.advance(48 * HOUR);
    await v.deploy(ID);
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.lifecycle(ID)?.teardown !== undefined, 'the destroy run done');
    first.kill();
    v.start();
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 10 * MINUTE);
  });

  it('repairs a drift the other had seen once', async () => {
    const v = virtualOperator();
    const first = v.start();
    await v.clock.advance(48 * HOUR);
    await v.deploy(ID);
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.lifecycle(ID)?.drift?.seen === 1, 'seen once');
    first.kill();
    v.start();
    await v.until(() => v.executions(ID).length === 2, 'the repair', 10 * MINUTE);
  });
});

describe('a record that is not ours to carry out', () => {
  it('of another wallet lends its spec to no run of the old enclave', async () => {
    const v = await deployed();
    v.world.deleteRecord(ID);
    await v.clock.advance(10_000);
    const other = { walletAddress: '0x2222222222222222222222222222222222222222' };
    v.post(ID, { ...other, providerConfig: { dockerImage: 'other:1' } });
    await v.clock.advance(10_000);
    v.world.hosts.terminate(v.host(ID));
    // No new host for an enclave whose record is gone: it ends after the grace, and only then the new one begins.
    await v.clock.advance(4 * MINUTE);
    expect(v.executions(ID)).toHaveLength(1);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'the new enclave', 30 * MINUTE);
    expect(runsOf(v).map(({ action, variables }) => [action, variables.spec?.dockerImage])).toEqual([
      ['deploy', 'nginx:1.27'],
      ['destroy', 'nginx:1.27'],
      ['deploy', 'other:1'],
    ]);
  });

  it('in another system’s status lends its spec to no repair', async () => {
    const v = await deployed();
    v.world.updateRecord(ID, { status: 'BUILDING', providerConfig: EDIT, updatedAt: v.clock.iso() });
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.executions(ID).length === 2, 'the repair', 10 * MINUTE);
    expect(runsOf(v)[1]?.variables.spec?.dockerImage).toBe('nginx:1.27');
    expect(v.status(ID)).toBe('BUILDING');
  });
});

describe('the policy', () => {
  it('set after the deploy is remembered when the record is gone', async () => {
    const v = await deployed();
    v.world.updateRecord(ID, { policy: { deletionPolicy: 'Retain' }, updatedAt: v.clock.iso() });
    await v.clock.advance(MINUTE);
    v.world.deleteRecord(ID);
    await v.clock.advance(HOUR);
    expect(v.world.hosts.living(ID)).toHaveLength(1);
  });

  it('goes with a destroy as it is now, not as it was when the enclave was deployed', async () => {
    const v = virtualOperator();
    v.start();
    v.post(ID, { policy: { deletionPolicy: 'Retain' } });
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    v.world.updateRecord(ID, { policy: {}, updatedAt: v.clock.iso() });
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    expect(runsOf(v).at(-1)?.variables.policy).toMatchObject({ deletionPolicy: 'Delete' });
  });
});

describe('an update', () => {
  it('still knows what it changes when it is tried again', async () => {
    const v = await deployed();
    let failures = 0;
    v.world.runs.script = () => (failures++ === 0 ? { fails: { class: 'capacity', message: 'none left' } } : {});
    v.edit(ID, { ...EDIT, instanceType: 'm6g.xlarge' });
    await v.until(() => v.executions(ID).length === 3, 'the second attempt');
    expect(runsOf(v).map((run) => [run.reason, run.variables.change])).toEqual([
      ['create', 'none'],
      ['update', 'replace'],
      ['update', 'replace'],
    ]);
  });

  it('that fails leaves an enclave that runs DEPLOYED', async () => {
    const v = await deployed();
    await v.clock.advance(10 * MINUTE);
    v.world.runs.script = () => ({ workMs: 5_000, fails: { class: 'permission', message: 'denied' } });
    v.edit(ID, EDIT);
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    await v.clock.advance(HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.world.record(ID)?.error_type).toBe('permission');
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED once the host is gone');
  });

  it('that waits for its window does not keep drift from being repaired', async () => {
    const v = await deployed();
    const window = { cron: '0 3 * * 6', durationMinutes: 60, tz: 'UTC' };
    v.world.updateRecord(ID, { providerConfig: EDIT, policy: { maintenanceWindow: window }, updatedAt: v.clock.iso() });
    await v.clock.advance(MINUTE);
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.world.hosts.living(ID)[0]?.enclaveState === 'RUNNING', 'a new host', HOUR);
  });
});

describe('repairs', () => {
  it('end: an enclave that dies again and again is applied, then stalled with a cause', async () => {
    const v = await deployed();
    const { hosts } = v.world;
    const report = hosts.report.bind(hosts);
    hosts.report = (host) => {
      host.enclaveState = 'TERMINATED';
      report(host);
    };
    hosts.crashEnclave(v.host(ID));
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled', 6 * HOUR);
    await v.clock.advance(1_000);
    expect(v.executions(ID).length).toBeGreaterThan(1);
    expect(v.status(ID)).toBe('FAILED');
    expect(v.world.record(ID)?.error_message).toContain('enclave:EnclaveNotRunning');
  });

  it('of an adopted host that never reported believe in a new host only by its report', async () => {
    const v = virtualOperator({}, { hostTimings: { bootMs: 100 * HOUR } });
    v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running', reports: false });
    v.post(ID, { status: 'DEPLOYED' });
    v.start();
    await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'adopted');
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.executions(ID).length === 1, 'the repair');
    await v.clock.advance(10 * MINUTE);
    expect(v.lifecycle(ID)?.phase).not.toBe('ready');
  });
});

describe('commands', () => {
  it('PAUSING does not wait for the pause of a failed run', async () => {
    const v = await deployed({ attemptsPerGeneration: 1 });
    v.world.runs.script = () => ({ fails: { class: 'capacity', message: 'none left' } });
    v.edit(ID, EDIT);
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    v.command(ID, 'PAUSING');
    await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED', 2 * MINUTE);
  });

  it('adopted DEPLOYED records stay DEPLOYED while EC2 cannot be asked', async () => {
    const v = virtualOperator();
    v.post(ID, { status: 'DEPLOYED' });
    const { connection } = v.start();
    connection.faults.before('hosts.sweep', () => {
      throw new Error('denied');
    });
    await v.clock.advance(2 * HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
  });

  it('a tombstone beside a record that begins nothing costs no loop', async () => {
    const v = await deployed();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    v.world.deleteRecord(ID);
    v.post(ID, { status: 'PENDING_BUILD', walletAddress: '0x2222222222222222222222222222222222222222' });
    await v.clock.advance(MINUTE);
    const next = v.start();
    void next;
    const before = v.world.tables.records.get(ID);
    await v.clock.advance(10 * MINUTE);
    expect(v.world.tables.records.get(ID)).toEqual(before);
    expect(v.lifecycle(ID)).toBeUndefined();
  });
});

describe('an enclave that waits', () => {
  it('for a slot is not looked at again and again', async () => {
    const v = virtualOperator({ maxRuns: 1 });
    v.world.runs.script = () => ({ workMs: 20 * MINUTE });
    const { connection } = v.start();
    await v.clock.advance(5_000);
    for (let n = 0; n < 20; n += 1) v.post(`enc_${n}`);
    await v.clock.advance(MINUTE);
    const before = connection.faults.calls('records.get');
    await v.clock.advance(3 * MINUTE);
    // Looked at by the one run's backstop, and by nothing else.
    expect(connection.faults.calls('records.get') - before).toBeLessThan(20);
  });
});

describe('runs', () => {
  it('that hang every time count, stall and say that they were too slow', async () => {
    const v = virtualOperator({ attemptsPerGeneration: 2 });
    v.world.runs.script = () => ({ workMs: 100 * HOUR });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled', 3 * HOUR);
    await v.clock.advance(1_000);
    expect(v.executions(ID)).toHaveLength(2);
    expect(v.world.record(ID)?.error_type).toBe('timeout');
  });

  it('destroy in the region of the record, even where its spec is not valid', async () => {
    const v = virtualOperator();
    const old = new Date(v.clock.now() - HOUR).toISOString();
    v.post(ID, { status: 'PENDING_DESTROY', region: 'eu-west-1', createdAt: old, providerConfig: { cpuCount: 'x' } });
    v.start();
    await v.until(() => v.executions(ID).length === 1, 'the destroy');
    expect(runsOf(v)[0]?.variables.region).toBe('eu-west-1');
  });

  it('whose item is missing do not trap a deletion', async () => {
    const v = virtualOperator({}, { runTimings: { claimMs: 100 * HOUR } });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.run !== undefined, 'the marker');
    v.world.tables.history.delete(`run#${ID}`, v.lifecycle(ID)?.run?.name ?? '');
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.lifecycle(ID)?.run?.action === 'destroy', 'the destroy begins', HOUR);
  });
});
