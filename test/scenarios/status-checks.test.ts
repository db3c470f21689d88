/** EC2's checks and scheduled events of hosts, on virtual time: told when EC2 says so, and never guessed. */
import { beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Connection } from '../support/memory-world.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

/** Nothing is repaired. */
const TOLD = { drift: { mode: 'alert' } };

let v: VirtualOperator;
let connection: Connection;

const inSync = () => v.condition(ID, 'InSync');
const isStatus = (status: string) => () => inSync()?.status === status;
const host = () => v.host(ID);
const impair = () => {
  host().checks = { system: 'impaired', instance: 'ok' };
};

beforeEach(async () => {
  v = virtualOperator({});
  ({ connection } = v.start());
  await v.clock.advance(5_000);
  await v.deploy(ID, { policy: TOLD }, 30 * MINUTE);
  await v.until(isStatus('True'), 'in sync');
  await v.clock.advance(10 * MINUTE);
});

describe('the status of a host', () => {
  it('is asked once a sweep, and wakes nobody while nothing is wrong', async () => {
    const calls = () =>
      ['hosts.sweep', 'hosts.status', 'records.get'].map((operation) => connection.faults.calls(operation));
    const during = async (ms: number) => {
      const before = calls();
      await v.clock.advance(ms);
      return calls().map((count, n) => count - (before[n] ?? 0));
    };
    const [, , reads] = await during(30 * MINUTE);
    host().checks = { system: 'ok', instance: 'initializing' };
    const [sweeps, asked, readsThen] = await during(30 * MINUTE);
    expect([sweeps, asked]).toEqual([30, 30]);
    expect(readsThen).toBeLessThanOrEqual(reads ?? 0);
    expect(inSync()?.status).toBe('True');
  });

  it('is told where a check is impaired, and until it is not', async () => {
    impair();
    await v.until(isStatus('False'), 'told', 2 * MINUTE);
    expect(inSync()?.message).toBe('host.statusChecks: told, and not repaired');
    host().checks = { system: 'ok', instance: 'ok' };
    await v.until(isStatus('True'), 'healed', 2 * MINUTE);
  });

  it('names what AWS has scheduled, which is nobody’s drift', async () => {
    host().events = [{ code: 'instance-retirement', description: 'Degraded hardware', notBefore: '2030-01-01' }];
    await v.until(() => inSync()?.message?.includes('host.events') === true, 'told', 2 * MINUTE);
    expect(inSync()?.status).toBe('True');
  });

  it('is unknown once it cannot be asked any more, and the sweep goes on', async () => {
    impair();
    await v.until(isStatus('False'), 'told', 2 * MINUTE);
    connection.faults.before('hosts.status', () => {
      throw new OperatorError('Blocked', 'ec2:DescribeInstanceStatus', 'UnauthorizedOperation');
    });
    await v.until(isStatus('True'), 'unknown', 2 * MINUTE);
    const sweeps = connection.faults.calls('hosts.sweep');
    await v.clock.advance(10 * MINUTE);
    expect(connection.faults.calls('hosts.sweep')).toBe(sweeps + 10);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', serving: true });
    expect(connection.log.lines.some(({ message }) => message.includes('status of hosts could not be asked'))).toBe(
      true,
    );
  });
});

it('what one page shows is believed where the next one fails', async () => {
  v = virtualOperator({}, { sweepPageSize: 1 });
  ({ connection } = v.start());
  await v.clock.advance(5_000);
  for (const id of [ID, 'enc_2']) v.post(id, { policy: TOLD });
  await v.until(() => [ID, 'enc_2'].every((id) => v.status(id) === 'DEPLOYED'), 'DEPLOYED', 30 * MINUTE);
  await v.clock.advance(10 * MINUTE);
  for (const each of v.world.hosts.all.values()) each.checks = { system: 'impaired', instance: 'ok' };
  const { status } = v.world.hosts;
  v.world.hosts.status = async function* (region, ids, signal) {
    for await (const page of status.call(v.world.hosts, region, ids, signal)) {
      yield page;
      throw new OperatorError('Transient', 'ec2:DescribeInstanceStatus', 'half of it');
    }
  };
  connection.kill();
  ({ connection } = v.start());
  await v.until(isStatus('False'), 'told', 5 * MINUTE);
  await v.clock.advance(10 * MINUTE);
  expect(v.condition('enc_2', 'InSync')?.status).toBe('True');
});
