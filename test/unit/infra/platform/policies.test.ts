/** Every policy of the platform: least privilege, checked on what is synthesized; and a snapshot for review. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { PlacedConfig } from '../../../../infra/platform/index.ts';
import type { Statement } from '../../../../infra/platform/policy.ts';
import { allow } from '../../../../infra/platform/policy.ts';
import { driftWorkflow, workflow } from '../../../../infra/workflows/index.ts';
import { build, configs, type Synthesized, takenOver } from '../../../support/platform.ts';

interface JsonStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
interface JsonPolicy {
  readonly Version: string;
  readonly Statement: readonly JsonStatement[];
}

const list = (value: string | readonly string[] | undefined) => (value === undefined ? [] : [value].flat());

/** Whatever in a resource is a policy, under whatever attribute. */
function policiesIn({ resource }: Synthesized): readonly { readonly at: string; readonly policy: JsonPolicy }[] {
  const found: { at: string; policy: JsonPolicy }[] = [];
  for (const [type, byName] of Object.entries(resource)) {
    for (const [name, attributes] of Object.entries(byName)) {
      for (const [attribute, value] of Object.entries(attributes)) {
        if (typeof value !== 'string' || !value.includes('"Statement"')) continue;
        found.push({ at: `${type}.${name}.${attribute}`, policy: JSON.parse(value) as JsonPolicy });
      }
    }
  }
  return found;
}

/** Actions with which a role could be given more than its boundary allows. */
const NEEDS_BOUNDARY = [
  'iam:CreateRole',
  'iam:PutRolePolicy',
  'iam:PutRolePermissionsBoundary',
  'iam:AttachRolePolicy',
];
/** Roles of the pipeline that is being replaced have no boundary; granted only where such hosts are said to exist. */
const WITHOUT_BOUNDARY = new Set(['LegacyRoles']);

function faults(statement: JsonStatement, reasons: ReadonlyMap<string, string>): readonly string[] {
  const { Sid = '', Effect, Condition = {}, Principal } = statement;
  const actions = list(statement.Action);
  const resources = list(statement.Resource);
  const conditionKeys = Object.values(Condition).flatMap(Object.keys);
  const known = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Principal', 'Condition']);
  const said = [
    ...Object.keys(statement)
      .filter((key) => !known.has(key))
      .map((key) => `${key} allows what it does not name`),
    ...(actions.length === 0 ? ['names no action'] : []),
    ...actions.filter((action) => /^\*$|:\*$/.test(action)).map((action) => `allows all of ${action}`),
  ];
  if (Effect === 'Deny') return said;
  if (resources.includes('*') && !reasons.has(Sid)) said.push('has the resource * without a reason');
  if (JSON.stringify(Principal ?? '').includes('"*"') && !conditionKeys.includes('kms:CallerAccount')) {
    said.push('admits everybody');
  }
  if (actions.includes('iam:PassRole')) {
    if (Condition.StringEquals?.['iam:PassedToService'] === undefined) said.push('passes roles to any service');
    if (resources.some((it) => !/:role\/.+/.test(it) || it.endsWith(':role/*'))) said.push('passes any role');
    if (actions.length > 1) said.push('mixes PassRole with other actions');
  }
  if (actions.some((it) => NEEDS_BOUNDARY.includes(it)) && !WITHOUT_BOUNDARY.has(Sid)) {
    if (!/:policy\/.+-host-boundary$/.test(String(Condition.StringEquals?.['iam:PermissionsBoundary'] ?? ''))) {
      said.push('gives roles more than the boundary');
    }
    if (resources.some((it) => !it.includes('-enclaves/treza-enclave-'))) said.push('reaches roles that are no host’s');
  }
  return said;
}

