/** How repairs are held back, on virtual time: by policy, by number, by what comes back, and by what they fail to heal. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../../src/enclave/items/report.ts';
import type { Config } from '../../src/reconciler/config.ts';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Illness } from '../support/memory-hosts.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const REGION = 'us-west-2';
const idOf = (n: number) => `enc_${n}`;

let v: VirtualOperator;
let calls: (operation: string) => number;
let before: (operation: string, act: () => void) => void;
let after: (operation: string, act: () => void) => void;

/** A fleet at rest, as many as asked for, each with the policy. */
async function fleet(
  size: number,
  policy?: object,
  fields: Record<string, unknown> = {},
  config: Partial<Config> = {},
): Promise<void> {
  v = virtualOperator({ runInstancesPerSecond: 0, maxRuns: 1_000, ...config });
  const { connection, ...process } = v.start();
  ({ calls } = process);
  before = (operation, act) => connection.faults.before(operation, act);
  after = (operation, act) => connection.faults.after(operation, act);
  await v.clock.advance(5_000);
  await v.deploy(ids(size), policy === undefined ? fields : { policy, ...fields }, 30 * MINUTE);
  await v.clock.advance(5 * MINUTE);
}

const ids = (size: number) => Array.from({ length: size }, (_, n) => idOf(n));
const stop = (id: string) => v.world.hosts.stop(REGION, v.host(id).instanceId);
const inSync = (id: string) => v.condition(id, 'InSync');
const drifted = (id: string) => inSync(id)?.status === 'False';
const healed = (id: string) => inSync(id)?.status === 'True' && v.host(id).state === 'running';
const underRepair = (size: number) => ids(size).filter((id) => v.lifecycle(id)?.phase === 'repairing').length;

describe('policy.drift', () => {
  it.each([
    ['alert', { drift: { mode: 'alert' } }],
    ['off for the host alone', { drift: { overrides: { host: 'off' } } }],
    ['alert for this very difference', { drift: { overrides: { host: 'repair', 'host.running': 'alert' } } }],
    ['alert for it by the name of the state', { drift: { overrides: { host: 'repair', 'host.stopped': 'alert' } } }],
  ])('%s: the difference is told and left', async (_, policy) => {
    await fleet(1, policy);
    await stop(idOf(0));
    await v.until(() => drifted(idOf(0)), 'the difference is told');
    await v.clock.advance(30 * MINUTE);
    expect(inSync(idOf(0))).toMatchObject({ status: 'False', reason: 'HostStopped' });
    expect(inSync(idOf(0))?.message).toMatch(/not repaired: policy\.drift says (alert|off) of host\.stopped/);
    expect(v.lifecycle(idOf(0))).toMatchObject({ phase: 'ready', serving: true });
    expect(calls('hosts.start')).toBe(0);
  });

  it('repair of one difference, where the rest is only told', async () => {
    await fleet(1, { drift: { mode: 'alert', overrides: { host: 'repair' } } });
    await stop(idOf(0));
    await v.until(() => drifted(idOf(0)), 'seen');
    await v.until(() => healed(idOf(0)), 'repaired');
    expect(calls('hosts.start')).toBe(1);
  });

  it('changed to repair, repairs what had been left', async () => {
    await fleet(1, { drift: { mode: 'alert' } });
    await stop(idOf(0));
    await v.until(() => drifted(idOf(0)), 'seen');
    v.world.record(idOf(0));
    v.world.tables.records.put({ ...v.world.record(idOf(0))!, policy: { drift: { mode: 'repair' } } });
    await v.until(() => healed(idOf(0)), 'repaired');
  });
});

