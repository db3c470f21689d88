/** A role of the platform: its one policy and no other, so that what was added by hand goes at the next apply. */
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js';
import { IamRolePoliciesExclusive } from '@cdktf/provider-aws/lib/iam-role-policies-exclusive/index.js';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js';
import { IamRolePolicyAttachmentsExclusive } from '@cdktf/provider-aws/lib/iam-role-policy-attachments-exclusive/index.js';
import type { Platform } from '../context.ts';
import { policyJson, type Statement } from '../policy.ts';

export interface RoleOptions {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly trust: string;
  readonly statements: readonly Statement[];
}

const POLICY_NAME = 'permissions';

export function role({ stack, policies }: Platform, options: RoleOptions): IamRole {
  const { id, name, description, trust, statements } = options;
  const made = new IamRole(stack, `${id}-role`, { name, description, assumeRolePolicy: trust });
  const policy = new IamRolePolicy(stack, `${id}-policy`, {
    name: POLICY_NAME,
    role: made.name,
    policy: policyJson(statements),
  });
  policies.set(`aws_iam_role_policy.${id}-policy`, statements);
  new IamRolePoliciesExclusive(stack, `${id}-only-policy`, { roleName: made.name, policyNames: [policy.name] });
  new IamRolePolicyAttachmentsExclusive(stack, `${id}-no-attachments`, { roleName: made.name, policyArns: [] });
  return made;
}