describe('the check', () => {
  const pass = { Sid: 'S', Effect: 'Allow' as const };
  const host = 'arn:aws:iam::123456789012:role/treza-dev-enclaves/treza-enclave-*';
  it.each<{ reason: string; statement: JsonStatement; fault: string }>([
    { reason: 'all actions', statement: { ...pass, Action: '*', Resource: 'arn' }, fault: 'allows all of *' },
    {
      reason: 'a whole service',
      statement: { ...pass, Action: ['s3:*'], Resource: 'arn' },
      fault: 'allows all of s3:*',
    },
    {
      reason: 'everything but',
      statement: { ...pass, NotAction: 'iam:*', Action: 's3:GetObject', Resource: 'arn' } as JsonStatement,
      fault: 'NotAction allows what it does not name',
    },
    {
      reason: 'any resource',
      statement: { ...pass, Action: 's3:GetObject', Resource: '*' },
      fault: 'has the resource * without a reason',
    },
    {
      reason: 'everybody',
      statement: { ...pass, Action: 'kms:Decrypt', Resource: 'arn', Principal: { AWS: '*' } },
      fault: 'admits everybody',
    },
    {
      reason: 'PassRole to any service',
      statement: { ...pass, Action: 'iam:PassRole', Resource: host },
      fault: 'passes roles to any service',
    },
    {
      reason: 'PassRole of any role',
      statement: {
        ...pass,
        Action: 'iam:PassRole',
        Resource: 'arn:aws:iam::123456789012:role/*',
        Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
      },
      fault: 'passes any role',
    },
    {
      reason: 'roles without a boundary',
      statement: { ...pass, Action: 'iam:CreateRole', Resource: host },
      fault: 'gives roles more than the boundary',
    },
  ])('notices $reason', ({ statement, fault }) => {
    expect(faults(statement, new Map())).toContain(fault);
  });
});

describe('the builder', () => {
  it.each([
    ['an action with a wildcard', () => allow('S', ['s3:Get*'], ['arn'])],
    ['no action at all', () => allow('S', ['s3'], ['arn'])],
    ['* without a reason', () => allow('S', ['s3:GetObject'], ['*'])],
    ['no resource', () => allow('S', ['s3:GetObject'], [])],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(/^statement S: /);
  });
});

describe.each(configs)('%s', (name, config) => {
  const { terraform, policies } = build(config);
  const all = policiesIn(terraform);
  const reasons = new Map(
    [...policies.values()].flat().flatMap(({ sid, reason }) => (reason === undefined ? [] : [[sid, reason] as const])),
  );

  it('finds the policy of every role, bucket, key and topic', () => {
    const count = (type: string) => Object.keys(terraform.resource[type] ?? {}).length;
    expect(all.length).toBe(
      2 * count('aws_iam_role') +
        count('aws_iam_policy') +
        count('aws_kms_key') +
        count('aws_s3_bucket') +
        count('aws_sns_topic'),
    );
    expect(count('aws_iam_role')).toBe(5);
  });

  it('grants nothing wide', () => {
    const said = all.flatMap(({ at, policy }) =>
      policy.Statement.flatMap((statement) =>
        faults(statement, reasons).map((fault) => `${at}/${statement.Sid}: ${fault}`),
      ),
    );
    expect(said).toEqual([]);
  });

  it('lets no other service assume a role on a stranger’s behalf', () => {
    for (const { at, policy } of all.filter((it) => it.at.endsWith('.assume_role_policy'))) {
      for (const { Condition } of policy.Statement) expect(Object.keys(Condition ?? {}), at).not.toEqual([]);
    }
  });

  it('stays within the lengths IAM takes', () => {
    for (const { at, policy } of all) {
      const length = JSON.stringify(policy).length;
      if (at.startsWith('aws_iam_role_policy.')) expect(length, at).toBeLessThanOrEqual(10_240);
      if (at.startsWith('aws_iam_policy.')) expect(length, at).toBeLessThanOrEqual(6_144);
    }
  });

  it('purges what was added to a role by hand', () => {
    const roles = Object.keys(terraform.resource.aws_iam_role ?? {}).map((id) => id.replace(/-role$/, ''));
    const { aws_iam_role_policies_exclusive: inline, aws_iam_role_policy_attachments_exclusive: attached } =
      terraform.resource;
    expect(Object.keys(inline ?? {}).sort()).toEqual(roles.map((id) => `${id}-only-policies`).sort());
    const attachments = Object.values(attached ?? {}).flatMap((it) => it.policy_arns);
    expect(Object.keys(attached ?? {}).length).toBe(roles.length);
    expect(attachments.length).toBe(Object.keys(config.regions).length);
  });

  it('is as reviewed', async () => {
    await expect(review(policies)).toMatchFileSnapshot(
      `__snapshots__/platform-policies-${name.replace(/\W+/g, '-')}.txt`,
    );
  });
});

