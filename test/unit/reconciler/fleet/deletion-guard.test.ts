/** The deletion guard: how many vanished records are too many, and what ends a hold. */
import { describe, expect, it } from 'vitest';
import type { Control } from '../../../../src/enclave/items/fleet.ts';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import { DeletionGuard, type DeletionHold, mostWithin } from '../../../../src/reconciler/fleet/deletion-guard.ts';

const MINUTE = 60_000;
const START = Date.parse('2030-01-01T00:00:00.000Z');
const LIMITS = { percent: 10, min: 3, windowMs: 10 * MINUTE };
const iso = (ms: number) => new Date(ms).toISOString();

function bench(fleet: number) {
  const holds: DeletionHold[] = [];
  const guard = new DeletionGuard(LIMITS, (hold) => holds.push(hold));
  const know = (n: number, fields: Partial<Lifecycle>, now = START) =>
    guard.onUpsert(`enc_${n}`, { phase: 'ready', touched: true, ...fields } as Lifecycle, now);
  for (let n = 0; n < fleet; n += 1) know(n, {});
  const vanish = (n: number, at = START, fields: Partial<Lifecycle> = {}) =>
    know(n, { missingSince: iso(at), ...fields }, at);
  const confirm = (at: number) =>
    guard.follow({ v: 1, minReader: 1, installedAt: iso(0), deletionsConfirmed: { actor: 'me', at: iso(at) } });
  return { guard, holds, know, vanish, confirm };
}

describe('mostWithin', () => {
  it.each([
    { times: [], most: 0 },
    { times: [5], most: 1 },
    { times: [0, 10, 20], most: 2 },
    { times: [20, 0, 10], most: 2 },
    { times: [0, 11, 12, 13, 30], most: 3 },
    { times: [7, 7, 7], most: 3 },
  ])('finds $most of $times within 10', ({ times, most }) => {
    expect(mostWithin(times, 10)).toBe(most);
  });
});

describe('DeletionGuard', () => {
  it.each([
    { fleet: 1, tolerated: 1 },
    { fleet: 2, tolerated: 2 },
    { fleet: 3, tolerated: 2 },
    { fleet: 29, tolerated: 2 },
    { fleet: 30, tolerated: 3 },
    { fleet: 100, tolerated: 10 },
  ])('lets $tolerated of $fleet go, and holds at the next', ({ fleet, tolerated }) => {
    const { guard, vanish, holds } = bench(fleet);
    for (let n = 0; n < tolerated; n += 1) vanish(n);
    expect(guard.hold).toBeUndefined();
    if (tolerated === fleet) return;
    vanish(tolerated);
    expect(guard.hold?.reason).toContain(`${tolerated + 1} of the ${fleet} enclaves that may have resources`);
    expect(holds).toHaveLength(1);
  });

  it('counts what vanished within the window alone, also what was destroyed meanwhile', () => {
    const slow = bench(10);
    for (let n = 0; n < 9; n += 1) slow.vanish(n, START + n * 6 * MINUTE);
    expect(slow.guard.hold).toBeUndefined();
    const destroyed = bench(10);
    destroyed.vanish(0);
    destroyed.guard.onDelete('enc_0');
    destroyed.vanish(1);
    destroyed.know(1, { missingSince: iso(START), phase: 'destroyed' });
    destroyed.vanish(2, START + 9 * MINUTE);
    expect(destroyed.guard.hold).toBeDefined();
  });

  it('does not count deletions by command, nor records that came back', () => {
    const { guard, vanish, know } = bench(10);
    for (let n = 0; n < 5; n += 1) vanish(n, START, { absentBecause: 'command' });
    for (let n = 5; n < 10; n += 1) {
      vanish(n);
      know(n, {});
    }
    expect(guard.hold).toBeUndefined();
  });

  it('counts no enclave that cannot have resources, neither as vanished nor as one of the fleet', () => {
    const { guard, vanish, know } = bench(29);
    const invalid: Partial<Lifecycle> = { phase: 'invalid', touched: false };
    for (let n = 100; n < 200; n += 1) know(n, invalid);
    for (let n = 100; n < 200; n += 1) vanish(n, START, invalid);
    expect(guard.hold).toBeUndefined();
    for (let n = 0; n < 3; n += 1) vanish(n);
    expect(guard.hold?.reason).toContain('3 of the 29 enclaves');
    expect(guard.held).toBe(3);
  });

  it('holds nothing for an empty table where no enclave can have resources', () => {
    const { guard, know } = bench(0);
    for (let n = 0; n < 5; n += 1) know(n, { phase: 'invalid', touched: false });
    guard.listed(0, START);
    expect(guard.hold).toBeUndefined();
  });

  it('holds until it is confirmed, and never counts the confirmed again', () => {
    const { guard, vanish, know, confirm } = bench(10);
    for (let n = 0; n < 4; n += 1) vanish(n);
    for (let n = 0; n < 4; n += 1) know(n, {});
    expect(guard.hold).toBeDefined();
    for (let n = 0; n < 4; n += 1) vanish(n);
    confirm(START + MINUTE);
    expect(guard.hold).toBeUndefined();
    for (let n = 0; n < 4; n += 1) know(n, { missingSince: iso(START), attempts: { key: '', count: 1 } });
    expect(guard.hold).toBeUndefined();
    for (let n = 4; n < 7; n += 1) vanish(n, START + 2 * MINUTE);
    expect(guard.hold).toBeDefined();
  });

  it('tells how many it keeps: those whose record is gone, and whose destruction has not begun', () => {
    const { guard, vanish, know, confirm } = bench(20);
    vanish(0);
    expect(guard.held).toBe(0);
    for (let n = 1; n < 5; n += 1) vanish(n);
    expect(guard.hold).toBeDefined();
    expect(guard.held).toBe(5);
    know(0, {});
    vanish(1, START, { absentBecause: 'command' });
    vanish(2, START, { phase: 'destroyed' });
    vanish(3, START, { phase: 'destroying', run: {} as NonNullable<Lifecycle['run']> });
    vanish(5, START, { phase: 'destroying', absentBecause: 'recordGone' });
    expect(guard.held).toBe(2);
    guard.onDelete('enc_4');
    expect(guard.held).toBe(1);
    confirm(START + MINUTE);
    expect(guard.held).toBe(0);
  });

  it('takes over a hold of the last leader', () => {
    const { guard, holds } = bench(1);
    guard.follow({ installedAt: iso(0), deletionHold: { reason: 'many', since: iso(START) } } as Control);
    expect(guard.hold).toEqual({ reason: 'many', since: iso(START) });
    expect(holds).toEqual([]);
  });

  it('holds where the table is empty although enclaves exist, or is another one', () => {
    const empty = bench(3);
    empty.guard.listed(1, START);
    expect(empty.guard.hold).toBeUndefined();
    empty.guard.listed(0, START);
    expect(empty.guard.hold?.reason).toContain('3 enclaves exist');
    const small = bench(2);
    small.guard.listed(0, START);
    expect(small.guard.hold).toBeUndefined();
    const other = bench(1);
    other.guard.sawTable('a', 'a', START);
    expect(other.guard.hold).toBeUndefined();
    other.guard.sawTable('a', 'b', START);
    expect(other.guard.hold?.reason).toContain('(b, not a)');
  });
});
