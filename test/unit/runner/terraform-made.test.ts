/** What a deploy made, out of its Terraform state: digests of what it holds, and nothing of what it does not. */
import { describe, expect, it } from 'vitest';
import { readMade } from '../../../runner/src/engine/terraform-made.ts';
import { MadeSchema, namesDigest, policiesDigest, policyDigest, rulesDigest } from '../../../src/enclave/digests.ts';

const POLICY = '{"Version":"2012-10-17","Statement":[]}';
const ARN = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const rule = {
  description: '',
  protocol: 'tcp',
  from_port: 443,
  to_port: 443,
  cidr_blocks: ['10.0.0.0/8', '10.1.0.0/16'],
  ipv6_cidr_blocks: [],
  prefix_list_ids: null,
  security_groups: ['sg-2'],
  self: true,
};
const resource = (type: string, attributes: unknown, mode = 'managed') => ({
  mode,
  type,
  name: 'any',
  instances: [{ attributes }],
});
const GROUP = resource('aws_security_group', { id: 'sg-0123456789abcdef0', ingress: [rule], egress: [] });
const ALL = [
  GROUP,
  resource('aws_iam_role', { assume_role_policy: POLICY }),
  resource('aws_iam_role_policy', { name: 'enclave-logs', policy: POLICY }),
  resource('aws_iam_role_policy', { name: 'enclave-host', policy: POLICY }),
  resource('aws_iam_role_policy_attachments_exclusive', { policy_arns: null }),
  resource('aws_kms_key', { arn: ARN, policy: POLICY }),
  resource('aws_instance', { user_data: 'ab'.repeat(20) }),
];
const state = (resources: unknown) => JSON.stringify({ version: 4, resources });

describe('what a deploy made', () => {
  it('is read from the state, in less than 400 bytes', () => {
    const made = readMade(state(ALL));
    const peers = ['10.0.0.0/8', '10.1.0.0/16', 'sg-2', 'self'];
    const rules = peers.map(
      (peer) => ({ direction: 'ingress', protocol: 'tcp', fromPort: 443, toPort: 443, peer }) as const,
    );
    expect(made).toEqual({
      groupId: 'sg-0123456789abcdef0',
      rules: rulesDigest(rules),
      trust: policyDigest(POLICY),
      inline: policiesDigest({ 'enclave-logs': POLICY, 'enclave-host': POLICY }),
      attached: namesDigest([]),
      keyArn: ARN,
      keyPolicy: policyDigest(POLICY),
      userData: 'ab'.repeat(20),
    });
    expect(JSON.stringify(made).length).toBeLessThanOrEqual(400);
    expect(MadeSchema.parse(made)).toEqual(made);
  });

  it.each([
    ['no group', ALL.slice(1), ['groupId', 'rules']],
    ['two groups', [GROUP, ...ALL], ['groupId', 'rules']],
    [
      'a group of which the state says less',
      [resource('aws_security_group', { id: 'sg-1' }), ...ALL.slice(1)],
      ['groupId', 'rules'],
    ],
    [
      'a group that is only looked up',
      [resource('aws_security_group', {}, 'data'), ...ALL.slice(1)],
      ['groupId', 'rules'],
    ],
    [
      'a policy that is none',
      [...ALL, resource('aws_iam_role_policy', { name: 'x', policy: '${hostile}' })],
      ['inline'],
    ],
    ['no key', ALL.filter(({ type }) => type !== 'aws_kms_key'), ['keyArn', 'keyPolicy']],
    ['no host', ALL.filter(({ type }) => type !== 'aws_instance'), ['userData']],
  ])('is told without what is not known: %s', (_what, resources, lacking) => {
    const whole = Object.keys(readMade(state(ALL)) ?? {});
    const made = Object.entries(readMade(state(resources)) ?? {}).filter(([, value]) => value !== undefined);
    expect(whole.filter((name) => !made.some(([known]) => known === name)).sort()).toEqual(lacking);
  });

  it.each([[undefined], [''], ['no JSON'], ['[]'], ['{"resources":7}']])('is not known from %j', (json) => {
    expect(readMade(json)).toBeUndefined();
  });
});
