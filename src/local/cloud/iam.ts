/** IAM's Query protocol: the one call by which the roles of all hosts are seen. */
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../enclave/names.ts';
import type { Core } from './core.ts';
import { roles } from './surroundings.ts';
import { document } from './xml.ts';

export const AUTHORIZATION_DETAILS = 'GetAccountAuthorizationDetails';
const NAMESPACE = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** All roles on one page. */
export function authorizationDetails(core: Core): string {
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
  const result = { [`${AUTHORIZATION_DETAILS}Result`]: { RoleDetailList, IsTruncated: false } };
  return document(`${AUTHORIZATION_DETAILS}Response`, result, NAMESPACE, 'member');
}
