/** What exists in AWS of one enclave, by tag and by name: every resource type its stack makes. */
import { DescribeLogGroupsCommand, ListTagsForResourceCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeSecurityGroupsCommand, type Filter } from '@aws-sdk/client-ec2';
import { GetInstanceProfileCommand, GetRoleCommand, ListRolePoliciesCommand, type Tag } from '@aws-sdk/client-iam';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import type { PlatformFacts } from '../../../infra/enclave/platform-facts.ts';
import { hostConfigurationKey } from '../../../src/enclave/host-configuration.ts';
import type { RunVariables } from '../../../src/enclave/items/run.ts';
import { logGroupName, resourceName, shortenId, TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import {
  addressOf,
  type ListedType,
  RESOURCE_TYPES,
  type ResourceTypeName,
  ROLE_POLICIES,
} from '../../../src/enclave/resource-types.ts';
import { type AwsClients, unlessNamed } from './clients.ts';
import { literal, ourTags, presentHosts } from './hosts.ts';
import { exists } from './objects.ts';

export interface Found {
  readonly type: string;
  /** Where the stack has it in its state. */
  readonly address: string;
  /** What `terraform import` calls it. */
  readonly importId: string;
  /** Has this enclave's resource name, but its tags do not name this enclave and environment; the runner never changes it. */
  readonly foreign?: boolean;
  /** On its way out: it counts as there, and is not to be taken over. */
  readonly dying?: boolean;
}

export interface InventoryScope {
  readonly clients: AwsClients;
  readonly enclaveId: string;
  readonly variables: RunVariables;
  readonly facts: PlatformFacts;
}

export async function takeInventory(scope: InventoryScope): Promise<readonly Found[]> {
  return (await Promise.all(Object.values(LISTERS).map((list) => list(scope)))).flat();
}

/** A listed type of the table without a lister here does not compile. */
const LISTERS: Readonly<Record<ListedType, (scope: InventoryScope) => Promise<readonly Found[]>>> = {
  aws_instance: hosts,
  aws_security_group: securityGroups,
  aws_iam_role: role,
  aws_iam_instance_profile: instanceProfile,
  aws_cloudwatch_log_group: logGroup,
  aws_s3_object: configurationObject,
  aws_kms_key: key,
};

const entry = (type: ResourceTypeName, importId: string, name?: string) => ({
  type,
  address: addressOf(type, name),
  importId,
});

async function hosts({ clients, enclaveId, variables }: InventoryScope): Promise<readonly Found[]> {
  const present = await presentHosts(clients, enclaveId, variables.environment);
  return present.map(({ instanceId, dying }) => ({ ...entry('aws_instance', instanceId), dying }));
}

/** By tag and by name: one with our name and another's tag is in the way, and a deploy must not fail half-way. */
async function securityGroups(scope: InventoryScope): Promise<readonly Found[]> {
  const { clients, enclaveId, variables, facts } = scope;
  const find = async (filters: Filter[]) =>
    (await clients.ec2.send(new DescribeSecurityGroupsCommand({ Filters: filters }))).SecurityGroups ?? [];
  const region = facts.regions[variables.region];
  const byName: Filter[] = [
    { Name: 'group-name', Values: [literal(resourceName('sg', enclaveId))] },
    ...(region === undefined ? [] : [{ Name: 'vpc-id', Values: [region.vpcId] }]),
  ];
  const groups = [...(await find(ourTags(enclaveId, variables.environment))), ...(await find(byName))];
  const byId = new Map(
    groups.flatMap((group) => (group.GroupId === undefined ? [] : [[group.GroupId, group] as const])),
  );
  return [...byId].map(([id, { Tags }]) => ({
    ...entry('aws_security_group', id),
    ...foreign('aws_security_group', Tags, scope),
  }));
}

/** Where the stack has a role's inline policies, by name. */
const POLICIES: ReadonlyMap<string, string> = new Map(
  Object.entries(ROLE_POLICIES).map(([address, policy]) => [policy, address]),
);

/** The role and its inline policies: without them in the state, a destroy could not delete the role. */
async function role(scope: InventoryScope): Promise<readonly Found[]> {
  const { clients, enclaveId } = scope;
  const RoleName = resourceName('instance-role', enclaveId);
  const answer = await unlessNamed(clients.iam.send(new GetRoleCommand({ RoleName })), 'NoSuchEntityException');
  if (answer === undefined) return [];
  const { PolicyNames = [] } = await clients.iam.send(new ListRolePoliciesCommand({ RoleName }));
  const owner = foreign('aws_iam_role', answer.Role?.Tags, scope);
  return [
    { ...entry('aws_iam_role', RoleName), ...owner },
    ...PolicyNames.flatMap((name) => {
      const address = POLICIES.get(name);
      // One of another name has no place in the stack: it goes with the role.
      if (address === undefined) return [];
      return [{ ...entry('aws_iam_role_policy', `${RoleName}:${name}`, address), ...owner }];
    }),
  ];
}

async function instanceProfile(scope: InventoryScope): Promise<readonly Found[]> {
  const { clients, enclaveId } = scope;
  const InstanceProfileName = resourceName('instance-profile', enclaveId);
  const call = clients.iam.send(new GetInstanceProfileCommand({ InstanceProfileName }));
  const answer = await unlessNamed(call, 'NoSuchEntityException');
  if (answer === undefined) return [];
  return [
    {
      ...entry('aws_iam_instance_profile', InstanceProfileName),
      ...foreign('aws_iam_instance_profile', answer.InstanceProfile?.Tags, scope),
    },
  ];
}

async function logGroup(scope: InventoryScope): Promise<readonly Found[]> {
  const { clients, enclaveId } = scope;
  const name = logGroupName(enclaveId);
  // A prefix: other enclaves' groups may begin with this one's name.
  const answer = await clients.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name }));
  const present = answer.logGroups?.find((each) => each.logGroupName === name);
  if (present === undefined) return [];
  const resourceArn = present.logGroupArn ?? present.arn?.replace(/:\*$/, '');
  // A group that has just been deleted may still be listed.
  const call = clients.logs.send(new ListTagsForResourceCommand({ resourceArn }));
  const tagged = await unlessNamed(call, 'ResourceNotFoundException');
  if (tagged === undefined) return [];
  const { tags = {} } = tagged;
  const pairs = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return [{ ...entry('aws_cloudwatch_log_group', name), ...foreign('aws_cloudwatch_log_group', pairs, scope) }];
}

