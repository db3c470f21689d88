/** What the operator does for one enclave, on virtual time: every promise of the lifecycle, one scenario each. */
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/reconciler/config.ts';
import { HOUR } from '../support/time.ts';
import { deployedOperator, type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1755986905612_ouocac870';

const deployed = (config: Partial<Config> = {}) => deployedOperator(ID, config);

describe('an enclave from record to reality', () => {
  it('deploys, pauses, resumes and destroys, with one run each way', async () => {
    const v = await deployed();
    expect(v.executions(ID)).toHaveLength(1);
    v.command(ID, 'PAUSING');
    await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED');
    expect(v.world.hosts.living(ID)[0]?.state).toBe('stopped');
    v.command(ID, 'RESUMING');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED again');
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    expect(v.executions(ID)).toHaveLength(2);
    expect(v.world.hosts.living(ID)).toHaveLength(0);
  });

  it('gives a host its whole time to report, however long its run took', async () => {
    const v = virtualOperator();
    v.world.runs.script = () => ({ workMs: 25 * 60_000 });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'ready', HOUR);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.lifecycle(ID)?.attempts.count).toBe(0);
  });

  it('publishes every attribute of the contract', async () => {
    const v = await deployed();
    const instanceId = v.world.hosts.living(ID)[0]?.instanceId;
    const record = v.world.record(ID);
    expect(record).toMatchObject({
      status: 'DEPLOYED',
      instance_id: instanceId,
      architecture: 'vsocket-v2',
      workload_type: 'service',
      providerConfig: { instanceId, dockerImage: 'nginx:1.27' },
      operator: { phase: 'ready', observedGeneration: 1 },
    });
    expect(record?.updatedAt).toBe(record?.updated_at);
    expect(record).not.toHaveProperty('error_message');
    expect(record).not.toHaveProperty('error_type');
    expect(v.executions(ID)[0]).toContain(ID);
  });

  it('writes nothing while nothing changes', async () => {
    const v = await deployed();
    await v.clock.advance(5 * 60_000);
    const before = { record: v.world.record(ID), lifecycle: v.lifecycle(ID) };
    await v.clock.advance(6 * HOUR);
    expect({ record: v.world.record(ID), lifecycle: v.lifecycle(ID) }).toEqual(before);
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('names the waiting of a host that never reports, and stalls with FAILED after the limit', async () => {
    const v = virtualOperator(
      { attemptsPerGeneration: 2 },
      { hostTimings: { bootMs: 100 * HOUR, applyMs: 100 * HOUR } },
    );
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'verifying', 'verifying');
    expect(v.status(ID)).not.toBe('DEPLOYED');
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    expect(v.status(ID)).toBe('FAILED');
    expect(v.world.record(ID)?.error_type).toBe('bootstrap');
  });
});

describe('what is left alone', () => {
  for (const status of ['PENDING_BUILD', 'BUILDING', 'BUILD_FAILED', 'ACTIVE', 'no such status', '']) {
    it(`leaves a record in status "${status}" alone`, async () => {
      const v = virtualOperator();
      v.start();
      const record = v.post(ID, { status });
      await v.clock.advance(HOUR);
      expect(v.world.record(ID)).toEqual(record);
      expect(v.lifecycle(ID)).toBeUndefined();
    });
  }

  it('leaves records of another provider alone', async () => {
    const v = virtualOperator();
    v.start();
    const record = v.post(ID, { providerId: 'azure-confidential' });
    await v.clock.advance(HOUR);
    expect(v.world.record(ID)).toEqual(record);
  });

  it('leaves an enclave alone whose lifecycle a newer operator wrote', async () => {
    const v = await deployed();
    const lifecycle = v.lifecycle(ID);
    v.world.tables.state.put({ ...lifecycle, minReader: 99, pk: `enclave#${ID}`, sk: 'lifecycle' });
    v.command(ID, 'PENDING_DESTROY');
    await v.clock.advance(HOUR);
    expect(v.status(ID)).toBe('PENDING_DESTROY');
    expect(v.world.hosts.living(ID)).toHaveLength(1);
  });
});

