/** A role of the platform: its policies and no others, so that what was added by hand goes at the next apply. */
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js';
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js';
import { IamRolePoliciesExclusive } from '@cdktf/provider-aws/lib/iam-role-policies-exclusive/index.js';
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js';
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js';
import { IamRolePolicyAttachmentsExclusive } from '@cdktf/provider-aws/lib/iam-role-policy-attachments-exclusive/index.js';
import type { Platform } from '../context.ts';
import { policyJson, type Statement } from '../policy.ts';

export interface RoleOptions {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly trust: string;
  readonly statements: readonly Statement[];
  /** A managed policy for each region: inline ones may take 10,240 characters in all. */
  readonly regional?: ReadonlyMap<string, readonly Statement[]>;
}

const POLICY_NAME = 'permissions';

export function role({ stack, config, policies }: Platform, options: RoleOptions): IamRole {
  const { id, name, description, trust, statements, regional = new Map() } = options;
  const made = new IamRole(stack, `${id}-role`, { name, description, assumeRolePolicy: trust });
  const policy = new IamRolePolicy(stack, `${id}-policy`, {
    name: POLICY_NAME,
    role: made.name,
    policy: policyJson(statements),
  });
  policies.set(`aws_iam_role_policy.${id}-policy`, statements);
  const attached = [...regional].map(([region, ofRegion]) => {
    const managed = new IamPolicy(stack, `${id}-${region}`, {
      name: `${config.prefix}-${id}-${region}`,
      description: `${description} in ${region}`,
      policy: policyJson(ofRegion),
    });
    policies.set(`aws_iam_policy.${id}-${region}`, ofRegion);
    return new IamRolePolicyAttachment(stack, `${id}-${region}-attachment`, {
      role: made.name,
      policyArn: managed.arn,
    });
  });
  new IamRolePoliciesExclusive(stack, `${id}-only-policies`, { roleName: made.name, policyNames: [policy.name] });
  new IamRolePolicyAttachmentsExclusive(stack, `${id}-only-attachments`, {
    roleName: made.name,
    policyArns: attached.map((attachment) => attachment.policyArn),
  });
  return made;
}
