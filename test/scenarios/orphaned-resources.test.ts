/** What is left of enclaves that nobody knows, without a host: found only when it is sure, told once, never touched. */
import { beforeEach, describe, expect, it } from 'vitest';
import { logGroupName, resourceName, stateKey } from '../../src/enclave/names.ts';
import type { Metrics } from '../../src/reconciler/metrics/index.ts';
import { OperatorError, type StateObject } from '../../src/reconciler/ports/index.ts';
import type { MemorySurroundings } from '../support/memory-surroundings.ts';
import type { Connection } from '../support/memory-world.ts';
import { scrape } from '../support/scrape.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const OWNED = 'enc_owned';
const STRAY = 'enc_stray';
const GROUP = { kind: 'security group', name: `sg-${STRAY}` };
const LOG_GROUP = { kind: 'log group', name: logGroupName(STRAY) };
const ROLE = { kind: 'role', name: resourceName('instance-role', STRAY) };
const VOLUME = { kind: 'volume', name: 'vol-1' };

let v: VirtualOperator;
let connection: Connection;
let metrics: Metrics;

const start = () => {
  ({ connection, metrics } = v.start());
};
const listed = () => v.control().orphans ?? [];
const events = (id = STRAY) => v.events(id).filter(({ reason }) => reason === 'OrphanFound');
const calls = (kind: string) => connection.faults.calls(`surroundings.${kind}`);

/** As a run that broke off, or a hand, leaves it. */
function leave(id = STRAY): void {
  v.world.surroundings.all.set(id, { ...v.around(OWNED), groupId: `sg-${id}` });
}
/** What one list shows from now on, beside or instead of what it shows anyway. */
function show<K extends 'groups' | 'volumes' | 'logGroups' | 'roles'>(kind: K, page: readonly object[]): void {
  v.world.surroundings[kind] = async function* () {
    yield page;
  } as unknown as MemorySurroundings[K];
}
/** Operators that are started from now on see it. */
function restart(): void {
  connection.kill();
  start();
}
async function untilListed(count = 1, limitMs = 40 * MINUTE): Promise<void> {
  await v.until(() => listed().length === count, `${count} listed`, limitMs);
}

beforeEach(async () => {
  v = virtualOperator({ driftEveryMs: 0 });
  start();
  await v.clock.advance(5_000);
  await v.deploy(OWNED);
  await v.clock.advance(40 * MINUTE);
});

