/** What an operator does about what hosts report: condition and step of every row, and back to health. */
import { describe, expect, it } from 'vitest';
import type { ConditionType } from '../../src/enclave/conditions.ts';
import { hostConfigurationOf } from '../../src/enclave/host-configuration.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const RUNNING = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1024, debug: false };

interface Stage {
  readonly v: VirtualOperator;
  readonly calls: (operation: string) => number;
  /** The host's agent writes this, over all it has said before, until it says something else. */
  readonly says: (report: Partial<Report>) => void;
}

async function deployed(providerConfig: Record<string, unknown> = {}): Promise<Stage> {
  const v = virtualOperator({ repairAttempts: 1 });
  const { calls } = v.start();
  await v.clock.advance(5_000);
  await v.deploy(ID, { providerConfig });
  return { v, calls, says: (report) => v.report(ID, report) };
}

const is = ({ v }: Stage, type: ConditionType) => v.conditionText(ID, type);

describe('what a host reports', () => {
  it.each<[string, Partial<Report>, string, string]>([
    ['a crash', { enclaves: [] }, 'EnclaveNotRunning', 'restartEnclave'],
    ['debug mode', { enclaves: [{ ...RUNNING, debug: true }] }, 'DebugEnclave', 'restartEnclave'],
    ['the wrong size', { enclaves: [{ ...RUNNING, memoryMiB: 512 }] }, 'EnclaveSize', 'restartEnclave'],
    [
      'a way out that is not there',
      { proxies: [{ destination: 'a.example:443', state: 'failed' }] },
      'ProxyDown',
      'restartEnclave',
    ],
    ['a second enclave', { enclaves: [RUNNING, { ...RUNNING, name: 'other' }] }, 'ExtraEnclaves', 'restartEnclave'],
    [
      'an allocator that lied',
      { enclaves: [], allocator: { cpuCount: 0, memoryMiB: 0, ok: false } },
      'AllocatorShort',
      'restartAllocator',
    ],
    ['one that does not end', { enclaves: [{ ...RUNNING, state: 'TERMINATING' }] }, 'EnclaveTerminating', 'stop'],
  ])('%s: InSync says so, it is cured, and the record stays DEPLOYED', async (_, report, reason, step) => {
    const stage = await deployed();
    const { v, calls } = stage;
    const cure = step === 'stop' ? 'boot' : (step as 'restartEnclave' | 'restartAllocator');
    v.world.hosts.ail(v.host(ID), { says: report, cure });
    await v.until(() => is(stage, 'InSync') === `False ${reason}`, reason);
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.until(() => calls(`hosts.${step}`) === 1, step);
    await v.until(() => is(stage, 'InSync').startsWith('True') && v.lifecycle(ID)?.phase === 'ready', 'ready');
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.executions(ID)).toHaveLength(1);
    const others = ['restartEnclave', 'restartAllocator', 'stop'].filter((each) => each !== step);
    expect(others.map((each) => calls(`hosts.${each}`))).toEqual([0, 0]);
  });

  it.each<[string, Partial<Report>, Partial<Report>]>([
    [
      'enclave.proxies',
      { proxies: [{ destination: 'a.example:443', state: 'failed' }] },
      { proxies: [{ destination: 'a.example:443', state: 'active' }] },
    ],
    // What the report leaves out does not keep a finding of an enclave that is as it should be.
    ['enclave.health', { health: 'failing' }, { health: 'none' }],
  ])('keeps %s among the findings of the enclave, and drops it once that is over', async (attribute, bad, good) => {
    const { v, says } = await deployed({ exposePorts: [80] });
    const names = () => v.lifecycle(ID)?.findings?.map((each) => `${each.attribute} ${each.repair}`);
    says(bad);
    await v.until(() => names() !== undefined, 'it is found', 2 * MINUTE);
    expect(names()).toEqual([`${attribute} restartEnclave`]);
    says(good);
    await v.until(() => names() === undefined, 'it is over', 2 * MINUTE);
  });

  it('leaves one that is terminating the time it may take', async () => {
    const { v, calls, says } = await deployed();
    says({ enclaves: [{ ...RUNNING, state: 'TERMINATING' }] });
    await v.clock.advance(1.5 * MINUTE);
    expect(calls('hosts.stop')).toBe(0);
  });

  it('a socket that cannot be read is Unknown, and nothing is repaired for it', async () => {
    const stage = await deployed();
    const { v, calls, says } = stage;
    says({ observed: false, enclaves: [], error: { class: 'transient', message: 'nitro-cli: E39' } });
    await v.until(() => is(stage, 'EnclaveRunning') === 'Unknown EnclavesUnobserved', 'Unknown');
    await v.clock.advance(20 * MINUTE);
    expect(['restartEnclave', 'restartAllocator', 'stop'].map((each) => calls(`hosts.${each}`))).toEqual([0, 0, 0]);
    expect(v.status(ID)).toBe('DEPLOYED');
  });

  it('a failing health check: not Ready at once, restarted only where the host has not cured it', async () => {
    const stage = await deployed({ exposePorts: [80] });
    const { v, calls, says } = stage;
    says({ health: 'failing' });
    await v.until(() => is(stage, 'Healthy') === 'False HealthCheckFailing', 'unhealthy');
    expect(is(stage, 'Ready')).toBe('False HealthCheckFailing');
    expect(is(stage, 'EnclaveRunning')).toBe('True Running');
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.clock.advance(3 * MINUTE);
    says({ health: 'passing' });
    await v.until(() => is(stage, 'Healthy') === 'True HealthCheckPassing', 'healthy again');
    expect(is(stage, 'Ready')).toBe('True Running');
    expect(calls('hosts.restartEnclave')).toBe(0);
    says({ health: 'failing' });
    v.world.hosts.freezeReports(v.host(ID));
    await v.until(() => calls('hosts.restartEnclave') === 1, 'the restart');
  });

  it('is insecure in debug mode, and an event says so once', async () => {
    const stage = await deployed();
    const { v, says } = stage;
    says({ enclaves: [{ ...RUNNING, debug: true }] });
    await v.until(() => is(stage, 'Secure') === 'False DebugEnclave', 'insecure');
    await v.until(() => is(stage, 'Secure') === 'True None', 'cured');
    const events = v.events(ID);
    const findings = events.filter(({ reason }) => reason === 'SecurityFinding');
    expect(findings).toMatchObject([{ type: 'Warning', message: 'DebugEnclave' }]);
    expect(findings[0]?.count ?? 1).toBe(1);
  });

  it('debug mode that the spec asks for is named as such, raises no security finding, and ends with the enclave', async () => {
    const stage = await deployed({ enableDebug: true });
    const { v } = stage;
    expect(is(stage, 'Ready')).toBe('True Running');
    expect(v.condition(ID, 'Secure')).toMatchObject({
      ...{ status: 'False', reason: 'DebugRequested' },
      message: 'The enclave runs in debug mode, as the spec asks.',
    });
    const findings = () => v.events(ID).filter(({ reason }) => reason === 'SecurityFinding');
    expect(findings()).toEqual([]);
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    for (const type of ['EnclaveRunning', 'Healthy', 'MeasurementsReported', 'Secure'] as const) {
      const { status, reason, message } = v.condition(ID, type)!;
      expect({ type, status, reason, message }).toEqual({
        ...{ type, status: type === 'EnclaveRunning' ? 'False' : 'Unknown', reason: 'Destroyed' },
        message: 'Every resource of the enclave is gone.',
      });
    }
    expect(findings()).toEqual([]);
  });

  it('measurements: only told where none are expected, a finding where others are, not Ready under quarantine', async () => {
    const pcr0 = 'ab'.repeat(48);
    const stage = await deployed({ attestation: { enforce: 'quarantine', expectedMeasurements: [{ pcr0 }] } });
    const { v, says } = stage;
    expect(is(stage, 'MeasurementsReported')).toBe('True Reported');
    expect(is(stage, 'Secure')).toBe('True None');
    says({ measurements: { PCR0: 'cd'.repeat(48) } });
    await v.until(() => is(stage, 'Secure') === 'False MeasurementMismatch', 'the finding');
    await v.until(() => is(stage, 'Ready').startsWith('False'), 'not Ready');
  });

  it('remembers what a tag was resolved to, once, and tells the next host of that image alone', async () => {
    const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
    const { v, says } = await deployed({ dockerImage: 'app:1' });
    const told = () => {
      const { snapshot, pinned } = v.lifecycle(ID)!;
      return hostConfigurationOf(ID, { ...snapshot!, pinned }, 'state')?.imageDigest;
    };
    says({ imageDigest: '$(reboot)' });
    await v.clock.advance(MINUTE);
    expect(told()).toBeUndefined();
    says({ imageDigest: digest('a') });
    await v.until(() => told() === digest('a'), 'the digest');
    says({ imageDigest: digest('b') });
    await v.clock.advance(MINUTE);
    expect(told()).toBe(digest('a'));
    const { providerConfig } = v.world.record(ID)!;
    v.world.updateRecord(ID, {
      providerConfig: { ...(providerConfig as object), dockerImage: 'app:2' },
      updatedAt: v.clock.iso(),
    });
    await v.until(() => v.lifecycle(ID)?.snapshot?.spec?.dockerImage === 'app:2', 'a run with the new image');
    expect(told()).toBeUndefined();
  });
});

