/** What surrounds the simulated hosts: rules, roles and log groups, as the stack makes them and somebody may change them. */
import {
  type GroupRule,
  type Made,
  namesDigest,
  policiesDigest,
  policyDigest,
  rulesDigest,
} from '../../enclave/digests.ts';
import type { Core } from './core.ts';
import type { SimResource } from './model.ts';

type Resources = Pick<Core, 'resources'>;

const TRUST = allows('sts:AssumeRole', { Principal: { Service: 'ec2.amazonaws.com' } });
const POLICY = allows('logs:PutLogEvents', { Resource: '*' });

function allows(Action: string, more: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, ...more }] });
}

export const ANYBODY = '0.0.0.0/0';

/** Ports of a group that are open to anybody. */
export function portsOf({ attributes }: SimResource): readonly number[] {
  return Array.isArray(attributes.ingress_ports) ? attributes.ingress_ports.map(Number) : [];
}

function rulesOf(group: SimResource): readonly GroupRule[] {
  return portsOf(group).map((port) => ({
    direction: 'ingress',
    protocol: 'tcp',
    fromPort: port,
    toPort: port,
    peer: ANYBODY,
  }));
}

export interface SimRole {
  readonly name: string;
  readonly enclaveId: string;
  readonly trust: string;
  readonly inline: Readonly<Record<string, string>>;
}

/** The stack's policies are not modelled: a role has those that are named, and all say the same. */
export function roles({ resources }: Resources): readonly SimRole[] {
  const all = [...resources.all()];
  const policies = all.filter(({ type }) => type === 'aws_iam_role_policy');
  return all
    .filter(({ type }) => type === 'aws_iam_role')
    .map(({ name, enclaveId }) => {
      const own = policies.filter(({ attributes }) => attributes.role === name);
      const inline = Object.fromEntries(own.map((each) => [each.name.slice(name.length + 1), POLICY]));
      return { name, enclaveId, trust: TRUST, inline };
    });
}

/** As CloudWatch Logs tells of them. */
export function logGroups({ resources }: Resources, region: string, prefix: string): readonly object[] {
  return [...resources.all()]
    .filter((each) => each.type === 'aws_cloudwatch_log_group' && each.region === region)
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name, attributes }) => ({ logGroupName: name, retentionInDays: attributes.retention_in_days }));
}

/** What the runner reads of the state of an enclave that our stack has made. */
export function madeOf(core: Resources, enclaveId: string): Made | undefined {
  const group = core.resources.ofEnclave(enclaveId).find(({ type }) => type === 'aws_security_group');
  const role = roles(core).find((each) => each.enclaveId === enclaveId);
  if (group === undefined || role === undefined) return undefined;
  return {
    groupId: group.id,
    rules: rulesDigest(rulesOf(group)),
    trust: policyDigest(role.trust),
    attached: namesDigest([]),
    inline: policiesDigest(role.inline),
  };
}
