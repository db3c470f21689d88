/** Fleets that drift: every row is healed, nobody else's host is touched, and a mass drift is no reason to begin. */
import { describe, expect, it } from 'vitest';
import { ATTRIBUTES } from '../../src/drift/index.ts';
import { MANY, MASSES, playDrift } from './drift.ts';

describe('a fleet that drifts', () => {
  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 7],
    [6, MANY],
  ])(
    'heals, and nothing else is touched: seed %i, %i enclaves',
    async (seed, fleet) => {
      const { violations, changed, repairs, reported } = await playDrift(seed, fleet);
      expect(violations).toEqual([]);
      expect(changed).toBeGreaterThan(0);
      expect(repairs).toBeGreaterThan(0);
      if (fleet >= MANY) expect([...reported].sort()).toEqual([...ATTRIBUTES].sort());
      else expect(reported.size).toBeGreaterThan(0);
    },
    120_000,
  );

  it.each(MASSES)(
    'of which all are %s at once is spared until one alone has healed, or all are seen again',
    async (mass) => {
      const { violations } = await playDrift(5, 30, mass);
      expect(violations).toEqual([]);
    },
    120_000,
  );
});