describe('policy.drift of what the host reports', () => {
  const ENCLAVE = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };
  const SMALL: Partial<Report> = { enclaves: [{ ...ENCLAVE, memoryMiB: 64 }] };
  const rule = (path: string) => ({ path, reason: 'a trial', expires: '2030-01-02T00:00:00Z' });
  const says = (report: Partial<Report>, cure: Illness['cure'] = 'restartEnclave') =>
    v.world.hosts.ail(v.host(idOf(0)), { says: report, cure });

  it.each([
    ['a rule to ignore it', { drift: { ignore: [rule('enclave.memory')] } }, undefined],
    ['a rule to ignore its class', { drift: { ignore: [rule('enclave')] } }, undefined],
    ['off for this very difference', { drift: { overrides: { 'enclave.memory': 'off' } } }, undefined],
    ['off for all', { drift: { mode: 'off' } }, undefined],
    ['alert for this very difference', { drift: { overrides: { 'enclave.memory': 'alert' } } }, 'EnclaveSize'],
    ['alert for its class', { drift: { overrides: { enclave: 'alert' } } }, 'EnclaveSize'],
  ])('%s: it is left', async (_, policy, reason) => {
    await fleet(1, policy);
    says(SMALL);
    await v.clock.advance(30 * MINUTE);
    expect(calls('hosts.restartEnclave')).toBe(0);
    expect(inSync(idOf(0))?.reason).toBe(reason ?? 'None');
    expect(v.status(idOf(0))).toBe('DEPLOYED');
  });

  it('ignored, hides nothing else', async () => {
    await fleet(1, { drift: { ignore: [rule('enclave.memory')] } });
    says({ enclaves: [{ ...ENCLAVE, memoryMiB: 64, cpuCount: 1 }] });
    await v.until(() => calls('hosts.restartEnclave') === 1, 'restarted', 10 * MINUTE);
  });

  it.each([
    ['debug mode', { enclaves: [{ ...ENCLAVE, debug: true }] }, 'DebugEnclave'],
    ['another image, under quarantine', { measurements: { PCR0: 'b2'.repeat(48) } }, 'MeasurementMismatch'],
  ])('off, makes no match of what is not to be trusted: %s', async (_, report, reason) => {
    const attestation = { enforce: 'quarantine', expectedMeasurements: [{ pcr0: 'a1'.repeat(48) }] };
    await fleet(1, { drift: { mode: 'off' } }, { providerConfig: { attestation } });
    says(report);
    await v.until(() => inSync(idOf(0))?.reason === reason, 'Unknown', 10 * MINUTE);
    expect(inSync(idOf(0))?.status).toBe('Unknown');
    expect(calls('hosts.restartEnclave')).toBe(0);
  });

  it('told only, keeps nothing graver from being repaired', async () => {
    await fleet(1, { drift: { overrides: { 'enclave.cpuCount': 'alert' } } });
    says({ enclaves: [{ ...ENCLAVE, cpuCount: 4 }], health: 'failing' });
    await v.until(() => calls('hosts.restartEnclave') === 1, 'restarted', 20 * MINUTE);
  });

  it('a way out that no repair opens leaves the enclave DEPLOYED, and is tried again after an hour', async () => {
    await fleet(1);
    const { report } = v.world.hosts;
    v.world.hosts.report = (host) => {
      host.illness = { says: { proxies: [{ destination: 'a.example:443', state: 'failed' }] }, cure: 'boot' };
      report.call(v.world.hosts, host);
    };
    v.world.hosts.report(v.host(idOf(0)));
    await v.until(() => /no repair has cured it|no way out/.test(inSync(idOf(0))?.message ?? ''), 'told', 60 * MINUTE);
    await v.clock.advance(2 * 60 * MINUTE);
    expect(v.status(idOf(0))).toBe('DEPLOYED');
    expect(inSync(idOf(0))).toMatchObject({ status: 'False', reason: 'ProxyDown' });
    const runs = v.executions(idOf(0)).length;
    expect(runs).toBeGreaterThan(3);
    await v.clock.advance(70 * MINUTE);
    expect(v.executions(idOf(0)).length).toBe(runs + 1);
  });

  it('off, makes nothing of what does not run', async () => {
    await fleet(1, { drift: { overrides: { enclave: 'off' } } });
    v.world.hosts.crashEnclave(v.host(idOf(0)));
    await v.clock.advance(30 * MINUTE);
    expect(calls('hosts.restartEnclave')).toBe(0);
    expect(inSync(idOf(0))).toMatchObject({ status: 'Unknown', reason: 'EnclaveNotRunning' });
    expect(v.condition(idOf(0), 'EnclaveRunning')?.status).toBe('False');
  });

  it('is given its own time to pass by itself, whatever differed before', async () => {
    await fleet(1, { drift: { overrides: { 'enclave.memory': 'alert' } } });
    says(SMALL);
    await v.clock.advance(15 * MINUTE);
    says({ health: 'failing' });
    await v.clock.advance(8 * MINUTE);
    expect(calls('hosts.restartEnclave')).toBe(0);
    await v.until(() => calls('hosts.restartEnclave') === 1, 'restarted', 5 * MINUTE);
  });

  it('climbs the ladder of each difference, where two take turns', async () => {
    await fleet(1);
    const two = { enclaves: [ENCLAVE, { ...ENCLAVE, name: 'enclave_1' }] };
    after('hosts.restartEnclave', () => says(calls('hosts.restartEnclave') % 2 === 0 ? SMALL : two, 'boot'));
    says(SMALL, 'boot');
    await v.until(() => calls('hosts.stop') === 1, 'its host is restarted', 60 * MINUTE);
    expect(calls('hosts.restartEnclave')).toBeLessThanOrEqual(6);
  });
});