/** As an emulated AWS recorded it of Terraform that created, changed, found drifted and destroyed an enclave with a key. */
const TERRAFORM_CALLS = [
  ...[
    ...['AuthorizeSecurityGroupEgress', 'AuthorizeSecurityGroupIngress', 'CreateSecurityGroup', 'CreateTags'],
    ...['DeleteSecurityGroup', 'DescribeImages', 'DescribeInstanceAttribute', 'DescribeInstanceTypes'],
    ...['DescribeInstances', 'DescribeNetworkInterfaces', 'DescribeSecurityGroups', 'DescribeTags', 'DescribeVolumes'],
    ...['DescribeVpcs', 'ModifyInstanceAttribute', 'RevokeSecurityGroupEgress', 'RevokeSecurityGroupIngress'],
    ...['RunInstances', 'TerminateInstances'],
  ].map((name) => `ec2:${name}`),
  ...[
    ...['AddRoleToInstanceProfile', 'CreateInstanceProfile', 'CreateRole', 'DeleteInstanceProfile', 'DeleteRole'],
    ...['DeleteRolePolicy', 'DetachRolePolicy', 'GetInstanceProfile', 'GetRole', 'GetRolePolicy'],
    ...['ListAttachedRolePolicies', 'ListInstanceProfilesForRole', 'ListRolePolicies', 'PutRolePolicy'],
    'RemoveRoleFromInstanceProfile',
  ].map((name) => `iam:${name}`),
  ...[
    ...['CreateAlias', 'CreateKey', 'DeleteAlias', 'DescribeKey', 'EnableKeyRotation', 'GetKeyPolicy'],
    ...['GetKeyRotationStatus', 'ListAliases', 'ListResourceTags', 'ScheduleKeyDeletion', 'TagResource'],
  ].map((name) => `kms:${name}`),
  ...['CreateLogGroup', 'DeleteLogGroup', 'DescribeLogGroups', 'ListTagsForResource', 'PutRetentionPolicy'].map(
    (name) => `logs:${name}`,
  ),
  ...['DeleteObject', 'GetObject', 'GetObjectTagging', 'ListBucket', 'PutObject'].map((name) => `s3:${name}`),
  // What its calls imply.
  ...['iam:PassRole', 'logs:TagResource', 'iam:TagRole', 'iam:TagInstanceProfile', 's3:PutObjectTagging'],
];

const following = (config: PlacedConfig) => ({ ...config, operator: { ...config.operator, attestationTrail: true } });

