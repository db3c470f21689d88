/** Ids that give resources equal names: of those only one enclave may have resources at a time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idsInNames, resourceName, shortenId } from '../../../../src/enclave/names.ts';
import { virtualOperator } from '../../../support/virtual-operator.ts';

const MINUTE = 60_000;
const VICTIM = 'prod-signing-service-for-customer-acme-00001';
/** A valid id of its own, and what the victim's id is shortened to in the name of its role. */
const ATTACKER = shortenId(VICTIM, 36);

describe('resource names', () => {
  it('two ids share a resource name exactly when they share an id in names', () => {
    const kinds = ['sg', 'instance-role', 'instance-profile'] as const;
    const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/);
    const shortened = fc
      .tuple(id, fc.constantFrom(33, 36, 47))
      .map(([whole, limit]) => [whole, shortenId(whole, limit)]);
    const cased = id.map((text) => [text, text.toUpperCase()]);
    fc.assert(
      fc.property(fc.oneof(shortened, cased, fc.tuple(id, id)), ([one = '', other = '']) => {
        const same = kinds.some(
          (kind) => resourceName(kind, one).toLowerCase() === resourceName(kind, other).toLowerCase(),
        );
        const shared = [...idsInNames(one)].some((name) => idsInNames(other).has(name));
        expect(shared).toBe(same);
      }),
    );
  });

  it("a shortened id can equal another id's role name", () => {
    expect(resourceName('instance-role', ATTACKER)).toBe(resourceName('instance-role', VICTIM));
  });
});

describe('name collisions', () => {
  it.each([ATTACKER, VICTIM.toUpperCase()])(
    'the operator fails a new enclave whose names are in use: %s',
    async (other) => {
      const v = virtualOperator();
      v.start();
      v.post(VICTIM);
      await v.until(() => v.status(VICTIM) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
      v.post(other);
      await v.until(() => v.status(other) === 'FAILED', 'FAILED', 5 * MINUTE);
      expect(v.world.record(other)?.error_message).toContain('the id shares resource names with another enclave');
      expect(v.world.record(other)?.error_message).not.toContain(VICTIM);
      await v.clock.advance(60 * MINUTE);
      expect(v.executions(other)).toEqual([]);
      expect(v.status(VICTIM)).toBe('DEPLOYED');
    },
  );

  it('the operator deploys it after the other is destroyed', async () => {
    const v = virtualOperator();
    v.start();
    v.post(VICTIM);
    await v.until(() => v.status(VICTIM) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
    v.post(ATTACKER);
    await v.until(() => v.status(ATTACKER) === 'FAILED', 'FAILED', 5 * MINUTE);
    v.command(VICTIM, 'PENDING_DESTROY');
    await v.until(() => v.status(VICTIM) === 'DESTROYED', 'DESTROYED', 30 * MINUTE);
    v.command(ATTACKER, 'PENDING_DEPLOY');
    await v.until(() => v.status(ATTACKER) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
  });

  it('the operator deploys only one of two records that arrive at once', async () => {
    const v = virtualOperator();
    v.start();
    v.post(VICTIM);
    v.post(ATTACKER);
    await v.clock.advance(30 * MINUTE);
    expect([v.status(VICTIM), v.status(ATTACKER)].toSorted()).toEqual(['DEPLOYED', 'FAILED']);
  });

  it('a new leader refuses the second enclave', async () => {
    const v = virtualOperator();
    const first = v.start();
    v.post(VICTIM);
    await v.until(() => v.status(VICTIM) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
    await first.stop();
    v.post(ATTACKER);
    v.start();
    await v.until(() => v.status(ATTACKER) === 'FAILED', 'FAILED', 10 * MINUTE);
    expect(v.executions(ATTACKER)).toEqual([]);
  });
});
