import { expect, it } from 'vitest';
import { omit } from '../../../src/enclave/omit.ts';

const given: { a: number; b?: string; c: boolean } = { a: 1, b: 'x', c: true };

it('leaves out the members that are named, and changes nothing in the object that was given', () => {
  expect(omit(given, 'a', 'b')).toEqual({ c: true });
  expect(given).toEqual({ a: 1, b: 'x', c: true });
});

it('does not mind a member that is absent', () => {
  expect(omit({ a: 1 } as typeof given, 'b')).toEqual({ a: 1 });
});

it('keeps a member called __proto__ as a member', () => {
  const hostile: Record<string, unknown> = JSON.parse('{"__proto__": {"admin": true}, "a": 1}');
  const rest = omit(hostile, 'a');
  expect(Object.keys(rest)).toEqual(['__proto__']);
  expect(rest.admin).toBeUndefined();
});

it('keeps what is known of the other members beside an index signature', () => {
  const loose: { readonly [name: string]: unknown; readonly a: number; readonly b: number } = { a: 1, b: 2 };
  const b: number = omit(loose, 'a').b;
  expect(b).toBe(2);
});