it('attempts are remembered until the enclave has been well for half an hour', async () => {
  await fleet(1);
  const [id = ''] = ids(1);
  v.world.hosts.crashEnclave(v.host(id));
  await v.until(() => calls('hosts.restartEnclave') === 1 && healed(id), 'restarted');
  await v.until(() => v.lifecycle(id)?.phase === 'ready', 'ready again');
  await v.clock.advance(28 * MINUTE);
  expect(v.lifecycle(id)?.attempts).toMatchObject({ key: 'drift:enclave:EnclaveNotRunning', count: 1 });
  await v.clock.advance(8 * MINUTE);
  expect(v.lifecycle(id)?.attempts).toEqual({ key: '', count: 0 });
});

it('what no repair cures is tried again after an hour, whatever else was repaired meanwhile', async () => {
  await fleet(1);
  const [id = ''] = ids(1);
  const { hosts } = v.world;
  const { apply } = hosts;
  const weak = { metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } };
  hosts.apply = (host, ...made) => {
    apply.call(hosts, host, ...made);
    hosts.alter(host, weak);
  };
  hosts.alter(v.host(id), weak);
  await v.until(() => /no repair has cured it/.test(inSync(id)?.message ?? ''), 'given up', 60 * MINUTE);
  const runs = v.executions(id).length;
  hosts.crashEnclave(v.host(id));
  await v.until(() => calls('hosts.restartEnclave') === 1, 'restarted', 10 * MINUTE);
  await v.clock.advance(75 * MINUTE);
  expect(v.executions(id).length).toBe(runs + 1);
});