describe('what the programs call', () => {
  const [, prod] = configs.find(([name]) => name === 'prod') ?? [];
  if (prod === undefined) throw new Error('there is no prod');
  const { terraform } = build(prod);
  const actionsOf = (address: string, synthesized = terraform) =>
    new Set(
      policiesIn(synthesized)
        .filter(({ at }) => at.startsWith(address))
        .flatMap(({ policy }) => policy.Statement.flatMap(({ Action }) => list(Action))),
    );

  /** A transaction is authorized as what it consists of. */
  const needed = (action: string) =>
    ({
      'dynamodb:TransactGetItems': ['dynamodb:GetItem'],
      'dynamodb:TransactWriteItems': ['dynamodb:ConditionCheckItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
    })[action] ?? [action];

  it('is granted to the operator', () => {
    const folder = new URL('../../../../src/aws/', import.meta.url);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const sources = files.map((file) => readFileSync(new URL(file, folder), 'utf8'));
    const calls = new Set(sources.flatMap((text) => text.match(/(?<=')[a-z0-9]+:[A-Z][A-Za-z]+(?=')/g) ?? []));
    expect(calls.size).toBeGreaterThan(15);
    const granted = actionsOf('aws_iam_role_policy.operator-policy', build(following(prod)).terraform);
    expect([...calls].flatMap(needed).filter((action) => !granted.has(action))).toEqual([]);
  });

  it('is granted of CloudTrail only where it is asked for, in the regions of enclaves', () => {
    const of = (config: PlacedConfig) =>
      policiesIn(build(config).terraform)
        .flatMap(({ policy }) => policy.Statement)
        .filter(({ Action }) => list(Action).some((action) => action.startsWith('cloudtrail:')));
    expect(of(prod)).toEqual([]);
    expect(of(following(prod))).toEqual([
      {
        Sid: 'SeeAttestations',
        Effect: 'Allow',
        Action: 'cloudtrail:LookupEvents',
        Resource: '*',
        Condition: { StringEquals: { 'aws:RequestedRegion': Object.keys(prod.regions) } },
      },
    ]);
    expect(Object.keys(prod.regions).length).toBeGreaterThan(1);
  });

  it('is granted to the runner', () => {
    const folder = fileURLToPath(new URL('../../../../runner/src/', import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const prefixes: Readonly<Record<string, string>> = { 'cloudwatch-logs': 'logs' };
    const sameAs: Readonly<Record<string, string>> = { 's3:HeadObject': 's3:GetObject' };
    const calls = files.flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/import \{([^}]*)\} from '@aws-sdk\/client-([a-z0-9-]+)'/g)]
        .flatMap(([, names = '', client = '']) =>
          (names.match(/\w+(?=Command\b)/g) ?? []).map((name) => ({ client, name })),
        )
        .map(({ client, name }) => `${prefixes[client] ?? client}:${name}`),
    );
    expect(calls.length).toBeGreaterThan(1);
    // With the old pipeline's lock table, whose digests the runner forgets.
    const whole = build(takenOver).terraform;
    const granted = new Set([
      ...actionsOf('aws_iam_role_policy.runner-policy', whole),
      ...actionsOf('aws_iam_policy.runner-us-west-2', whole),
    ]);
    expect(calls.map((call) => sameAs[call] ?? call).filter((action) => !granted.has(action))).toEqual([]);
  });

  it('is granted to the Terraform it runs', () => {
    const granted = new Set([
      ...actionsOf('aws_iam_role_policy.runner-policy'),
      ...actionsOf('aws_iam_policy.runner-us-west-2'),
    ]);
    expect(TERRAFORM_CALLS.filter((action) => !granted.has(action))).toEqual([]);
  });

  it('reaches nothing of the platform itself by a tag', () => {
    // The platform's keys and groups carry the tag Environment; only what is an enclave's carries EnclaveId.
    const changing = policiesIn(terraform)
      .filter(({ at }) => /^aws_iam_(role_policy|policy)\.(operator|runner|break-glass)/.test(at))
      .flatMap(({ policy }) => policy.Statement)
      .filter(
        ({ Sid, Condition = {} }) =>
          Sid !== 'LaunchWithGroups' && JSON.stringify(Condition).includes('Tag/Environment'),
      );
    expect(changing.length).toBeGreaterThan(8);
    for (const { Sid, Condition = {} } of changing)
      expect(JSON.stringify(Condition.Null ?? {}), Sid).toContain('Tag/EnclaveId');
  });

  it('is granted to the state machines', () => {
    const parameters = {
      stateTable: 's',
      historyTable: 'h',
      cluster: 'c',
      taskDefinition: 't',
      containerName: 'r',
      subnets: [],
      securityGroups: [],
    };
    const documents = [workflow('deploy', parameters), workflow('destroy', parameters), driftWorkflow(parameters)];
    const calls = [...new Set(JSON.stringify(documents).match(/(?<=arn:aws:states:::)[a-z]+:[A-Za-z]+/g))];
    expect(calls.length).toBeGreaterThan(3);
    const granted = actionsOf('aws_iam_role_policy.workflows-policy');
    const actions = calls.map((it) => it.replace(/:(.)/, (_, first: string) => `:${first.toUpperCase()}`));
    expect(actions.filter((action) => !granted.has(action))).toEqual([]);
  });
});

/** One statement a paragraph, as a person reviews it. */
function review(policies: ReadonlyMap<string, readonly Statement[]>): string {
  const paragraphs = [...policies]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, statements]) => {
      const lines = statements.flatMap(({ sid, effect, actions, resources, reason, conditions, principals }) => [
        `  ${effect} ${sid}`,
        ...(principals === undefined ? [] : [`    by   ${JSON.stringify(principals)}`]),
        ...actions.map((action) => `    ${action}`),
        ...resources.map((resource) => `    on   ${resource}${reason === undefined ? '' : ` because ${reason}`}`),
        ...Object.entries(conditions ?? {}).map(([operator, keys]) => `    if   ${operator} ${JSON.stringify(keys)}`),
      ]);
      return [address, ...lines].join('\n');
    });
  return `${paragraphs.join('\n\n')}\n`;
}