describe('adoption', () => {
  it('takes over 50 records that say DEPLOYED without a single execution', async () => {
    const v = virtualOperator();
    for (let n = 0; n < 50; n += 1) {
      v.world.hosts.launch({ enclaveId: `enc_${n}`, region: 'us-west-2', state: 'running', reports: n % 2 === 0 });
      v.post(`enc_${n}`, { status: 'DEPLOYED' });
    }
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(v.world.runs.executions.size).toBe(0);
    for (let n = 0; n < 50; n += 1) {
      expect(v.lifecycle(`enc_${n}`)).toMatchObject({ phase: 'ready', adopted: true });
      expect(v.status(`enc_${n}`)).toBe('DEPLOYED');
    }
  });

  it('leaves hosts as another pipeline made them, however they differ from its own', async () => {
    const v = virtualOperator();
    for (const id of ['enc_0', 'enc_1']) {
      v.world.hosts.launch({
        enclaveId: id,
        region: 'us-west-2',
        state: 'running',
        reports: false,
        posture: {
          enclavesEnabled: true,
          metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 2 },
          tags: { EnclaveId: id, Environment: v.config.environment, ManagedBy: 'terraform' },
        },
      });
      v.post(id, { status: 'DEPLOYED' });
    }
    v.start();
    await v.clock.advance(6 * HOUR);
    expect(v.world.runs.executions.size).toBe(0);
    expect(v.lifecycle('enc_0')).toMatchObject({ phase: 'ready', adopted: true });
    expect(v.lifecycle('enc_0')?.findings).toBeUndefined();
    expect(v.status('enc_1')).toBe('DEPLOYED');

    // Found by a version that compared them.
    const at = v.clock.iso();
    const drift = { fingerprint: 'apply:host.metadata', seen: 2, since: at, observedAt: v.clock.now() - HOUR };
    const findings = [{ attribute: 'host.metadata', severity: 'high', repair: 'apply', since: at }];
    const found = { ...v.lifecycle('enc_0'), drift, findings, weakened: ['host.metadata'] };
    v.world.tables.state.put({ ...found, pk: 'enclave#enc_0', sk: 'lifecycle' });
    await v.clock.advance(10 * 60_000);
    for (const member of ['drift', 'findings', 'weakened']) expect(v.lifecycle('enc_0')).not.toHaveProperty(member);
    expect(v.world.runs.executions.size).toBe(0);
  });

  it('creates nothing for a DEPLOYED record without a host until it is asked to', async () => {
    const v = virtualOperator();
    v.post(ID, { status: 'DEPLOYED' });
    v.start();
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toHaveLength(0);
    expect(v.status(ID)).toBe('FAILED');
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('confirms a command from long before the installation before it carries it out', async () => {
    const v = virtualOperator();
    const old = new Date(v.clock.now() - 25 * HOUR).toISOString();
    v.post(ID, { createdAt: old, updatedAt: old });
    v.start();
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toHaveLength(0);
    expect(v.status(ID)).toBe('FAILED');
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  });

  it('carries out PAUSING and PENDING_DESTROY of records it never saw before', async () => {
    const v = virtualOperator();
    for (const id of ['enc_a', 'enc_b']) v.world.hosts.launch({ enclaveId: id, region: 'us-west-2', state: 'running' });
    v.post('enc_a', { status: 'PAUSING' });
    v.post('enc_b', { status: 'PENDING_DESTROY' });
    v.start();
    await v.until(() => v.status('enc_a') === 'PAUSED' && v.status('enc_b') === 'DESTROYED', 'both carried out');
    expect(v.executions('enc_a')).toHaveLength(0);
    expect(v.world.hosts.living('enc_b')).toHaveLength(0);
  });
});

describe('edits', () => {
  it('starts no second run for edits while PENDING_DEPLOY or DEPLOYING', async () => {
    const v = virtualOperator();
    v.start();
    await v.clock.advance(5_000);
    v.post(ID);
    for (let n = 0; n < 10; n += 1) {
      await v.clock.advance(1_000);
      v.world.updateRecord(ID, { description: `edit ${n}`, updatedAt: v.clock.iso() });
    }
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('starts nothing for a rename', async () => {
    const v = await deployed();
    v.world.updateRecord(ID, { name: 'another', description: 'other', updatedAt: v.clock.iso() });
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.lifecycle(ID)?.generation).toBe(1);
  });

  it('converges on a new providerConfig and stays DEPLOYED meanwhile', async () => {
    const v = await deployed();
    const seen = new Set<unknown>();
    v.world.updateRecord(ID, {
      providerConfig: { dockerImage: 'nginx:1.28', cpuCount: '2', memoryMiB: '2048', instanceType: 'm6i.xlarge' },
      updatedAt: v.clock.iso(),
    });
    await v.until(() => {
      seen.add(v.status(ID));
      return v.lifecycle(ID)?.observedGeneration === 2 && v.lifecycle(ID)?.phase === 'ready';
    }, 'generation 2 ready');
    expect(v.executions(ID)).toHaveLength(2);
    expect([...seen]).toEqual(['DEPLOYED']);
    expect(v.world.hosts.living(ID)[0]?.appliedGeneration).toBe(2);
    expect(v.world.record(ID)).toHaveProperty('providerConfig.instanceId');
  });

  it('leaves a serving enclave DEPLOYED with SpecValid=False after an invalid edit', async () => {
    const v = await deployed();
    v.edit(ID, { cpuCount: 'many' });
    await v.until(() => v.condition(ID, 'SpecValid')?.status === 'False', 'SpecValid=False');
    await v.clock.advance(HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.world.record(ID)?.error_message).toContain('cpuCount');
    v.edit(ID, { dockerImage: 'nginx:1.28' });
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2 && v.lifecycle(ID)?.phase === 'ready', 'valid again');
    expect(v.world.record(ID)).not.toHaveProperty('error_message');
  });

  it('refuses an invalid record with FAILED, and deploys it once it is valid', async () => {
    const v = virtualOperator();
    v.start();
    v.post(ID, { providerConfig: { cpuCount: 'many' } });
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED');
    expect(v.world.record(ID)?.error_type).toBe('validation');
    expect(v.executions(ID)).toHaveLength(0);
    v.edit(ID, { dockerImage: 'nginx:1.27' });
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  });
});

describe('failures', () => {
  it('shows the cause, backs off, stalls after the limit, retries on request and clears the error', async () => {
    const v = virtualOperator({ attemptsPerGeneration: 3 });
    v.world.runs.script = () => ({ fails: { class: 'capacity', message: 'no m6i.xlarge left', fix: 'try later' } });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'backingOff', 'backingOff');
    await v.clock.advance(1_000);
    expect(v.lifecycle(ID)?.nextAttemptAt).toBeDefined();
    expect(v.world.record(ID)).toMatchObject({
      error_type: 'capacity',
      error_message: expect.stringContaining('no m6i.xlarge left'),
    });
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    await v.clock.advance(1_000);
    expect(v.status(ID)).toBe('FAILED');
    expect(v.condition(ID, 'Stalled')?.status).toBe('True');
    expect(v.executions(ID)).toHaveLength(3);
    v.world.runs.script = () => ({});
    v.world.putRequest(ID, 'retry');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions(ID)).toHaveLength(4);
    expect(v.world.record(ID)).not.toHaveProperty('error_message');
    expect(v.world.record(ID)).not.toHaveProperty('error_type');
  });

  it('takes PENDING_DEPLOY on FAILED as one retry', async () => {
    const v = virtualOperator();
    v.world.runs.script = () => ({ fails: { class: 'permission', message: 'not authorized to do that' } });
    v.start();
    v.post(ID);
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED');
    expect(v.executions(ID)).toHaveLength(1);
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.executions(ID).length === 2, 'the retry');
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED again');
    await v.clock.advance(3 * HOUR);
    expect(v.executions(ID)).toHaveLength(2);
  });

  it('tries a stalled enclave again each hour where the cause is transient', async () => {
    const v = virtualOperator({ attemptsPerGeneration: 1 });
    v.world.runs.script = () => ({ fails: { class: 'capacity', message: 'none left' } });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    await v.clock.advance(HOUR + 60_000);
    expect(v.executions(ID)).toHaveLength(2);
    expect(v.status(ID)).toBe('FAILED');
  });

  it('records a run whose task died, and one whose workflow died too', async () => {
    for (const dies of ['task', 'workflow'] as const) {
      const v = virtualOperator();
      let deaths = 0;
      v.world.runs.script = () => (deaths++ === 0 ? { dies } : {});
      v.start();
      v.post(ID);
      await v.until(() => v.status(ID) === 'DEPLOYED', `DEPLOYED although the ${dies} died`, 2 * HOUR);
      expect(v.executions(ID)).toHaveLength(2);
      expect(v.world.runs.peak.perEnclave).toBe(1);
    }
  });

  it('publishes FAILED for a run that hangs past its deadline, cancels it, and goes on', async () => {
    const v = virtualOperator();
    let runs = 0;
    v.world.runs.script = () => (runs++ === 0 ? { workMs: 100 * HOUR } : {});
    v.start();
    v.post(ID);
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED', HOUR);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 2 * HOUR);
    expect(v.executions(ID)).toHaveLength(2);
  });
});

