import { describe, expect, it } from 'vitest';
import { outlookText } from '../../src/reconciler/run-outlook.ts';
import { type RunKind, RunSlots, type RunSlotsOptions } from '../../src/reconciler/run-slots.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

function setUp(limits: Partial<RunSlotsOptions> = {}) {
  const clock = new VirtualClock();
  const woken: string[] = [];
  const wake = (id: string) => woken.push(id);
  const slots = new RunSlots({ clock, max: 1, maxPerOwner: 0, createsPerSecond: 0, wake, ...limits });
  slots.counted();
  return { clock, woken, slots };
}

const asker = (kind: RunKind, owner = 'wallet') => ({ kind, owner });
const change = asker('change');
const create = asker('create');
const destroy = asker('destroy');

describe('run slots', () => {
  it('wakes the enclave that waited longest, one a free slot', () => {
    const { slots, woken } = setUp({ max: 2 });
    slots.hold('a', change);
    slots.hold('b', change);
    for (const id of ['c', 'd', 'e']) {
      expect(slots.isFree(id, change)).toBe(false);
      slots.wait(id, change);
    }
    slots.release('a');
    expect(woken).toEqual(['c']);
    slots.hold('c', change);
    slots.release('b');
    expect(woken).toEqual(['c', 'd']);
  });

  it('passes the turn on where the one that was woken wants none, or cannot say', () => {
    const { slots, woken } = setUp();
    slots.hold('a', change);
    for (const id of ['b', 'c', 'd']) slots.wait(id, change);
    slots.release('a');
    slots.release('b');
    slots.leave('c');
    expect(woken).toEqual(['b', 'c', 'd']);
  });

  it('gives none away before those of before are counted, then serves the line', () => {
    const woken: string[] = [];
    const wake = (id: string) => woken.push(id);
    const slots = new RunSlots({ clock: new VirtualClock(), max: 1, maxPerOwner: 0, createsPerSecond: 0, wake });
    expect(slots.isFree('a', change)).toBe(false);
    slots.wait('a', change);
    expect(woken).toEqual([]);
    slots.counted();
    expect(woken).toEqual(['a']);
    expect(slots.isFree('a', change)).toBe(true);
  });

  it('holds what was found at a start even above the cap', () => {
    const { slots } = setUp();
    slots.hold('a', change, true);
    slots.hold('b', change, true);
    expect(slots.inFlight).toBe(2);
    slots.release('a');
    expect(slots.isFree('c', change)).toBe(false);
  });

  it('keeps the slot for the one that was woken', () => {
    const { slots } = setUp();
    slots.hold('a', change);
    slots.wait('b', change);
    slots.release('a');
    expect(slots.isFree('newcomer', change)).toBe(false);
    expect(slots.isFree('b', change)).toBe(true);
    slots.hold('b', change);
    slots.release('b');
    expect(slots.isFree('newcomer', change)).toBe(true);
  });

  it('serves destroys first, and the others in the order they came', () => {
    const { slots, woken } = setUp();
    slots.hold('a', change);
    slots.wait('create', create);
    slots.wait('change', change);
    slots.wait('destroy', destroy);
    for (const id of ['a', 'destroy', 'create']) {
      slots.release(id);
      const next = woken.at(-1)!;
      slots.hold(next, next === 'destroy' ? destroy : change);
    }
    expect(woken).toEqual(['destroy', 'create', 'change']);
  });

  it('caps the runs of one wallet, holds up no other for it, and lets its destroys pass', () => {
    const { slots, woken } = setUp({ max: 3, maxPerOwner: 1 });
    slots.hold('a1', asker('change', 'a'));
    expect(slots.isFree('a2', asker('change', 'a'))).toBe(false);
    slots.wait('a2', asker('change', 'a'));
    expect(slots.isFree('b1', asker('change', 'b'))).toBe(true);
    slots.hold('b1', asker('change', 'b'));
    expect(slots.isFree('a3', asker('destroy', 'a'))).toBe(true);
    expect(slots.outlook('a2', asker('change', 'a')).ownRuns).toBe(1);
    expect(woken).toEqual([]);
    slots.release('a1');
    expect(woken).toEqual(['a2']);
  });

  it('paces creations, and nothing else', async () => {
    const { clock, slots, woken } = setUp({ max: 100, createsPerSecond: 0.5 });
    const begunAt: number[] = [];
    const begin = (id: string) => {
      if (!slots.isFree(id, create)) return slots.wait(id, create);
      begunAt.push(clock.monotonic() / 1_000);
      slots.hold(id, create);
    };
    for (let n = 0; n < 5; n += 1) begin(`c${n}`);
    expect(slots.isFree('change', change)).toBe(true);
    for (let n = 0; n < 40; n += 1) {
      await clock.advance(250);
      for (const id of woken.splice(0)) begin(id);
    }
    // A burst of 1.25, then one every two seconds.
    expect(begunAt).toEqual([0, 1.5, 3.5, 5.5, 7.5]);
  });

  it('tells how many are ahead, how fast they go, and how long that takes', async () => {
    const { clock, slots } = setUp({ max: 4, createsPerSecond: 0.5 });
    const text = (id: string, asked = create) => outlookText(slots.outlook(id, asked));
    for (let n = 0; n < 4; n += 1) slots.hold(`run-${n}`, change);
    for (let n = 0; n < 341; n += 1) slots.wait(`c${n}`, create);
    expect(text('c0')).toBe('waiting for a free run slot: next in line');
    expect(text('c1')).toBe('waiting for a free run slot: less than a minute: 1 creation is ahead, 0.5 a second');
    expect(text('c340')).toBe('waiting for a free run slot: about 11 minutes: 340 creations are ahead, 0.5 a second');
    // Runs turn out to take 80 s: four at a time is one every 20 s, whatever the pace.
    await clock.advance(80_000);
    slots.release('run-0');
    expect(text('c340')).toBe('waiting for a free run slot: about 113 minutes: 340 creations are ahead, 3 a minute');
  });
});

