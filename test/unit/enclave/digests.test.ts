/** Digests: equal for equal meanings, and for no others. */
import { describe, expect, it } from 'vitest';
import {
  type GroupRule,
  namesDigest,
  policiesDigest,
  policyDigest,
  rulesDigest,
} from '../../../src/enclave/digests.ts';

const policy = (statement: unknown) => JSON.stringify({ Version: '2012-10-17', Statement: statement });
const ALLOW = { Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['a', 'b'] };

describe('the digest of a policy', () => {
  it.each([
    ['lists in another order', policy([{ ...ALLOW, Resource: ['b', 'a'] }])],
    ['a list of one as its member', policy({ ...ALLOW, Action: 's3:GetObject' })],
    [
      'members in another order',
      '{"Statement":[{"Resource":["a","b"],"Action":["s3:GetObject"],"Effect":"Allow"}],"Version":"2012-10-17"}',
    ],
    ['white space', JSON.stringify(JSON.parse(policy([ALLOW])), null, 2)],
  ])('is the same for %s', (_what, other) => {
    expect(policyDigest(other)).toBe(policyDigest(policy([ALLOW])));
  });

  it.each([
    ['another action', policy([{ ...ALLOW, Action: ['s3:PutObject'] }])],
    ['one more resource', policy([{ ...ALLOW, Resource: ['a', 'b', '*'] }])],
    ['one more statement', policy([ALLOW, { ...ALLOW, Effect: 'Deny' }])],
    ['a condition', policy([{ ...ALLOW, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }])],
    ['none', policy([])],
  ])('is another for %s', (_what, other) => {
    expect(policyDigest(other)).toMatch(/^[\w-]{22}$/);
    expect(policyDigest(other)).not.toBe(policyDigest(policy([ALLOW])));
  });

  it.each([[undefined], [''], ['no JSON'], ['[]'], ['"text"']])('there is none of %j', (text) => {
    expect(policyDigest(text)).toBeUndefined();
    expect(policiesDigest({ good: policy([]), bad: text ?? '' })).toBeUndefined();
  });
});

describe('the digest of rules', () => {
  const rule: GroupRule = { direction: 'ingress', protocol: 'tcp', fromPort: 443, toPort: 443, peer: '10.0.0.0/8' };
  const other: GroupRule = { ...rule, direction: 'egress', peer: 'sg-1' };

  it('does not depend on their order, on repeats, or on ports of rules that have none', () => {
    expect(rulesDigest([other, rule, rule])).toBe(rulesDigest([rule, other]));
    const all = { ...rule, protocol: '-1' };
    expect(rulesDigest([{ ...all, fromPort: 0, toPort: 0 }])).toBe(rulesDigest([{ ...all, fromPort: -1, toPort: -1 }]));
  });

  it.each([
    ['direction', { direction: 'egress' }],
    ['protocol', { protocol: 'udp' }],
    ['first port', { fromPort: 1 }],
    ['last port', { toPort: 65_535 }],
    ['peer', { peer: '0.0.0.0/0' }],
  ] as const)('depends on the %s', (_what, change) => {
    expect(rulesDigest([{ ...rule, ...change }])).not.toBe(rulesDigest([rule]));
  });

  it('depends on their number', () => {
    expect(new Set([rulesDigest([]), rulesDigest([rule]), rulesDigest([rule, other])]).size).toBe(3);
  });
});

it('the digest of inline policies depends on names and documents', () => {
  const digests = [{}, { a: policy([]) }, { b: policy([]) }, { a: policy([ALLOW]) }, { a: policy([]), b: policy([]) }];
  expect(new Set(digests.map(policiesDigest)).size).toBe(digests.length);
  expect(namesDigest(['b', 'a', 'a'])).toBe(namesDigest(['a', 'b']));
});
