import { describe, expect, it } from 'vitest';
import { type RunKind, RunSlots, type RunSlotsOptions } from '../../../../src/reconciler/limits/run-slots.ts';
import { waitEstimateText } from '../../../../src/reconciler/limits/wait-estimate.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { virtualOperator } from '../../../support/virtual-operator.ts';

function setUp(limits: Partial<RunSlotsOptions> = {}) {
  const clock = new VirtualClock();
  const woken: string[] = [];
  const wake = (id: string) => woken.push(id);
  const slots = new RunSlots({ clock, max: 1, maxPerOwner: 0, createsPerSecond: 0, wake, ...limits });
  slots.allListed();
  return { clock, woken, slots };
}

const run = (kind: RunKind, owner = 'wallet') => ({ kind, owner });
const change = run('change');
const create = run('create');
const destroy = run('destroy');

describe('run slots', () => {
  it('wakes the enclave that waited longest, one a free slot', () => {
    const { slots, woken } = setUp({ max: 2 });
    for (const id of ['a', 'b']) expect(slots.reserve(id, change).kind).toBe('reserved');
    for (const id of ['c', 'd', 'e']) expect(slots.reserve(id, change).kind).toBe('wait');
    slots.release('a');
    expect(woken).toEqual(['c']);
    expect(slots.reserve('c', change).kind).toBe('reserved');
    slots.release('b');
    expect(woken).toEqual(['c', 'd']);
  });

  it('passes the turn on where the one that was woken wants none, or cannot say', () => {
    const { slots, woken } = setUp();
    for (const id of ['a', 'b', 'c', 'd']) slots.reserve(id, change);
    slots.release('a');
    slots.release('b');
    slots.leave('c');
    expect(woken).toEqual(['b', 'c', 'd']);
  });

  it('gives none away before those of before are counted, then serves the line', () => {
    const woken: string[] = [];
    const wake = (id: string) => woken.push(id);
    const slots = new RunSlots({ clock: new VirtualClock(), max: 1, maxPerOwner: 0, createsPerSecond: 0, wake });
    expect(slots.reserve('a', change).kind).toBe('wait');
    expect(woken).toEqual([]);
    slots.allListed();
    expect(woken).toEqual(['a']);
    expect(slots.reserve('a', change).kind).toBe('reserved');
  });

  it('holds what was found at a start even above the cap', () => {
    const { slots } = setUp();
    slots.hold('a', change);
    slots.hold('b', change);
    expect(slots.inFlight).toBe(2);
    slots.release('a');
    expect(slots.reserve('c', change).kind).toBe('wait');
  });

  it('holds a slot for a lifecycle with an active run, and frees none for a listed one without', () => {
    const { slots } = setUp();
    const active = {
      name: 'run-1',
      seq: 1,
      action: 'deploy' as const,
      reason: 'deploy' as const,
      generation: 1,
      startedAt: '2030-01-01T00:00:00.000Z',
      deadlineAt: '2030-01-01T01:00:00.000Z',
    };
    slots.onUpsert('a', aLifecycle('a', { run: active }));
    expect(slots.inFlight).toBe(1);
    slots.onUpsert('a', aLifecycle('a'));
    expect(slots.inFlight).toBe(1);
    slots.onDelete('a');
    expect(slots.inFlight).toBe(0);
  });

  it('keeps the slot for the one that was woken', () => {
    const { slots } = setUp();
    slots.reserve('a', change);
    slots.reserve('b', change);
    slots.release('a');
    expect(slots.estimatedWait('newcomer', change)).toBeDefined();
    expect(slots.estimatedWait('b', change)).toBeUndefined();
    expect(slots.reserve('b', change).kind).toBe('reserved');
    slots.release('b');
    expect(slots.reserve('newcomer', change).kind).toBe('reserved');
  });

  it('keeps the place of one that was woken and finds no slot all the same', () => {
    const { slots, woken } = setUp();
    slots.reserve('a', change);
    for (const id of ['b', 'c']) slots.reserve(id, change);
    slots.release('a');
    // A former leader's run, found late.
    slots.hold('found', change);
    expect(slots.reserve('b', change).kind).toBe('wait');
    slots.release('found');
    expect(woken).toEqual(['b', 'b']);
  });

  it('serves destroys first, and the others in the order they came', () => {
    const { slots, woken } = setUp();
    slots.reserve('a', change);
    slots.reserve('create', create);
    slots.reserve('change', change);
    slots.reserve('destroy', destroy);
    for (const id of ['a', 'destroy', 'create']) {
      slots.release(id);
      const next = woken.at(-1)!;
      expect(slots.reserve(next, next === 'destroy' ? destroy : change).kind).toBe('reserved');
    }
    expect(woken).toEqual(['destroy', 'create', 'change']);
  });

  it('caps the runs of one wallet, holds up no other for it, and lets its destroys pass', () => {
    const { slots, woken } = setUp({ max: 3, maxPerOwner: 1 });
    slots.reserve('a1', run('change', 'a'));
    expect(slots.reserve('a2', run('change', 'a')).kind).toBe('wait');
    expect(slots.reserve('b1', run('change', 'b')).kind).toBe('reserved');
    expect(slots.estimatedWait('a3', run('destroy', 'a'))).toBeUndefined();
    expect(slots.estimatedWait('a2', run('change', 'a'))?.ownRuns).toBe(1);
    expect(woken).toEqual([]);
    slots.release('a1');
    expect(woken).toEqual(['a2']);
  });

  it('paces creations, and nothing else', async () => {
    const { clock, slots, woken } = setUp({ max: 100, createsPerSecond: 0.5 });
    const begunAt: number[] = [];
    const begin = (id: string) => {
      if (slots.reserve(id, create).kind === 'reserved') begunAt.push(clock.monotonic() / 1_000);
    };
    for (let n = 0; n < 5; n += 1) begin(`c${n}`);
    expect(slots.estimatedWait('change', change)).toBeUndefined();
    for (let n = 0; n < 40; n += 1) {
      await clock.advance(250);
      for (const id of woken.splice(0)) begin(id);
    }
    // A burst of 1.25, then one every two seconds.
    expect(begunAt).toEqual([0, 1.5, 3.5, 5.5, 7.5]);
  });

  it('tells how many are ahead, how fast they go, and how long that takes', async () => {
    const { clock, slots } = setUp({ max: 4, createsPerSecond: 0.5 });
    const text = (id: string, asked = create) => waitEstimateText(slots.estimatedWait(id, asked)!);
    for (let n = 0; n < 4; n += 1) slots.reserve(`run-${n}`, change);
    for (let n = 0; n < 341; n += 1) slots.reserve(`c${n}`, create);
    expect(text('c0')).toBe('waiting for a free run slot: next in line');
    expect(text('c1')).toBe('waiting for a free run slot: less than a minute: 1 creation is ahead, 0.5 a second');
    expect(text('c340')).toBe('waiting for a free run slot: about 11 minutes: 340 creations are ahead, 0.5 a second');
    // Runs turn out to take 80 s: four at a time is one every 20 s, whatever the pace.
    await clock.advance(80_000);
    slots.release('run-0');
    expect(text('c340')).toBe('waiting for a free run slot: about 113 minutes: 340 creations are ahead, 3 a minute');
  });

  it('takes nothing by an estimate', () => {
    const { slots, woken } = setUp({ max: 1, createsPerSecond: 0.4 });
    for (let n = 0; n < 10; n += 1) expect(slots.estimatedWait(`c${n}`, create)).toBeUndefined();
    expect([slots.inFlight, slots.waiting, woken.length]).toEqual([0, 0, 0]);
    expect(slots.reserve('c0', create).kind).toBe('reserved');
  });
});