describe('run slots of a whole operator', () => {
  it('has only enclaves in line that would begin a run: those at rest do not delay them', async () => {
    const v = virtualOperator({ maxRuns: 1 });
    const { loop } = v.start();
    await v.clock.advance(5_000);
    for (let n = 0; n < 5; n += 1) v.post(`enc_old_${n}`);
    const ready = () => [0, 1, 2, 3, 4].every((n) => v.status(`enc_old_${n}`) === 'DEPLOYED');
    await v.until(ready, 'five at rest');
    v.post('enc_new_1');
    v.post('enc_new_2');
    await v.until(() => v.lifecycle('enc_new_1')?.run !== undefined, 'the slot taken');
    // All of them are looked at while the slot is taken.
    for (let n = 0; n < 5; n += 1) v.world.hosts.report(v.world.hosts.living(`enc_old_${n}`)[0]!);
    await v.clock.advance(10_000);
    expect(loop.controller?.runsWaiting).toBe(1);
  });

  it('paces creations to the refill of RunInstances, and says how long the others wait', async () => {
    const v = virtualOperator({ maxRuns: 100, runInstancesPerSecond: 0.1 });
    v.start();
    await v.clock.advance(5_000);
    const ids = Array.from({ length: 12 }, (_, n) => `enc_${n}`);
    for (const id of ids) v.post(id);
    const messages = () => ids.map((id) => (v.world.record(id)?.operator as { message: string } | undefined)?.message);
    await v.until(() => messages().some((message) => message?.includes('ahead')), 'an honest wait');
    expect(
      messages().some((message) => /about \d minutes?: \d+ creations are ahead, 0.1 a second/.test(message ?? '')),
    ).toBe(true);
    await v.until(() => ids.every((id) => v.status(id) === 'DEPLOYED'), 'all deployed');
    const starts = [...v.world.runs.executions.values()].map((run) => run.startedAtMs).sort((a, b) => a - b);
    const gaps = starts.slice(1).map((at, n) => at - starts[n]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(9_900);
  });

  it('destroys before it creates, when both wait', async () => {
    const v = virtualOperator({ maxRuns: 1 });
    v.start();
    await v.clock.advance(5_000);
    v.post('enc_old');
    await v.until(() => v.status('enc_old') === 'DEPLOYED', 'the old one');
    for (let n = 0; n < 3; n += 1) v.post(`enc_${n}`);
    const phases = () => [0, 1, 2].map((n) => v.lifecycle(`enc_${n}`)?.phase).sort();
    await v.until(() => phases().join() === 'pending,pending,provisioning', 'a line');
    const begun = v.world.runs.executions.size;
    v.command('enc_old', 'PENDING_DESTROY');
    await v.until(() => [0, 1, 2].every((n) => v.status(`enc_${n}`) === 'DEPLOYED'), 'the line served');
    const order = [...v.world.runs.executions.values()].map((run) => `${run.action} ${run.enclaveId}`);
    expect(begun).toBe(2);
    expect(order[begun]).toBe('destroy enc_old');
  });

  it('holds a wallet to its quota, says so, and goes on when one of its enclaves is gone', async () => {
    // No list comes to its help.
    const v = virtualOperator({ maxEnclavesPerWallet: 2, relistMs: 24 * 3_600_000 });
    v.start();
    await v.clock.advance(5_000);
    const other = { walletAddress: '0x2222222222222222222222222222222222222222' };
    for (let n = 0; n < 3; n += 1) {
      v.post(`enc_${n}`);
      await v.clock.advance(1_000);
    }
    v.post('enc_other', other);
    await v.until(() => ['enc_0', 'enc_1', 'enc_other'].every((id) => v.status(id) === 'DEPLOYED'), 'the others');
    await v.clock.advance(600_000);
    expect(v.executions('enc_2')).toEqual([]);
    expect(v.lifecycle('enc_2')?.message).toContain('QUOTA: the wallet has 2 enclaves, and may have 2');
    expect(v.lifecycle('enc_2')?.conditions.find(({ type }) => type === 'Progressing')?.reason).toBe('QuotaExceeded');
    v.command('enc_0', 'PENDING_DESTROY');
    await v.until(() => v.status('enc_0') === 'DESTROYED', 'one gone');
    await v.clock.advance(1_000);
    expect(v.executions('enc_2')).toHaveLength(1);
    await v.until(() => v.status('enc_2') === 'DEPLOYED', 'the one that waited', 600_000);
  });
});
