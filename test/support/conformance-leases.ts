/** Conformance suite of the leader's lease. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lease } from '../../src/enclave/items/fleet.ts';
import { AT, type MakeHarness, type TablesHarness } from './conformance-harness.ts';

const aLease = (nonce: string, holder = 'a'): Lease => ({ holder, epoch: 1, nonce, durationMs: 12_000, renewedAt: AT });

export function leaseStoreConformance(name: string, makeHarness: MakeHarness): void {
  describe(`lease store: ${name}`, () => {
    // The lease has one key: every test gets tables of its own.
    const made: TablesHarness[] = [];
    let harness: TablesHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      made.push(harness);
    });
    afterAll(async () => {
      for (const each of made) await each.close();
    });

    it('is taken by the first, where there is none', async () => {
      const { leases } = harness.ports;
      expect(await leases.read()).toBeUndefined();
      expect(await leases.replace(aLease('1'), undefined)).toBe('taken');
      expect(await leases.replace(aLease('2', 'b'), undefined)).toBe('lost');
      expect(await leases.read()).toEqual(aLease('1'));
    });

    it('is replaced only by who knows its nonce', async () => {
      const { leases } = harness.ports;
      await leases.replace(aLease('1'), undefined);
      expect(await leases.replace(aLease('2', 'b'), 'other')).toBe('lost');
      expect(await leases.replace(aLease('2', 'b'), '1')).toBe('taken');
      expect(await leases.replace(aLease('3'), '1')).toBe('lost');
      expect(await leases.read()).toEqual(aLease('2', 'b'));
    });

    it('goes to one of many candidates', async () => {
      const { leases } = harness.ports;
      await leases.replace(aLease('0'), undefined);
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => leases.replace(aLease(`n${index}`, `c${index}`), '0')),
      );
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
      expect((await leases.read())?.holder).toBe(`c${answers.indexOf('taken')}`);
    });

    it('does not appear where it is not: a nonce that is expected of none is lost', async () => {
      const { leases } = harness.ports;
      expect(await leases.replace(aLease('2'), '1')).toBe('lost');
      expect(await leases.read()).toBeUndefined();
    });
  });
}