describe('deletion', () => {
  it('cancels a deploy in mid-run, then destroys', async () => {
    const v = virtualOperator({}, { runTimings: { workMs: 10 * 60_000 } });
    v.start();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.run !== undefined, 'the run');
    await v.clock.advance(60_000);
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    expect(v.executions(ID).map((name) => name.split('-').at(-1))).toEqual(['deploy', 'destroy']);
    expect(v.world.runs.peak.perEnclave).toBe(1);
  });

  it('carries out PENDING_DESTROY although a stale RESUMING is written after it', async () => {
    const v = await deployed();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.lifecycle(ID)?.desired === 'Absent', 'Absent');
    v.command(ID, 'RESUMING');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    expect(v.world.hosts.living(ID)).toHaveLength(0);
  });

  it('destroys an enclave whose record was deleted, after the grace, and leaves no ghost', async () => {
    const v = await deployed();
    v.world.deleteRecord(ID);
    await v.clock.advance(4 * 60_000);
    expect(v.world.hosts.living(ID)).toHaveLength(1);
    await v.until(() => v.lifecycle(ID) === undefined, 'forgotten');
    expect(v.world.hosts.living(ID)).toHaveLength(0);
    expect(v.world.record(ID)).toBeUndefined();
  });

  it('destroys what a record deleted while DEPLOYING had begun', async () => {
    const v = virtualOperator();
    v.world.runs.script = (run) => (run.action === 'deploy' ? { workMs: HOUR } : {});
    v.start();
    v.post(ID);
    await v.until(() => v.status(ID) === 'DEPLOYING', 'DEPLOYING');
    v.world.deleteRecord(ID);
    await v.until(() => v.lifecycle(ID) === undefined, 'forgotten', 3 * HOUR);
    expect(v.world.hosts.living(ID)).toHaveLength(0);
    expect(v.world.record(ID)).toBeUndefined();
  });

  it('takes a record that comes back within the grace as an undelete', async () => {
    const v = await deployed();
    const record = v.world.record(ID)!;
    v.world.deleteRecord(ID);
    await v.clock.advance(3 * 60_000);
    expect(v.lifecycle(ID)?.missingSince).toBeDefined();
    v.world.putRecord(record);
    await v.clock.advance(HOUR);
    expect(v.lifecycle(ID)?.missingSince).toBeUndefined();
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('never gives the host of a deleted record to a new one with the same id', async () => {
    const v = await deployed();
    const old = v.host(ID).instanceId;
    const incarnation = v.lifecycle(ID)?.incarnation;
    v.world.deleteRecord(ID);
    await v.clock.advance(60_000);
    v.post(ID, { walletAddress: '0x2222222222222222222222222222222222222222' });
    await v.clock.advance(60_000);
    expect(v.status(ID)).toBe('PENDING_DEPLOY');
    expect(v.world.record(ID)?.operator).toMatchObject({ message: expect.stringContaining('waiting') });
    await v.until(() => v.status(ID) === 'DEPLOYED', 'the new one DEPLOYED', 10 * 60_000);
    const hosts = v.world.hosts.living(ID);
    expect(hosts).toHaveLength(1);
    expect(hosts[0]?.instanceId).not.toBe(old);
    expect(v.lifecycle(ID)?.incarnation).not.toBe(incarnation);
    expect(new Set(v.executions(ID)).size).toBe(v.executions(ID).length);
  });

  it('keeps destroying while the destroy run fails, says why, and ends', async () => {
    const v = await deployed();
    let failures = 0;
    v.world.runs.script = (run) =>
      run.action === 'destroy' && failures++ < 7 ? { fails: { class: 'permission', message: 'denied' } } : {};
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.condition(ID, 'DeletionBlocked')?.status === 'True', 'DeletionBlocked');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 10 * HOUR);
  });

  it('deploys anew when PENDING_DEPLOY is written on DESTROYED', async () => {
    const v = await deployed();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions(ID)).toHaveLength(3);
  });

  it('destroys what was never deployed without a run', async () => {
    const v = virtualOperator({ maxRuns: 1 }, { runTimings: { workMs: 10 * 60_000 } });
    v.start();
    await v.clock.advance(5_000);
    v.post('enc_busy');
    await v.until(() => v.lifecycle('enc_busy')?.run !== undefined, 'the slot taken');
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'pending', 'pending');
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 5 * 60_000);
    expect(v.executions(ID)).toHaveLength(0);
  });
});