describe('a host that no other rung cures', () => {
  /** Whatever is done to it, nothing ever runs on it. */
  const dies = () => {
    const { hosts } = v.world;
    const { report } = hosts;
    const { instanceId } = v.host(idOf(0));
    hosts.report = (host) => {
      if (host.instanceId === instanceId) host.enclaveState = 'TERMINATED';
      report.call(hosts, host);
    };
    hosts.report(v.host(idOf(0)));
  };
  const runs = () => v.runs(idOf(0));

  it('is replaced where the policy says so, by a run that names it', async () => {
    await fleet(1, { drift: { overrides: { enclave: 'replace' } } });
    const { instanceId } = v.host(idOf(0));
    dies();
    await v.until(() => v.world.hosts.living(idOf(0))[0]?.instanceId !== instanceId, 'another host', 6 * 60 * MINUTE);
    expect(runs().at(-1)).toMatchObject({ reason: 'repair', variables: { change: 'replace', replaces: instanceId } });
    // Three of each rung before it, and a second look before each that ends what there is.
    expect([calls('hosts.restartEnclave'), calls('hosts.stop')]).toEqual([3, 3]);
    expect(calls('hosts.askToReport')).toBeGreaterThanOrEqual(2);
    await v.until(() => healed(idOf(0)) && v.lifecycle(idOf(0))?.phase === 'ready', 'healed', 30 * MINUTE);
    expect(v.lifecycle(idOf(0))?.pinned.instanceId).toBe(v.host(idOf(0)).instanceId);
    await v.clock.advance(2 * 60 * MINUTE);
    expect(v.world.hosts.living(idOf(0))).toHaveLength(1);
    expect(runs().filter(({ variables }) => variables.replaces !== undefined)).toHaveLength(1);
  });

  it('is proven after a run that took long, and is never given up meanwhile', async () => {
    await fleet(1, { drift: { overrides: { enclave: 'replace' } } });
    const { instanceId } = v.host(idOf(0));
    v.world.runs.script = () => ({ workMs: 8 * MINUTE });
    dies();
    const phases = new Set<string | undefined>();
    await v.until(
      () => {
        if (v.world.hosts.living(idOf(0))[0]?.instanceId !== instanceId) phases.add(v.lifecycle(idOf(0))?.phase);
        return phases.has('ready');
      },
      'another host that is ready',
      6 * 60 * MINUTE,
    );
    expect([...phases]).toEqual(['repairing', 'ready']);
    // A later run is not told of the host that is gone.
    const { providerConfig } = v.world.record(idOf(0))!;
    v.world.updateRecord(idOf(0), { providerConfig: { ...(providerConfig as object), memoryMiB: '2048' } });
    await v.until(() => v.lifecycle(idOf(0))?.observedGeneration === 2, 'updated', 60 * MINUTE);
    expect(runs().at(-1)?.variables).not.toHaveProperty('replaces');
  });

  it('is not replaced where it cannot be asked', async () => {
    await fleet(1, { drift: { overrides: { enclave: 'replace' } } });
    const { instanceId } = v.host(idOf(0));
    dies();
    await v.until(() => v.executions(idOf(0)).length === 4, 'three applies have not helped', 6 * 60 * MINUTE);
    const asked = calls('hosts.askToReport');
    before('hosts.askToReport', () => {
      throw new OperatorError('Blocked', 'ssm:SendCommand', 'not allowed');
    });
    await v.clock.advance(3 * 60 * MINUTE);
    expect(calls('hosts.askToReport')).toBeGreaterThan(asked);
    expect(v.host(idOf(0)).instanceId).toBe(instanceId);
  });

  it('is left where the policy does not', async () => {
    await fleet(1);
    const { instanceId } = v.host(idOf(0));
    dies();
    await v.until(() => v.lifecycle(idOf(0))?.phase === 'stalled', 'given up', 6 * 60 * MINUTE);
    expect(v.host(idOf(0)).instanceId).toBe(instanceId);
  });
});

describe.each([1, 2, 3])('what somebody else wants so, with %i attempts a step', (repairAttempts) => {
  beforeEach(async () => {
    await fleet(1, undefined, {}, { repairAttempts });
    for (let time = 0; time < 2; time += 1) {
      await stop(idOf(0));
      await v.until(() => drifted(idOf(0)), `stopped the ${time}. time`);
      await v.until(() => healed(idOf(0)), `started the ${time}. time`);
    }
    await stop(idOf(0));
    await v.until(() => inSync(idOf(0))?.reason === 'DriftContested', 'contested');
  });

  it('is not fought over a third time within an hour, and is tried again after it', async () => {
    expect(calls('hosts.start')).toBe(2);
    await v.clock.advance(20 * MINUTE);
    expect(calls('hosts.start')).toBe(2);
    expect(v.status(idOf(0))).toBe('DEPLOYED');
    await v.until(() => healed(idOf(0)), 'healed after the hour', 70 * MINUTE);
    expect(calls('hosts.start')).toBe(3);
  });

  it('is repaired at once where someone asks for it', async () => {
    v.world.tables.state.put({
      pk: `request#${idOf(0)}`,
      sk: '1',
      v: 1,
      minReader: 1,
      id: idOf(0),
      key: '1',
      verb: 'retry',
      actor: 'someone',
      at: v.clock.iso(),
    });
    await v.until(() => healed(idOf(0)), 'healed', 5 * MINUTE);
    expect(calls('hosts.start')).toBe(3);
  });
});