describe('what is left of no enclave', () => {
  it('is told once, all of it together, when two lists have shown it, and left alone', async () => {
    leave();
    const before = calls('roles');
    await untilListed();
    expect(calls('roles') - before).toBeGreaterThanOrEqual(2);
    expect(listed()).toMatchObject([
      { id: STRAY, region: 'us-west-2', instanceId: '-', resources: [GROUP, LOG_GROUP, ROLE] },
    ]);
    // What people are shown today.
    expect(listed()[0]?.state).toContain(`security group ${GROUP.name}`);
    await v.clock.advance(2 * HOUR);
    expect(events()).toHaveLength(1);
    expect(events()[0]?.count ?? 1).toBe(1);
    for (const { kind, name } of [GROUP, LOG_GROUP, ROLE]) expect(events()[0]?.message).toContain(`${kind} ${name}`);
    expect((await scrape(metrics)).get('orphans')).toBe(1);
    expect(v.world.surroundings.all.has(STRAY)).toBe(true);
    expect(v.executions(STRAY)).toEqual([]);
  });

  it('is not told of one list, nor of what an enclave that is known has', async () => {
    leave();
    const before = calls('roles');
    await v.until(() => calls('roles') > before, 'a list', 20 * MINUTE);
    await v.clock.advance(MINUTE);
    v.world.surroundings.all.delete(STRAY);
    await v.clock.advance(2 * HOUR);
    expect(listed()).toEqual([]);
    expect([...events(), ...events(OWNED)]).toEqual([]);
  });

  it('is not told while it is younger than ten minutes, however often it is listed', async () => {
    v = virtualOperator({ driftEveryMs: 0, postureMs: 2 * MINUTE });
    start();
    await v.clock.advance(5_000);
    await v.deploy(OWNED);
    leave();
    await v.clock.advance(9 * MINUTE);
    expect(listed()).toEqual([]);
    await untilListed(1, 10 * MINUTE);
  });

  it('is none where a retained enclave, one in deletion or a record speaks for it', async () => {
    const known = v.world.tables.state.get(`enclave#${OWNED}`, 'lifecycle');
    const retained = { phase: 'destroyed', retained: true, desired: 'Absent' };
    v.world.tables.state.put({ ...known, pk: `enclave#${STRAY}`, id: STRAY, ...retained });
    leave();
    v.world.putRecord({ id: 'enc_recorded', status: 'PENDING_BUILD', providerId: 'aws-nitro' });
    leave('enc_recorded');
    await v.clock.advance(2 * HOUR);
    expect(listed()).toEqual([]);
  });

  it('is told of no second time by another leader, and no longer once it is gone', async () => {
    leave();
    await untilListed();
    const [{ since } = { since: '' }] = listed();
    restart();
    await v.clock.advance(HOUR);
    expect(listed()).toMatchObject([{ id: STRAY, since }]);
    expect(events()).toHaveLength(1);
    v.world.surroundings.all.delete(STRAY);
    await untilListed(0);
  });

  it('is not believed of lists that fail, nor taken back by them', async () => {
    const heal = connection.faults.after('surroundings.groups', () => {
      throw new OperatorError('Transient', 'ec2:DescribeSecurityGroups', 'half of it');
    });
    leave();
    await untilListed();
    await v.clock.advance(HOUR);
    expect(listed()[0]?.resources).toEqual([LOG_GROUP, ROLE]);
    heal();
    await v.until(() => listed()[0]?.resources?.length === 3, 'all of it', HOUR);
    expect(events()).toHaveLength(1);
    for (const kind of ['groups', 'logGroups', 'roles']) {
      connection.faults.before(`surroundings.${kind}`, () => {
        throw new OperatorError('Blocked', kind, 'AccessDenied');
      });
    }
    v.world.surroundings.all.delete(STRAY);
    await v.clock.advance(3 * HOUR);
    expect(listed()).toHaveLength(1);
  });

  it('is one orphan with its host, and is told by itself once the host is gone', async () => {
    const host = v.world.hosts.launch({ enclaveId: STRAY, region: 'us-west-2', generation: 1 });
    leave();
    await v.clock.advance(2 * HOUR);
    expect(listed()).toMatchObject([{ id: STRAY, instanceId: host.instanceId }]);
    expect(listed()[0]?.resources).toHaveLength(4);
    expect(events()).toHaveLength(1);
    v.world.hosts.terminate(host);
    await v.until(() => listed()[0]?.instanceId === '-', 'told without its host', HOUR);
    expect(listed()).toHaveLength(1);
    expect(listed()[0]?.resources).toEqual([GROUP, LOG_GROUP, ROLE]);
  });

  it('is not believed of older lists once its host, or an enclave that was known, is gone with all of it', async () => {
    for (let minute = 0; minute < 8; minute += 1) {
      const host = v.world.hosts.launch({ enclaveId: STRAY, region: 'us-west-2', generation: 1 });
      leave();
      await v.clock.advance(HOUR + minute * 2 * MINUTE);
      v.world.surroundings.all.delete(STRAY);
      v.world.hosts.terminate(host);
      await v.clock.advance(HOUR);
    }
    expect(events().filter(({ message }) => String(message).includes('without a host'))).toEqual([]);
  });

  it('is not believed of older lists once it was taken for an enclave that is to vanish, and has', async () => {
    const objects: StateObject[] = [];
    const states = {
      async *list() {
        yield objects;
      },
    };
    v = virtualOperator({ driftEveryMs: 0, orphans: 'destroy' }, { states });
    start();
    await v.clock.advance(5_000);
    await v.deploy(OWNED);
    v.world.hosts.launch({ enclaveId: STRAY, region: 'us-west-2', generation: 1 });
    leave();
    await v.clock.advance(HOUR);
    objects.push({ enclaveId: STRAY, key: stateKey(STRAY), modifiedAt: v.clock.now() - HOUR });
    await v.until(() => v.lifecycle(STRAY) !== undefined, 'it is destroyed', 4 * HOUR);
    objects.length = 0;
    await v.until(() => v.lifecycle(STRAY) === undefined, 'it is forgotten', HOUR);
    await v.clock.advance(2 * HOUR);
    expect(v.world.surroundings.all.has(STRAY)).toBe(false);
    expect(events()).toHaveLength(1);
    expect(listed()).toEqual([]);
  });

  it('may be a volume that is attached to nothing', async () => {
    show('volumes', [{ enclaveId: STRAY, volumeId: VOLUME.name, encrypted: true }]);
    restart();
    await untilListed();
    expect(listed()).toMatchObject([{ id: STRAY, resources: [VOLUME] }]);
  });

  it('is not told where a thousand are left at once: then it is not they that are lost', async () => {
    const many = Array.from({ length: 1_001 }, (_, n) => ({ enclaveId: `${STRAY}_${n}`, volumeId: `vol-${n}` }));
    show('volumes', many);
    restart();
    await v.clock.advance(2 * HOUR);
    expect(listed()).toEqual([]);
    expect(events(`${STRAY}_0`)).toEqual([]);
  });
});

describe('a log group of no enclave', () => {
  const foreign = { enclaveId: STRAY, name: ROLE.name, trust: '{}', attachedArns: [], inline: {}, foreign: true };

  const only = () => show('logGroups', [{ enclaveId: STRAY, retentionDays: 30, kmsKeyArn: null }]);

  it('is told by its name alone', async () => {
    only();
    restart();
    await untilListed();
    expect(listed()).toMatchObject([{ id: STRAY, resources: [LOG_GROUP] }]);
  });

  it('is none where another environment of the account has a role for it, or nobody knows', async () => {
    only();
    show('roles', [foreign]);
    restart();
    await v.clock.advance(2 * HOUR);
    expect(listed()).toEqual([]);
    restart();
    connection.faults.before('surroundings.roles', () => {
      throw new OperatorError('Blocked', 'iam:GetAccountAuthorizationDetails', 'AccessDenied');
    });
    await v.clock.advance(2 * HOUR);
    expect(listed()).toEqual([]);
  });

  it('is none while another environment makes or destroys its enclave', async () => {
    const roles: object[] = [];
    const groups: object[] = [];
    show('logGroups', groups);
    show('roles', roles);
    restart();
    for (let minute = 0; minute < 15; minute += 1) {
      groups.push({ enclaveId: STRAY, retentionDays: 30, kmsKeyArn: null });
      roles.push(foreign);
      await v.clock.advance(HOUR + minute * MINUTE);
      groups.length = 0;
      roles.length = 0;
      await v.clock.advance(HOUR);
    }
    expect(events()).toEqual([]);
  });

  it('that is known is told of no second time by another leader', async () => {
    only();
    restart();
    await untilListed();
    restart();
    await v.clock.advance(2 * HOUR);
    expect(listed()).toHaveLength(1);
    expect(events()).toHaveLength(1);
    expect(events()[0]?.count ?? 1).toBe(1);
  });
});
