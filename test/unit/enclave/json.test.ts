/** Questions asked of JSON values. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, equalJson } from '../../../src/enclave/json.ts';

const sample = { b: [1, { d: null, c: 'x' }], a: undefined, e: { f: 1 } };

describe('canonicalJson', () => {
  it('orders keys at every depth, and drops undefined members', () => {
    expect(canonicalJson(sample)).toBe('{"b":[1,{"c":"x","d":null}],"e":{"f":1}}');
    expect(canonicalJson([undefined, Number.NaN])).toBe('[null,null]');
  });
});

describe('equalJson', () => {
  for (const [reason, a, b, equal] of [
    ['order of keys is no difference', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['nor is an undefined member', { a: 1, b: undefined }, { a: 1 }, true],
    ['null is not absence', { a: null }, {}, false],
    ['order of a list is one', [1, 2], [2, 1], false],
    ['a longer list is another', [1], [1, 2], false],
    ['a member on one side only, however many are alike', { a: 1 }, { a: 1, b: 1 }, false],
    ['as many members, but others', { a: 1, b: 2 }, { a: 1, c: 2 }, false],
    ['an inherited name is no member', { toString: null }, { a: 1 }, false],
    ['a number is not its text', { a: 1 }, { a: '1' }, false],
    ['a list is no map', [], {}, false],
    ['a difference in the depth', { a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 2 }] } }, false],
  ] as const) {
    it(reason, () => {
      expect(equalJson(a, b)).toBe(equal);
      expect(equalJson(b, a)).toBe(equal);
    });
  }

  it('says what canonicalJson says of any two values', () => {
    const leaf = fc.constantFrom(undefined, null, 0, -0, 1, Number.NaN, '', 'a', true);
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'toString'), tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(equalJson(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(equalJson(a, structuredClone(a))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