describe('a reservation that is cancelled', () => {
  const reserved = (slots: RunSlots, id: string, request = change) => {
    const reservation = slots.reserve(id, request);
    if (reservation.kind !== 'reserved') throw new Error(`no slot for ${id}`);
    return reservation;
  };

  it('frees the slot for the next in line', () => {
    const { slots, woken } = setUp();
    const { cancel } = reserved(slots, 'a');
    slots.reserve('b', change);
    cancel();
    expect(slots.inFlight).toBe(0);
    expect(woken).toEqual(['b']);
  });

  it('leaves the slot kept for an enclave that was woken', () => {
    const { slots, woken } = setUp();
    slots.reserve('a', change);
    for (const id of ['b', 'c']) slots.reserve(id, change);
    slots.release('a');
    reserved(slots, 'b').cancel();
    expect(woken).toEqual(['b']);
    expect(slots.reserve('newcomer', change).kind).toBe('wait');
    expect(slots.reserve('b', change).kind).toBe('reserved');
  });

  it('gives back the turn of a creation, and says nothing about how long runs take', async () => {
    const { clock, slots } = setUp({ max: 2, createsPerSecond: 0.4 });
    reserved(slots, 'a', create).cancel();
    expect(slots.estimatedWait('b', create)).toBeUndefined();
    reserved(slots, 'b', create);
    await clock.advance(1_000);
    slots.reserve('c', create);
    expect(slots.estimatedWait('d', change)).toBeUndefined();
    slots.reserve('d', change);
    slots.reserve('e', change);
    expect(slots.estimatedWait('f', change)?.perSecond).toBeUndefined();
  });

  it('frees no slot that was held before, and does so once', () => {
    const { slots } = setUp({ max: 2 });
    slots.hold('a', change);
    reserved(slots, 'a').cancel();
    expect(slots.inFlight).toBe(1);
    const first = reserved(slots, 'b');
    first.cancel();
    reserved(slots, 'b');
    first.cancel();
    expect(slots.inFlight).toBe(2);
  });

  it('frees no slot of a run that was found meanwhile', () => {
    const { slots } = setUp();
    const { cancel } = reserved(slots, 'a');
    slots.hold('a', change);
    cancel();
    expect(slots.inFlight).toBe(1);
  });

  it('frees the share of its wallet', () => {
    const { slots } = setUp({ max: 5, maxPerOwner: 1 });
    reserved(slots, 'a').cancel();
    expect(slots.reserve('b', change).kind).toBe('reserved');
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