/** Every status that the record shows from when the enclave is out of sync until it is in sync again. */
async function statusesUntilInSync(v: VirtualOperator): Promise<readonly unknown[]> {
  const statuses = new Set<unknown>();
  await v.until(() => v.condition(ID, 'InSync')?.status === 'False', 'InSync=False');
  await v.until(() => {
    statuses.add(v.status(ID));
    return v.condition(ID, 'InSync')?.status === 'True';
  }, 'InSync=True');
  return [...statuses];
}

describe('drift of the host', () => {
  it('starts a host that was stopped behind its back; DEPLOYED stays, InSync goes and comes back', async () => {
    const v = await deployed();
    const host = v.host(ID);
    await v.world.hosts.stop('us-west-2', host.instanceId);
    expect(await statusesUntilInSync(v)).toEqual(['DEPLOYED']);
    expect(v.executions(ID)).toHaveLength(1);
    expect(host.state).toBe('running');
  });

  it('replaces a host that was terminated behind its back; DEPLOYED stays', async () => {
    const v = await deployed();
    const host = v.host(ID);
    v.world.hosts.terminate(host);
    expect(await statusesUntilInSync(v)).toEqual(['DEPLOYED']);
    expect(v.executions(ID)).toHaveLength(2);
    expect(v.world.record(ID)?.instance_id).toBe(v.world.hosts.living(ID)[0]?.instanceId);
  });

  it('restarts an enclave that died on its host', async () => {
    const v = await deployed();
    v.world.hosts.crashEnclave(v.host(ID));
    await v.until(() => v.condition(ID, 'InSync')?.status === 'False', 'InSync=False');
    await v.until(() => v.condition(ID, 'InSync')?.status === 'True', 'InSync=True');
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.status(ID)).toBe('DEPLOYED');
  });

  it('repairs nothing on the word of a call that failed', async () => {
    const v = await deployed();
    const operator = v.start();
    void operator;
    v.world.faults.before('hosts.sweep', () => {
      throw new Error('region unreachable');
    });
    await v.clock.advance(HOUR);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('does not call a resumed host DEPLOYED on the word of an old report', async () => {
    const v = await deployed();
    const host = v.host(ID);
    v.command(ID, 'PAUSING');
    await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED');
    v.world.hosts.freezeReports(host);
    v.command(ID, 'RESUMING');
    await v.until(() => host.state === 'running', 'running');
    await v.clock.advance(10 * 60_000);
    expect(v.status(ID)).toBe('RESUMING');
    v.world.hosts.freezeReports(host, false);
    v.world.hosts.report(host);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  });

  it('stops a paused host that somebody started', async () => {
    const v = await deployed();
    const host = v.host(ID);
    v.command(ID, 'PAUSING');
    await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED');
    await v.world.hosts.start('us-west-2', host.instanceId);
    await v.until(() => host.state === 'running', 'running');
    await v.until(() => host.state === 'stopped', 'stopped again');
    expect(v.status(ID)).toBe('PAUSED');
  });

  it('touches neither of two hosts with one tag', async () => {
    const v = await deployed();
    v.world.hosts.launch({ enclaveId: ID, region: 'us-west-2', state: 'running' });
    await v.clock.advance(2 * HOUR);
    expect(v.world.hosts.living(ID)).toHaveLength(2);
    expect(v.executions(ID)).toHaveLength(1);
  });
});

describe('policy', () => {
  it('suspends everything but deletion, until it ends', async () => {
    const v = virtualOperator();
    v.start();
    const until = new Date(v.clock.now() + 2 * HOUR).toISOString();
    v.post(ID, { policy: { suspend: { reason: 'audit', actor: 'ops', until } } });
    v.post('enc_other', { policy: { suspend: { reason: 'audit', until } } });
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toHaveLength(0);
    expect(v.world.record(ID)?.operator).toMatchObject({ message: expect.stringContaining('suspended by ops: audit') });
    v.command('enc_other', 'PENDING_DESTROY');
    await v.until(() => v.status('enc_other') === 'DESTROYED', 'the deletion');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED after the suspension', 2 * HOUR);
  });

  it('repairs nothing of a suspended enclave', async () => {
    const v = await deployed();
    v.world.updateRecord(ID, { policy: { suspend: { reason: 'audit', actor: 'ops' } }, updatedAt: v.clock.iso() });
    await v.clock.advance(5_000);
    v.world.hosts.terminate(v.host(ID));
    await v.clock.advance(HOUR);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.condition(ID, 'InSync')?.status).toBe('False');
  });

  it('keeps what interrupts a serving enclave for its maintenance window', async () => {
    const v = await deployed();
    // Virtual time begins at midnight UTC.
    v.world.updateRecord(ID, {
      policy: { maintenanceWindow: { cron: '0 3 * * *', durationMinutes: 60, tz: 'UTC' } },
      providerConfig: { dockerImage: 'nginx:1.28', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.xlarge' },
      updatedAt: v.clock.iso(),
    });
    await v.clock.advance(2 * HOUR);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.clock.advance(1.5 * HOUR);
    expect(v.executions(ID)).toHaveLength(2);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', observedGeneration: 2 });
  });

  it('retains what exists, keeps a tombstone, and takes it up again as it was', async () => {
    const v = await deployed();
    const host = v.host(ID);
    v.world.updateRecord(ID, { policy: { deletionPolicy: 'Retain' }, updatedAt: v.clock.iso() });
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.world.hosts.living(ID)).toEqual([host]);
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(v.world.hosts.living(ID)).toEqual([host]);
    v.world.updateRecord(ID, { policy: {}, updatedAt: v.clock.iso() });
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.world.hosts.living(ID).length === 0, 'gone after all');
  });

  it('remembers the retention of a record that is gone, and never gives the host to another owner', async () => {
    const v = virtualOperator();
    v.start();
    v.post(ID, { policy: { deletionPolicy: 'Retain' } });
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    const host = v.host(ID);
    v.world.deleteRecord(ID);
    await v.clock.advance(HOUR);
    expect(v.world.hosts.living(ID)).toEqual([host]);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'destroyed', retained: true });
    const reasons = v.lifecycle(ID)?.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
    expect(reasons).toEqual(expect.arrayContaining(['Ready False Retained', 'Secure Unknown Retained']));
    v.post(ID, { walletAddress: '0x2222222222222222222222222222222222222222' });
    await v.clock.advance(HOUR);
    expect(v.status(ID)).toBe('PENDING_DEPLOY');
    expect(v.executions(ID)).toHaveLength(1);
  });
});