async function configurationObject({
  clients,
  enclaveId,
  variables,
  facts,
}: InventoryScope): Promise<readonly Found[]> {
  const region = facts.regions[variables.region];
  if (region === undefined) return [];
  const key = hostConfigurationKey(enclaveId);
  const place = { bucket: region.configurationBucket, region: variables.region, key };
  const found = entry('aws_s3_object', `${place.bucket}/${key}`);
  return (await exists(clients, place)) ? [found] : [];
}

/** A key that is pending deletion counts as gone, and its name with it. */
async function key({ clients, enclaveId }: InventoryScope): Promise<readonly Found[]> {
  const alias = keyAlias(enclaveId);
  const keyId = await keyBehind(clients, alias);
  if (keyId === undefined) return [];
  return [entry('aws_kms_key', keyId), entry('aws_kms_alias', alias)];
}

/** Undefined where the alias names no key that lives. */
export async function keyBehind(clients: AwsClients, alias: string): Promise<string | undefined> {
  const answer = await unlessNamed(clients.kms.send(new DescribeKeyCommand({ KeyId: alias })), 'NotFoundException');
  const { KeyId, KeyState } = answer?.KeyMetadata ?? {};
  return KeyState === 'PendingDeletion' ? undefined : KeyId;
}

export function keyAlias(enclaveId: string): string {
  return `alias/treza-enclave-${shortenId(enclaveId, 200)}`;
}

type Tags = readonly Partial<Tag>[] | undefined;
type Owned = Pick<InventoryScope, 'enclaveId' | 'variables'>;

const tagOf = (tags: Tags, key: string) => tags?.find(({ Key }) => Key === key)?.Value;

/**
 * Names hold neither the environment nor, where they are shortened, the whole id: two enclaves may share one. So the
 * type's entry says what tags must show.
 */
function foreign(type: ListedType, tags: Tags, { enclaveId, variables }: Owned): { foreign?: true } {
  const { ownedIf } = RESOURCE_TYPES[type].inventory;
  if (ownedIf === 'name') return {};
  const id = tagOf(tags, TAG_ENCLAVE_ID) ?? (ownedIf === 'tags' ? undefined : enclaveId);
  const environment = tagOf(tags, TAG_ENVIRONMENT) ?? variables.environment;
  return id === enclaveId && environment === variables.environment ? {} : { foreign: true };
}
