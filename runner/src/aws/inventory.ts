/** What exists in AWS of one enclave, by tag and by name: every resource type its stack makes. */
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeSecurityGroupsCommand, type Filter } from '@aws-sdk/client-ec2';
import { GetInstanceProfileCommand, GetRoleCommand, ListRolePoliciesCommand, type Tag } from '@aws-sdk/client-iam';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import type { PlatformFacts } from '../../../infra/enclave/platform-facts.ts';
import { hostConfigurationKey } from '../../../src/enclave/host-configuration.ts';
import { logGroupName, resourceName, shortenId, TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import type { RunVariables } from '../../../src/enclave/run-item.ts';
import { type AwsClients, unlessNamed } from './clients.ts';
import { literal, ourTags, presentHosts } from './hosts.ts';
import { exists } from './objects.ts';

export interface Found {
  readonly type: string;
  /** Where the stack has it in its state. */
  readonly address: string;
  /** What `terraform import` calls it. */
  readonly importId: string;
  /** Bears our name and another environment's tag: never to be touched. */
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
  const kinds = [hosts, securityGroups, role, instanceProfile, logGroup, configurationObject, key];
  return (await Promise.all(kinds.map((kind) => kind(scope)))).flat();
}

const named = (type: string, name: string) => (importId: string) => ({ type, address: `${type}.${name}`, importId });

async function hosts({ clients, enclaveId, variables }: InventoryScope): Promise<readonly Found[]> {
  const present = await presentHosts(clients, enclaveId, variables.environment);
  return present.map(({ instanceId, dying }) => ({ ...named('aws_instance', 'enclave_instance')(instanceId), dying }));
}

/** By tag and by name: a group may have been made and not yet tagged. */
async function securityGroups({ clients, enclaveId, variables, facts }: InventoryScope): Promise<readonly Found[]> {
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
    ...named('aws_security_group', 'enclave_sg')(id),
    ...foreignBy(Tags, variables),
  }));
}

/** Where the stack has a role's inline policies, by name. */
const POLICIES: Readonly<Record<string, string>> = {
  'enclave-logs': 'enclave_cloudwatch_policy',
  'enclave-host': 'enclave_host_policy',
};

/** The role and its inline policies: without them in the state, a destroy could not delete the role. */
async function role({ clients, enclaveId, variables }: InventoryScope): Promise<readonly Found[]> {
  const RoleName = resourceName('instance-role', enclaveId);
  const answer = await unlessNamed(clients.iam.send(new GetRoleCommand({ RoleName })), 'NoSuchEntityException');
  if (answer === undefined) return [];
  const { PolicyNames = [] } = await clients.iam.send(new ListRolePoliciesCommand({ RoleName }));
  const foreign = foreignBy(answer.Role?.Tags, variables);
  return [
    { ...named('aws_iam_role', 'enclave_instance_role')(RoleName), ...foreign },
    ...PolicyNames.flatMap((name) => {
      const address = POLICIES[name];
      // One of another name has no place in the stack: it goes with the role.
      if (address === undefined) return [];
      return [{ ...named('aws_iam_role_policy', address)(`${RoleName}:${name}`), ...foreign }];
    }),
  ];
}

async function instanceProfile({ clients, enclaveId, variables }: InventoryScope): Promise<readonly Found[]> {
  const InstanceProfileName = resourceName('instance-profile', enclaveId);
  const call = clients.iam.send(new GetInstanceProfileCommand({ InstanceProfileName }));
  const answer = await unlessNamed(call, 'NoSuchEntityException');
  if (answer === undefined) return [];
  return [
    {
      ...named('aws_iam_instance_profile', 'enclave_instance_profile')(InstanceProfileName),
      ...foreignBy(answer.InstanceProfile?.Tags, variables),
    },
  ];
}

async function logGroup({ clients, enclaveId }: InventoryScope): Promise<readonly Found[]> {
  const name = logGroupName(enclaveId);
  // A prefix: other enclaves' groups may begin with this one's name.
  const answer = await clients.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name }));
  const present = answer.logGroups?.some(({ logGroupName: each }) => each === name) === true;
  return present ? [named('aws_cloudwatch_log_group', 'enclave_logs')(name)] : [];
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
  const found = named('aws_s3_object', 'enclave_configuration')(`${place.bucket}/${key}`);
  return (await exists(clients, place)) ? [found] : [];
}

/** A key that is pending deletion counts as gone, and its name with it. */
async function key({ clients, enclaveId }: InventoryScope): Promise<readonly Found[]> {
  const alias = keyAlias(enclaveId);
  const keyId = await keyBehind(clients, alias);
  if (keyId === undefined) return [];
  return [named('aws_kms_key', 'enclave_key')(keyId), named('aws_kms_alias', 'enclave_key_alias')(alias)];
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

/** Names of resources do not hold the environment, so that two environments of one account may clash. */
function foreignBy(tags: readonly Partial<Tag>[] | undefined, variables: RunVariables): { foreign?: true } {
  const environment = tags?.find(({ Key }) => Key === TAG_ENVIRONMENT)?.Value;
  return environment === undefined || environment === variables.environment ? {} : { foreign: true };
}
