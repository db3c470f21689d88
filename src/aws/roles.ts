/** Roles of hosts, out of the one call of IAM that tells everything of many. */
import { GetAccountAuthorizationDetailsCommand, type IAMClient, type RoleDetail } from '@aws-sdk/client-iam';
import { resourceName, TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../enclave/names.ts';
import type { SeenRole } from '../reconciler/ports/inventory.ts';
import { call } from './errors.ts';

const PAGE_SIZE = 1_000;

/**
 * One page of the account's roles, of which those of hosts are kept, be they another environment's. By name they would be four calls each, and IAM's
 * limits are low.
 */
export async function hostRoles(
  client: IAMClient,
  environment: string,
  marker: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly items: readonly SeenRole[]; readonly next: string | undefined }> {
  const answer = await call('iam:GetAccountAuthorizationDetails', 'the roles of hosts', () =>
    client.send(new GetAccountAuthorizationDetailsCommand({ Filter: ['Role'], MaxItems: PAGE_SIZE, Marker: marker }), {
      abortSignal: signal,
    }),
  );
  const items = (answer.RoleDetailList ?? []).flatMap((role) => toRole(role, environment));
  return { items, next: answer.IsTruncated === true ? answer.Marker : undefined };
}

function toRole(role: RoleDetail, environment: string): SeenRole[] {
  const tag = (name: string) => role.Tags?.find(({ Key }) => Key === name)?.Value ?? '';
  const enclaveId = tag(TAG_ENCLAVE_ID);
  // A tag is quickly set: whose host it is, the name says.
  const name = resourceName('instance-role', enclaveId);
  if (enclaveId === '' || role.RoleName !== name) return [];
  const inline = (role.RolePolicyList ?? []).map(({ PolicyName = '', PolicyDocument = '' }) => [
    PolicyName,
    decoded(PolicyDocument),
  ]);
  return [
    {
      name,
      enclaveId,
      ...(tag(TAG_ENVIRONMENT) === environment ? {} : { foreign: true }),
      trust: decoded(role.AssumeRolePolicyDocument ?? ''),
      attachedArns: (role.AttachedManagedPolicies ?? []).map(({ PolicyArn = '' }) => PolicyArn),
      inline: Object.fromEntries(inline),
    },
  ];
}

/** IAM sends documents percent-encoded; one that is not, is none, and is left as it is. */
export function decoded(document: string): string {
  try {
    return decodeURIComponent(document);
  } catch {
    return document;
  }
}