describe('a batch that has completed', () => {
  const completes = (stage: Stage) => stage.says({ enclaves: [], completed: true });
  const policy = (stage: Stage, onCompletion: string) =>
    stage.v.world.tables.records.put({ ...stage.v.world.record(ID)!, policy: { onCompletion } });

  it('leaves its host running by default', async () => {
    const stage = await deployed({ workloadType: 'batch' });
    stage.v.world.hosts.freezeReports(stage.v.host(ID));
    completes(stage);
    await stage.v.until(() => is(stage, 'EnclaveRunning') === 'True Completed', 'completed');
    await stage.v.clock.advance(60 * MINUTE);
    expect(stage.calls('hosts.stop')).toBe(0);
    expect(stage.v.status(ID)).toBe('DEPLOYED');
  });

  it('has its host stopped by policy, once, and stays DEPLOYED; a new spec starts it again', async () => {
    const stage = await deployed({ workloadType: 'batch' });
    const { v, calls } = stage;
    policy(stage, 'stopHost');
    await v.clock.advance(MINUTE);
    expect(calls('hosts.stop')).toBe(0);
    completes(stage);
    await v.until(() => v.world.hosts.living(ID)[0]?.state === 'stopped', 'stopped');
    await v.clock.advance(3 * 60 * MINUTE);
    expect(calls('hosts.stop')).toBe(1);
    expect(calls('hosts.start')).toBe(0);
    expect(v.executions(ID)).toHaveLength(1);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', message: 'completed; the host is stopped' });
    expect([is(stage, 'InSync'), is(stage, 'EnclaveRunning'), is(stage, 'Provisioned')]).toEqual([
      'True None',
      'False Completed',
      'False Completed',
    ]);

    const record = v.world.record(ID)!;
    const providerConfig = { ...(record.providerConfig as object), dockerImage: 'nginx:1.28' };
    v.world.tables.records.put({ ...record, providerConfig, updatedAt: v.clock.iso() });
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2 && v.lifecycle(ID)?.phase === 'ready', 'applied');
    expect(v.world.hosts.living(ID)[0]?.state).toBe('running');
    expect(calls('hosts.start')).toBe(1);
  });
});

