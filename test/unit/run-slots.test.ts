import { describe, expect, it } from 'vitest';
import { RunSlots } from '../../src/reconciler/run-slots.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

describe('run slots', () => {
  it('wakes the enclave that waited longest, one a free slot', () => {
    const woken: string[] = [];
    const slots = new RunSlots(2, (id) => woken.push(id));
    slots.hold('a');
    slots.hold('b');
    for (const id of ['c', 'd', 'e']) {
      expect(slots.isFree(id)).toBe(false);
      slots.wait(id);
    }
    slots.release('a');
    expect(woken).toEqual(['c']);
    slots.hold('c');
    slots.release('b');
    expect(woken).toEqual(['c', 'd']);
  });

  it('passes the turn on where the one that was woken wants none', () => {
    const woken: string[] = [];
    const slots = new RunSlots(1, (id) => woken.push(id));
    slots.hold('a');
    slots.wait('b');
    slots.wait('c');
    slots.release('a');
    slots.release('b');
    expect(woken).toEqual(['b', 'c']);
  });

  it('holds what was found at a start even above the cap', () => {
    const slots = new RunSlots(1, () => {});
    slots.hold('a');
    slots.hold('b');
    expect(slots.inFlight).toBe(2);
    slots.release('a');
    expect(slots.isFree('c')).toBe(false);
  });

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
});
