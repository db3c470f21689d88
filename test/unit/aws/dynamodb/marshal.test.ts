import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { all, atMost, conditionInput, equal, exists, oneOf } from '../../../../src/aws/dynamodb/expressions.ts';
import { toItem, toPlain, toPlainValue } from '../../../../src/aws/dynamodb/marshal.ts';

describe('items as plain JSON', () => {
  it.each([
    ['0', 0],
    ['-7', -7],
    ['1.5', 1.5],
    ['0.000001', 0.000001],
    ['123456789012345', 123_456_789_012_345],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', '9007199254740992'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['1e400', '1e400'],
    ['1E+125', '1E+125'],
    ['not a number', 'not a number'],
    ['', ''],
  ])('number %s', (text, expected) => {
    expect(toPlainValue({ N: text })).toBe(expected);
  });

  it('leaves out a member that is called __proto__, as the SDK does, and nothing else of its map', () => {
    const item = JSON.parse('{"kept": 1, "inner": {"__proto__": {"S": "x"}, "kept": [{"__proto__": [1]}]}}');
    const given = toPlain(toItem(item));
    expect(JSON.stringify(given)).toBe('{"kept":1,"inner":{"kept":[{}]}}');
    expect((given.inner as { S?: unknown }).S).toBeUndefined();
  });

  it('gives back what JSON it was given', () => {
    const names = fc.string().filter((name) => name !== '__proto__');
    const numbers = fc.oneof(fc.integer(), fc.constant(0.5), fc.constant(-2.25));
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.string({ unit: 'binary' }),
        numbers,
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(names, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(names, json, { maxKeys: 5 }), (item) => {
        // fast-check's dictionaries have no prototype; items that are read have.
        expect(JSON.stringify(toPlain(toItem(item)))).toBe(JSON.stringify(item));
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever an attribute claims to be', () => {
    const attribute = fc.letrec<{ value: AttributeValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.record({ S: fc.string() }),
        fc.record({ N: fc.string() }),
        fc.record({ NS: fc.array(fc.string()) }),
        fc.record({ B: fc.uint8Array() }),
        fc.record({ BS: fc.array(fc.uint8Array()) }),
        fc.constant({} as AttributeValue),
        fc.record({ L: fc.array(tie('value')) }),
        fc.record({ M: fc.dictionary(fc.string(), tie('value')) }),
      ) as fc.Arbitrary<AttributeValue>,
    })).value;
    fc.assert(
      fc.property(fc.dictionary(fc.string(), attribute), (item) => {
        const plain = toPlain(item);
        expect(JSON.parse(JSON.stringify(plain))).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });

  it('reads deep nesting: DynamoDB allows 32 levels', () => {
    let deep: AttributeValue = { S: 'bottom' };
    for (let level = 0; level < 1_000; level++) deep = { L: [deep] };
    expect(JSON.stringify(toPlainValue(deep))).toContain('bottom');
  });

  it('drops undefined members on the way in, at any depth', () => {
    expect(toItem({ a: undefined, b: { c: undefined, d: 1 } })).toEqual({ b: { M: { d: { N: '1' } } } });
  });
});

describe('conditions', () => {
  it('are joined with their names and values', () => {
    expect(conditionInput(all(exists('id'), equal('revision', 3), atMost('epoch', 7)))).toEqual({
      ConditionExpression: 'attribute_exists(#id) AND #revision = :revision AND #epoch <= :epoch',
      ExpressionAttributeNames: { '#id': 'id', '#revision': 'revision', '#epoch': 'epoch' },
      ExpressionAttributeValues: { ':revision': { N: '3' }, ':epoch': { N: '7' } },
    });
    expect(conditionInput(oneOf('state', ['a', 'b']))).toMatchObject({
      ConditionExpression: '#state IN (:state0, :state1)',
    });
  });

  it('carry no empty map of values, which DynamoDB refuses', () => {
    expect(conditionInput(exists('id'))).not.toHaveProperty('ExpressionAttributeValues');
  });
});