describe('many at once', () => {
  it('deploys 200 records and never has more runs than the cap', async () => {
    const v = virtualOperator({ maxRuns: 16 });
    v.start();
    await v.clock.advance(5_000);
    for (let n = 0; n < 200; n += 1) v.post(`enc_${n}`);
    const all = () => Array.from({ length: 200 }, (_, n) => v.status(`enc_${n}`));
    await v.until(() => all().every((status) => status === 'DEPLOYED'), 'all DEPLOYED', 3 * HOUR);
    expect(v.world.runs.peak.all).toBeLessThanOrEqual(16);
    expect(v.world.runs.peak.all).toBeGreaterThan(8);
    expect(v.world.runs.executions.size).toBe(200);
  });

  it('reports poison records and delays no other', async () => {
    const v = virtualOperator();
    v.start();
    await v.clock.advance(5_000);
    v.post('enc_fraction', { providerConfig: { cpuCount: 1.5 } });
    v.world.putRecord({ ...v.post('enc_text'), id: 'enc_text', providerConfig: 'not a map' });
    v.post('x'.repeat(300));
    v.post('enc_junk', { junk: 'j'.repeat(390_000) });
    v.post('enc_template', { name: '${file("/etc/passwd")} %{ if true } $(id)' });
    v.post('enc_good');
    await v.until(() => v.status('enc_good') === 'DEPLOYED', 'the good one', 5 * 60_000);
    await v.until(() => v.status('enc_fraction') === 'FAILED' && v.status('enc_text') === 'FAILED', 'the bad ones');
    await v.until(() => v.status('x'.repeat(300)) === 'FAILED', 'the long id');
    await v.until(() => v.status('enc_template') === 'DEPLOYED', 'a name is data');
    await v.until(() => v.status('enc_junk') === 'DEPLOYED', 'junk is kept');
    expect(v.world.record('enc_fraction')?.error_message).toContain('cpuCount');
  });
});
