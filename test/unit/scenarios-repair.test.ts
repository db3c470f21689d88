/** How repairs are held back, on virtual time: by policy, by number, by what comes back, and by what they fail to heal. */
import { beforeEach, describe, expect, it } from 'vitest';
import { conditionOf } from '../../src/enclave/conditions.ts';
import { keys } from '../../src/enclave/items.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const MINUTE = 60_000;
const REGION = 'us-west-2';
const idOf = (n: number) => `enc_${n}`;

let v: VirtualOperator;
let calls: (operation: string) => number;

/** A fleet at rest, as many as asked for, each with the policy. */
async function fleet(size: number, policy?: object): Promise<void> {
  v = virtualOperator({ runInstancesPerSecond: 0, maxRuns: 1_000 });
  const { connection } = v.start();
  calls = (operation) => connection.faults.calls(operation);
  await v.clock.advance(5_000);
  for (let n = 0; n < size; n += 1) v.post(idOf(n), policy === undefined ? {} : { policy });
  await v.until(() => ids(size).every((id) => v.status(id) === 'DEPLOYED'), 'all DEPLOYED', 30 * MINUTE);
  await v.clock.advance(5 * MINUTE);
}

const ids = (size: number) => Array.from({ length: size }, (_, n) => idOf(n));
const hostOf = (id: string) => v.world.hosts.living(id)[0]!;
const stop = (id: string) => v.world.hosts.stop(REGION, hostOf(id).instanceId);
const inSync = (id: string) => conditionOf(v.lifecycle(id)?.conditions ?? [], 'InSync');
const drifted = (id: string) => inSync(id)?.status === 'False';
const healed = (id: string) => inSync(id)?.status === 'True' && hostOf(id).state === 'running';
const underRepair = (size: number) => ids(size).filter((id) => v.lifecycle(id)?.phase === 'repairing').length;

describe('policy.drift', () => {
  it.each([
    ['alert', { drift: { mode: 'alert' } }],
    ['off for the host alone', { drift: { overrides: { host: 'off' } } }],
    ['alert for this very difference', { drift: { overrides: { host: 'repair', 'host.stopped': 'alert' } } }],
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

describe('what somebody else wants so', () => {
  beforeEach(async () => {
    await fleet(1);
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
    expect(v.world.tables.history.partition(keys.events(REGION))).toEqual([]);
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

  it('that cannot be healed are tried one at a time, after a rest each', async () => {
    await fleet(20);
    for (const id of ids(20)) v.world.hosts.freezeReports(hostOf(id));
    for (const id of ids(20)) await stop(id);
    // Started, and never heard of again.
    await v.clock.advance(35 * MINUTE);
    expect(calls('hosts.start')).toBeGreaterThan(0);
    expect(calls('hosts.start')).toBeLessThanOrEqual(4);
  });
});
