/** Names of runs: unique also after a restore, and readable by the application and by earlier versions. */
import { describe, expect, it } from 'vitest';
import { runName } from '../../../src/enclave/names.ts';

/** How version 0.1 reads a name (preflight and `enclavectl logs`). */
const EARLIER = /^e-(.+)-[a-z0-9]{6}-[0-9]+-(deploy|destroy)$/;
const LONGEST_WHOLE = `enc_${'x'.repeat(46)}`;

describe('runName', () => {
  it.each([
    { id: 'enc_1755986905612_ouocac870', seq: 1, random: 0 },
    { id: LONGEST_WHOLE, seq: 1, random: 0.5 },
    { id: LONGEST_WHOLE, seq: 999_999_999_999, random: 1 - 2 ** -53 },
  ])('contains the whole id $id and is read by earlier versions', ({ id, seq, random }) => {
    for (const action of ['deploy', 'destroy'] as const) {
      const name = runName(id, seq, action, random);
      expect(name.length).toBeLessThanOrEqual(80);
      expect(name).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(EARLIER.exec(name)?.slice(1)).toEqual([id, action]);
    }
  });

  it('shortens a longer id with a hash', () => {
    const name = runName(`${LONGEST_WHOLE}y`, 7, 'destroy', 0.25);
    expect(name.length).toBeLessThanOrEqual(80);
    expect(name).toMatch(/-[0-9a-f]{10}-[a-z0-9]{6}-7-destroy$/);
  });

  it('differs between two runs of the same number', () => {
    expect(runName('enc_1', 2, 'deploy', 0.1)).not.toBe(runName('enc_1', 2, 'deploy', 0.2));
  });
});
