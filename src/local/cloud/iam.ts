/** IAM's Query protocol: the roles of all hosts in one call, and one role by its name. */
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../enclave/names.ts';
import type { Core } from './core.ts';
import { CloudError } from './model.ts';
import { roles, type SimRole } from './surroundings.ts';
import { document, type XmlMap } from './xml.ts';

const NAMESPACE = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** All roles on one page. */
function authorizationDetails(core: Core): XmlMap {
  const RoleDetailList = roles(core).map(({ name, enclaveId, trust, inline }) => ({
    RoleName: name,
    AssumeRolePolicyDocument: encodeURIComponent(trust),
    RolePolicyList: Object.entries(inline).map(([PolicyName, policy]) => ({
      PolicyName,
      PolicyDocument: encodeURIComponent(policy),
    })),
    AttachedManagedPolicies: [],
    Tags: Object.entries({ [TAG_ENCLAVE_ID]: enclaveId, [TAG_ENVIRONMENT]: core.environment }).map(([Key, Value]) => ({
      Key,
      Value,
    })),
  }));
  return { RoleDetailList, IsTruncated: false };
}

function roleOf(core: Core, parameters: URLSearchParams): SimRole {
  const name = parameters.get('RoleName') ?? '';
  const role = roles(core).find((each) => each.name === name);
  if (role === undefined) throw new CloudError('NoSuchEntity', `The role with name ${name} cannot be found.`);
  return role;
}

function policyOf({ name, inline }: SimRole, parameters: URLSearchParams): XmlMap {
  const PolicyName = parameters.get('PolicyName') ?? '';
  const policy = Object.hasOwn(inline, PolicyName) ? inline[PolicyName] : undefined;
  if (policy === undefined) throw new CloudError('NoSuchEntity', `The policy ${PolicyName} cannot be found.`);
  return { RoleName: name, PolicyName, PolicyDocument: encodeURIComponent(policy) };
}

const OPERATIONS: Readonly<Record<string, (core: Core, parameters: URLSearchParams) => XmlMap>> = {
  GetAccountAuthorizationDetails: authorizationDetails,
  GetRole: (core, parameters) => {
    const { name, trust } = roleOf(core, parameters);
    return { Role: { RoleName: name, AssumeRolePolicyDocument: encodeURIComponent(trust) } };
  },
  GetRolePolicy: (core, parameters) => policyOf(roleOf(core, parameters), parameters),
  ListAttachedRolePolicies: (core, parameters) => {
    roleOf(core, parameters);
    return { AttachedPolicies: [], IsTruncated: false };
  },
  ListRolePolicies: (core, parameters) => ({
    PolicyNames: Object.keys(roleOf(core, parameters).inline),
    IsTruncated: false,
  }),
};

/** Undefined: the call is not one of IAM's. */
export function answerIam(
  core: Core,
  parameters: URLSearchParams,
): { readonly status: number; readonly body: string } | undefined {
  const action = parameters.get('Action') ?? '';
  const operation = Object.hasOwn(OPERATIONS, action) ? OPERATIONS[action] : undefined;
  if (operation === undefined) return undefined;
  try {
    const result = { [`${action}Result`]: operation(core, parameters) };
    return { status: 200, body: document(`${action}Response`, result, NAMESPACE, 'member') };
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    const failure = { Type: 'Sender', Code: error.code, Message: error.message };
    return { status: 404, body: document('ErrorResponse', { Error: failure }, NAMESPACE) };
  }
}