it('differs in nothing where one look missed its host, and its agent is silent', async () => {
  const stage = await deployed();
  const { v } = stage;
  v.world.hosts.freezeReports(v.host(ID));
  await v.until(() => is(stage, 'EnclaveRunning').startsWith('Unknown'), 'its agent is silent', 60 * MINUTE);
  v.world.hosts.blind = true;
  await v.until(() => v.lifecycle(ID)?.drift?.fingerprint === 'host:gone', 'a look misses it');
  v.world.hosts.blind = false;
  await v.until(() => v.lifecycle(ID)?.drift === undefined, 'it is there', 5 * MINUTE);
  expect(v.executions(ID)).toHaveLength(1);
});

describe('a host that writes more to its report partition than its report', () => {
  /** As a hostile host writes: whole reports, under instance ids of its own invention. */
  const fill = (v: VirtualOperator, count: number, round = 0) => {
    for (let index = 0; index < count; index += 1) {
      const { pk, sk } = keys.report(ID, `i-${round}-${index}`);
      const report = { v: 1, minReader: 1, id: ID, instanceId: sk, bootId: 'b', sequence: 1, appliedGeneration: 1 };
      v.world.tables.state.put({ ...report, at: 'x', enclaves: [RUNNING], pk, sk });
    }
  };

  it('does not keep its enclave from becoming ready', async () => {
    const v = virtualOperator();
    fill(v, 2_000);
    const { state } = v.world.tables;
    const all = state.partition.bind(state);
    state.partition = (pk) => {
      if (pk === keys.report(ID, '').pk) throw new Error('the whole partition of reports does not fit into memory');
      return all(pk);
    };
    v.start();
    await v.clock.advance(5_000);
    v.post(ID);
    await v.until(() => v.status(ID) === 'DEPLOYED' && v.lifecycle(ID)?.phase === 'ready', 'ready');
  });

  it('does not hide that its own report has become silent', async () => {
    const stage = await deployed();
    const { v } = stage;
    v.world.hosts.freezeReports(v.host(ID));
    for (let minute = 0; minute < 40; minute += 1) {
      fill(v, 1, minute);
      await v.clock.advance(MINUTE);
    }
    expect(is(stage, 'EnclaveRunning')).toBe('Unknown ReportSilent');
  });

  it('has a report of hundreds of kilobytes ignored, and the next one of usual size believed', async () => {
    const stage = await deployed();
    const { v, says } = stage;
    v.world.hosts.freezeReports(v.host(ID));
    says({ enclaves: [{ ...RUNNING, name: 'x'.repeat(300_000) }] });
    await v.until(() => is(stage, 'EnclaveRunning') === 'Unknown NoReport', 'the report is ignored');
    expect(v.status(ID)).toBe('DEPLOYED');
    says({ enclaves: [RUNNING] });
    await v.until(() => is(stage, 'EnclaveRunning') === 'True Running', 'the report is believed');
  });
});