describe('many at once', () => {
  it('are repaired a tenth at a time', async () => {
    await fleet(30);
    let most = 0;
    // Five of thirty: no more than a fifth, so that it is no mass drift.
    for (const id of ids(5)) await stop(id);
    await v.until(() => {
      most = Math.max(most, underRepair(30));
      return ids(5).every(healed) && ids(5).every((id) => v.lifecycle(id)?.phase === 'ready');
    }, 'all healed');
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
    expect(calls('hosts.start')).toBe(5);
  });

  it('that are made at once differ from nothing: repairs of the region go on', async () => {
    await fleet(20);
    expect(v.events(REGION)).toEqual([]);
  });

  it('are too many: nothing is repaired, then one alone, then the rest', async () => {
    await fleet(20);
    for (const id of ids(20)) await stop(id);
    await v.until(() => ids(20).every(drifted), 'all seen');
    await v.clock.advance(5 * MINUTE);
    expect(calls('hosts.start')).toBe(0);
    expect(inSync(idOf(3))?.message).toMatch(/of 20 enclaves in us-west-2 differ at once/);
    expect(ids(20).map((id) => v.status(id))).toEqual(ids(20).map(() => 'DEPLOYED'));

    await v.until(() => calls('hosts.start') > 0, 'one is tried', 15 * MINUTE);
    expect(calls('hosts.start')).toBe(1);
    await v.until(() => ids(20).every(healed), 'all healed', 60 * MINUTE);
    expect(calls('hosts.start')).toBe(20);
  });

  it('are started no faster than AWS lets through, and none counts as one that was started in vain', async () => {
    const size = 200;
    await fleet(size);
    for (const id of ids(size)) await stop(id);
    await v.until(() => calls('hosts.start') > 0, 'one is tried', 30 * MINUTE);
    await v.until(() => ids(size).every(healed), 'all healed', 15 * MINUTE);
    expect(calls('hosts.start')).toBe(size);
    const breaker = v.events(REGION).map(({ message }) => message);
    expect(breaker.filter((message) => message.includes('did not heal'))).toEqual([]);
  });

  it('of which the repaired do not become ready are followed by one alone, after a rest', async () => {
    const size = 50;
    await fleet(size);
    const [first, then] = [ids(5), ids(10).slice(5)];
    for (const id of first) v.world.hosts.freezeReports(v.host(id));
    for (const id of first) await stop(id);
    const breaker = () => v.events(REGION).map(({ message }) => message);
    await v.until(
      () => breaker().some((message) => message.includes('did not heal')),
      'the roll-out stops',
      90 * MINUTE,
    );
    expect(first.filter((id) => v.lifecycle(id)?.phase === 'stalled').length).toBeGreaterThanOrEqual(3);
    const before = calls('hosts.start');
    for (const id of then) await stop(id);
    await v.clock.advance(9 * MINUTE);
    expect(calls('hosts.start')).toBe(before);
    await v.until(() => calls('hosts.start') > before, 'one is tried', 5 * MINUTE);
    await v.clock.advance(20_000);
    expect(calls('hosts.start')).toBe(before + 1);
    await v.until(() => then.every(healed), 'all that can', 20 * MINUTE);
  });

  it('that cannot be healed are tried one at a time, after a rest each', async () => {
    await fleet(20);
    for (const id of ids(20)) v.world.hosts.freezeReports(v.host(id));
    for (const id of ids(20)) await stop(id);
    // Started, and never heard of again.
    await v.clock.advance(35 * MINUTE);
    expect(calls('hosts.start')).toBeGreaterThan(0);
    expect(calls('hosts.start')).toBeLessThanOrEqual(4);
  });
});
