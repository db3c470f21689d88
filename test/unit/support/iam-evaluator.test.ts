/** The evaluator of IAM policies that the tests of access rely on. */
import { describe, expect, it } from 'vitest';
import { type Call, decide, type JsonPolicy } from '../../support/iam.ts';

describe('the policy evaluator', () => {
  const policy = (...Statement: JsonPolicy['Statement']): JsonPolicy[] => [{ Statement }];
  const get: Call = { action: 's3:GetObject', resource: 'arn:aws:s3:::bucket/a' };
  const allowed = { Effect: 'Allow', Action: 's3:Get*', Resource: 'arn:aws:s3:::bucket/*' } as const;
  const keys = (...values: string[]) => ({ ...get, context: { 'dynamodb:LeadingKeys': values } });
  const limited = {
    ...allowed,
    Condition: {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['run#*', 'fleet'] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    },
  };
  const vpc = (operator: string) => ({
    ...allowed,
    Condition: { [operator]: { 'ec2:Vpc': 'arn:aws:ec2:*:1:vpc/vpc-1' } },
  });
  const inVpc = (arn: string) => ({ ...get, context: { 'EC2:vpc': arn } });

  it.each([
    ['an action and resource that match', policy(allowed), get, 'allowed'],
    ['another action', policy(allowed), { ...get, action: 's3:PutObject' }, 'denied'],
    ['another resource', policy(allowed), { ...get, resource: 'arn:aws:s3:::other/a' }, 'denied'],
    ['a denial beside an allowance', policy(allowed, { ...allowed, Effect: 'Deny' }), get, 'explicitly denied'],
    ['keys that all match', policy(limited), keys('run#a', 'fleet'), 'allowed'],
    ['one key that does not match', policy(limited), keys('run#a', 'report#a'), 'denied'],
    ['no key, which ForAllValues alone would allow', policy(limited), get, 'denied'],
    ['an ARN that matches', policy(vpc('ArnLike')), inVpc('arn:aws:ec2:r:1:vpc/vpc-1'), 'allowed'],
    ['an ARN of another account', policy(vpc('ArnEquals')), inVpc('arn:aws:ec2:r:2:vpc/vpc-1'), 'denied'],
    ['an ARN whose key is absent', policy(vpc('ArnLike')), get, 'denied'],
  ] as const)('the evaluator decides %s', (_reason, policies, call, decision) => {
    expect(decide(policies, call)).toBe(decision);
  });

  it('the evaluator allows only what policy and boundary both allow', () => {
    const wide = policy({ ...allowed, Action: 's3:*', Resource: '*' });
    const [boundary] = policy(allowed, { ...allowed, Effect: 'Deny', Resource: 'arn:aws:s3:::bucket/secret' });
    expect(decide(wide, get, boundary)).toBe('allowed');
    expect(decide(wide, { ...get, action: 's3:PutObject' }, boundary)).toBe('denied');
    expect(decide(wide, { ...get, resource: 'arn:aws:s3:::bucket/secret' }, boundary)).toBe('explicitly denied');
    expect(decide([], get, boundary)).toBe('denied');
  });

  it('the evaluator rejects policies that it does not understand', () => {
    const unknown = { ...allowed, Condition: { NumericLessThan: { 's3:max-keys': '10' } } };
    expect(() => decide(policy(unknown), get)).toThrow('NumericLessThan is not known here');
    expect(() => decide(policy({ ...allowed, NotAction: 's3:*' } as never), get)).toThrow('NotAction');
    const single = { ...allowed, Condition: { StringEquals: { 'dynamodb:LeadingKeys': 'a' } } };
    expect(() => decide(policy(single), keys('a', 'b'))).toThrow('needs a set operator');
  });
});
