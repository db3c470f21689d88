/** What the runner finds of one enclave, with scripted answers of AWS. */
import { expect, it } from 'vitest';
import type { AwsClients } from '../../../runner/src/aws/clients.ts';
import { takeInventory } from '../../../runner/src/aws/inventory.ts';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import { addressOf, RESOURCE_TYPES, type ResourceType } from '../../../src/enclave/resource-types.ts';
import { ENCLAVE_ID, FACTS, specOf, variablesOf } from '../../support/enclave-stack.ts';

type Tags = Readonly<Record<string, string>>;
interface Command {
  readonly constructor: { readonly name: string };
  readonly input: Readonly<Record<string, unknown>>;
}

const OURS: Tags = { [TAG_ENCLAVE_ID]: ENCLAVE_ID, [TAG_ENVIRONMENT]: 'test' };
const pairs = (tags: Tags) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** One resource of each type that the runner lists, all with these tags. */
function awsWith(tags: Tags): AwsClients {
  const answers: Readonly<Record<string, (input: Command['input']) => object>> = {
    DescribeInstancesCommand: () => ({
      Reservations: [{ Instances: [{ InstanceId: 'i-1', State: { Name: 'running' }, Tags: pairs(tags) }] }],
    }),
    DescribeSecurityGroupsCommand: () => ({ SecurityGroups: [{ GroupId: 'sg-1', Tags: pairs(tags) }] }),
    GetRoleCommand: () => ({ Role: { Tags: pairs(tags) } }),
    ListRolePoliciesCommand: () => ({ PolicyNames: ['enclave-logs', 'enclave-host', 'by-hand'] }),
    GetInstanceProfileCommand: () => ({ InstanceProfile: { Tags: pairs(tags) } }),
    DescribeLogGroupsCommand: ({ logGroupNamePrefix: name }) => ({ logGroups: [{ logGroupName: name, arn: 'arn:*' }] }),
    ListTagsForResourceCommand: () => ({ tags }),
    HeadObjectCommand: () => ({}),
    DescribeKeyCommand: () => ({ KeyMetadata: { KeyId: 'key-1', KeyState: 'Enabled' } }),
  };
  const client = {
    send: async ({ constructor: { name }, input }: Command) => {
      const answer = answers[name];
      if (answer === undefined) throw new Error(`no answer to ${name}`);
      return answer(input);
    },
  };
  const clients = { ec2: client, iam: client, kms: client, logs: client, s3: () => client };
  return clients as unknown as AwsClients;
}

const inventory = (tags: Tags) =>
  takeInventory({ clients: awsWith(tags), enclaveId: ENCLAVE_ID, variables: variablesOf(specOf()), facts: FACTS });
const foreign = async (tags: Tags) =>
  (await inventory(tags)).filter((found) => found.foreign === true).map(({ address }) => address);

const ROLE = ['aws_iam_role.enclave_instance_role', 'aws_iam_role_policy.enclave_cloudwatch_policy'];
const TAGGED = [
  'aws_security_group.enclave_sg',
  ...ROLE,
  'aws_iam_role_policy.enclave_host_policy',
  'aws_iam_instance_profile.enclave_instance_profile',
];
const LOGS = 'aws_cloudwatch_log_group.enclave_logs';

it('finds one of each resource that the table says it can find, at the address that the stack has for it', async () => {
  const types = Object.entries<ResourceType>(RESOURCE_TYPES).filter(([, { inventory }]) => inventory !== undefined);
  const addresses = types.flatMap(([type, { names }]) => names.map((name) => `${type}.${name}`));
  const found = await inventory(OURS);
  expect(found.map(({ address }) => address).sort()).toEqual(addresses.sort());
  expect(found.filter((each) => each.foreign === true)).toEqual([]);
});

it.each([
  { of: 'another enclave', tags: { ...OURS, [TAG_ENCLAVE_ID]: 'enc_other' }, addresses: [...TAGGED, LOGS] },
  { of: 'another environment', tags: { ...OURS, [TAG_ENVIRONMENT]: 'prod' }, addresses: [...TAGGED, LOGS] },
  { of: 'no enclave', tags: {}, addresses: TAGGED },
])('does not count what is tagged as of $of, where tags decide', async ({ tags, addresses }) => {
  expect((await foreign(tags)).sort()).toEqual([...addresses].sort());
});

it('imports by the ids that Terraform wants', async () => {
  const ids = new Map((await inventory(OURS)).map(({ address, importId }) => [address, importId]));
  const role = ids.get(addressOf('aws_iam_role'));
  expect(Object.fromEntries(ids)).toMatchObject({
    [addressOf('aws_instance')]: 'i-1',
    [addressOf('aws_security_group')]: 'sg-1',
    [addressOf('aws_iam_role_policy', 'enclave_host_policy')]: `${role}:enclave-host`,
    [addressOf('aws_kms_key')]: 'key-1',
    [addressOf('aws_s3_object')]: expect.stringContaining('treza-test-configuration/'),
  });
});
