/** Records that vanish in numbers, on virtual time: nothing is destroyed before someone confirms. */
import { describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import { omit } from '../../src/enclave/omit.ts';
import { scrape } from '../support/scrape.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type Process, type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const id = (n: number) => `enc_${n}`;

/** Enclaves that run already, looked after by an operator at rest. */
async function fleet(size: number): Promise<VirtualOperator & Process> {
  const v = virtualOperator();
  for (let n = 0; n < size; n += 1) {
    v.world.hosts.launch({ enclaveId: id(n), region: 'us-west-2', state: 'running', reports: true });
    v.post(id(n), { status: 'DEPLOYED' });
  }
  const process = v.start();
  await v.until(() => [...Array(size).keys()].every((n) => v.lifecycle(id(n))?.phase === 'ready'), 'all ready');
  return { ...v, ...process };
}

const living = (v: VirtualOperator, size: number) =>
  [...Array(size).keys()].filter((n) => v.world.hosts.living(id(n)).length > 0).length;
const blocked = (v: VirtualOperator, n: number) => v.condition(id(n), 'DeletionBlocked')?.reason;

/** What `enclavectl confirm-deletions` writes. */
function confirm(v: VirtualOperator): void {
  const rest = omit(v.control(), 'deletionHold', 'tableId');
  v.world.tables.state.put({ ...rest, ...keys.control, deletionsConfirmed: { actor: 'test', at: v.clock.iso() } });
}

describe('mass deletion', () => {
  it('carries out few deletions after the grace, each by itself', async () => {
    const v = await fleet(10);
    v.world.deleteRecord(id(0));
    v.world.deleteRecord(id(1));
    await v.clock.advance(4 * MINUTE);
    expect(living(v, 10)).toBe(10);
    await v.until(() => living(v, 10) === 8, 'two destroyed');
    expect(v.control().deletionHold).toBeUndefined();
  });

  it('holds many, across a restart, until they are confirmed', async () => {
    const v = await fleet(10);
    for (let n = 0; n < 4; n += 1) v.world.deleteRecord(id(n));
    await v.clock.advance(2 * HOUR);
    expect(living(v, 10)).toBe(10);
    expect(v.control().deletionHold?.reason).toContain('of the 10 enclaves that may have resources vanished');
    expect(blocked(v, 0)).toBe('DeletionHeld');
    expect(v.lifecycle(id(0))?.message).toContain('confirm-deletions');
    v.kill();
    const second = v.start();
    await v.clock.advance(2 * HOUR);
    expect(living(v, 10)).toBe(10);
    expect((await scrape(second.metrics)).get('deletions_held')).toBe(4);
    confirm(v);
    await v.until(() => living(v, 10) === 6, 'the confirmed ones destroyed', 10 * MINUTE);
    await v.clock.advance(HOUR);
    expect(living(v, 10)).toBe(6);
    expect((await scrape(second.metrics)).get('deletions_held')).toBe(0);
    expect(second.connection.log.lines.some((line) => line.level === 'error')).toBe(false);
  });

  it('destroys by command while deletions are held', async () => {
    const v = await fleet(10);
    for (let n = 0; n < 4; n += 1) v.world.deleteRecord(id(n));
    v.command(id(9), 'PENDING_DESTROY');
    await v.until(() => v.status(id(9)) === 'DESTROYED', 'DESTROYED');
    expect(living(v, 10)).toBe(9);
  });

  it('the guard does not hold deletions because of records that were never deployed', async () => {
    const v = await fleet(3);
    for (let n = 10; n < 30; n += 1) v.post(id(n), { providerConfig: { cpuCount: '999' } });
    await v.until(() => v.status(id(29)) === 'FAILED', 'FAILED');
    for (let n = 10; n < 30; n += 1) v.world.deleteRecord(id(n));
    await v.clock.advance(MINUTE);
    v.world.deleteRecord(id(0));
    await v.until(() => living(v, 3) === 2, 'the host of another enclave is destroyed', 10 * MINUTE);
    expect(v.control().deletionHold).toBeUndefined();
    expect(v.lifecycle(id(10))).toBeUndefined();
  });

  it('the guard does not hold an enclave that cannot have resources', async () => {
    const v = await fleet(10);
    v.post(id(20), { providerConfig: { cpuCount: '999' } });
    await v.until(() => v.status(id(20)) === 'FAILED', 'FAILED');
    for (let n = 0; n < 4; n += 1) v.world.deleteRecord(id(n));
    await v.clock.advance(MINUTE);
    expect(v.control().deletionHold?.reason).toContain('of the 10 enclaves that may have resources vanished');
    v.world.deleteRecord(id(20));
    await v.until(() => v.lifecycle(id(20)) === undefined, 'the lifecycle is removed', 10 * MINUTE);
    expect(living(v, 10)).toBe(10);
    expect(v.lifecycle(id(0))?.desired).toBe('Running');
  });

  it('keeps what comes back, and says so no longer', async () => {
    const v = await fleet(10);
    const records = [0, 1, 2, 3].map((n) => v.world.record(id(n))!);
    for (const record of records) v.world.deleteRecord(record.id);
    await v.clock.advance(HOUR);
    for (const record of records) v.world.putRecord(record);
    await v.clock.advance(MINUTE);
    expect(blocked(v, 0)).toBe('None');
    confirm(v);
    await v.clock.advance(2 * HOUR);
    expect(living(v, 10)).toBe(10);
  });

  it('destroys nothing when the table is made anew while the operator is away', async () => {
    const v = await fleet(2);
    expect(v.control().tableId).toBe('enclaves-1');
    v.kill();
    v.world.tables.records.recreate();
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(living(v, 2)).toBe(2);
    expect(v.control().deletionHold?.reason).toContain('another one');
    confirm(v);
    await v.until(() => living(v, 2) === 0, 'destroyed once confirmed');
    expect(v.control().tableId).toBe('enclaves-2');
  });

  it('destroys nothing when the operator comes back to an empty table', async () => {
    const v = await fleet(5);
    v.kill();
    for (let n = 0; n < 5; n += 1) v.world.deleteRecord(id(n));
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(living(v, 5)).toBe(5);
    expect(v.control().deletionHold).toBeDefined();
  });

  it('decides nothing on a restart before it knows how many are missing', async () => {
    const v = await fleet(40);
    v.kill();
    for (let n = 0; n < 20; n += 1) {
      v.world.deleteRecord(id(n));
      const lifecycle = v.lifecycle(id(n))!;
      const missingSince = v.clock.iso();
      v.world.tables.state.put({ ...lifecycle, missingSince, ...keys.lifecycle(id(n)) });
    }
    await v.clock.advance(HOUR);
    v.start();
    await v.clock.advance(HOUR);
    expect(living(v, 40)).toBe(40);
  });
});
