/** What surrounds a host, read from an emulated account in which somebody has made and changed it. */
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeSubnetsCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateGrantCommand, CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsPorts, createAwsPorts } from '../../src/aws/index.ts';
import { policyDigest } from '../../src/enclave/digests.ts';
import { logGroupName, resourceName } from '../../src/enclave/names.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { collect } from '../support/conformance-harness.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';
import { memoryLog } from '../support/memory-world.ts';

const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `surroundings in an emulated account: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}

const ID = 'enc_1';
const REGION = EMULATED_REGION;
const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: ['sts:AssumeRole'] }],
});
const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['logs:PutLogEvents'], Resource: ['*'] }],
});
const KEY_POLICY = POLICY.replace('logs:PutLogEvents', 'kms:DescribeKey');
const tags = (id = ID, environment = 'dev') => [
  { Key: 'EnclaveId', Value: id },
  { Key: 'Environment', Value: environment },
];

describe.skipIf(missing.length > 0)('surroundings in an emulated account', { timeout: 60_000 }, () => {
  let emulator: Emulator;
  let ports: AwsPorts;
  let clients: { ec2: EC2Client; iam: IAMClient; kms: KMSClient; logs: CloudWatchLogsClient };
  let groupId = '';
  let otherGroupId = '';

  beforeAll(async () => {
    emulator = await startEmulator();
    Object.assign(process.env, { AWS_ENDPOINT_URL: emulator.url, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
    const config = ConfigSchema.parse({ region: REGION, accountId: EMULATED_ACCOUNT });
    ports = createAwsPorts({ config, log: memoryLog(), clock: systemClock, random: systemRandom });
    const options = { region: REGION };
    clients = {
      ec2: new EC2Client(options),
      iam: new IAMClient(options),
      kms: new KMSClient(options),
      logs: new CloudWatchLogsClient(options),
    };
    groupId = await makeGroup(resourceName('sg', ID), ID);
    otherGroupId = await makeGroup('foreign', ID, 'prod');
  }, 60_000);
  afterAll(async () => {
    for (const client of Object.values(clients ?? {})) client.destroy();
    ports?.close();
    await emulator?.stop();
  });

  async function makeGroup(name: string, id: string, environment = 'dev'): Promise<string> {
    const { GroupId = '' } = await clients.ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: name,
        Description: 'of a test',
        TagSpecifications: [{ ResourceType: 'security-group', Tags: tags(id, environment) }],
      }),
    );
    return GroupId;
  }

  it('rules of groups: one a peer, whatever the peer is, and not of another environment', async () => {
    await clients.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: groupId,
        IpPermissions: [
          {
            IpProtocol: 'tcp',
            FromPort: 443,
            ToPort: 444,
            IpRanges: [{ CidrIp: '10.0.0.0/8' }, { CidrIp: '0.0.0.0/0' }],
            Ipv6Ranges: [{ CidrIpv6: '::/0' }],
            UserIdGroupPairs: [{ GroupId: groupId }, { GroupId: otherGroupId }],
          },
        ],
      }),
    );
    const groups = await collect((signal) => ports.surroundings.groups(REGION, signal));
    expect(groups).toEqual([{ enclaveId: ID, groupId, rules: expect.any(Array) }]);
    const rules = groups[0]?.rules ?? [];
    const ingress = rules.filter(({ direction }) => direction === 'ingress');
    expect(ingress.map(({ protocol, fromPort, toPort }) => [protocol, fromPort, toPort])).toEqual(
      Array(5).fill(['tcp', 443, 444]),
    );
    expect(new Set(ingress.map(({ peer }) => peer))).toEqual(
      new Set(['10.0.0.0/8', '0.0.0.0/0', '::/0', 'self', otherGroupId]),
    );
    // Every group is made with a way out to anywhere.
    expect(rules).toContainEqual(expect.objectContaining({ direction: 'egress', protocol: '-1', peer: '0.0.0.0/0' }));
  });

  it('volumes and checks of a host', async () => {
    const { Subnets = [] } = await clients.ec2.send(new DescribeSubnetsCommand({}));
    const { Instances = [] } = await clients.ec2.send(
      new RunInstancesCommand({
        ImageId: 'ami-12c6146b',
        InstanceType: 'm5.xlarge',
        MinCount: 1,
        MaxCount: 1,
        ...(Subnets[0]?.SubnetId === undefined ? {} : { SubnetId: Subnets[0].SubnetId }),
        BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 8, Encrypted: true } }],
        TagSpecifications: (['instance', 'volume'] as const).map((ResourceType) => ({ ResourceType, Tags: tags() })),
      }),
    );
    const instanceId = Instances[0]?.InstanceId ?? '';
    // Whether it goes with its host, the emulator does not say.
    expect(await collect((signal) => ports.surroundings.volumes(REGION, signal))).toEqual([
      { enclaveId: ID, volumeId: expect.any(String), instanceId, encrypted: true, deleteOnTermination: undefined },
    ]);
    const status = await collect((signal) => ports.hosts.status(REGION, [instanceId], signal));
    expect(status).toMatchObject([{ instanceId, checks: { system: 'ok', instance: 'ok' }, events: [] }]);
  });

  it('roles of hosts, by name and tag, with all that they may', async () => {
    const RoleName = resourceName('instance-role', ID);
    const make = (name: string, environment = 'dev', id = ID) =>
      clients.iam.send(
        new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: TRUST, Tags: tags(id, environment) }),
      );
    await make(RoleName);
    // Of another environment, and listed as such: what else bears its name is not ours either.
    const elsewhere = resourceName('instance-role', 'enc_elsewhere');
    await make(elsewhere, 'prod', 'enc_elsewhere');
    // One that bears the tag and not the name is not the host's.
    await make('imposter');
    const { Policy } = await clients.iam.send(
      new CreatePolicyCommand({ PolicyName: 'attached', PolicyDocument: POLICY }),
    );
    await clients.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: Policy?.Arn }));
    await clients.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'enclave-logs', PolicyDocument: POLICY }));
    const all = await collect((signal) => ports.surroundings.roles(signal));
    expect(all.filter(({ foreign }) => foreign)).toMatchObject([{ enclaveId: 'enc_elsewhere', name: elsewhere }]);
    const roles = all.filter(({ foreign }) => !foreign);
    expect(roles).toMatchObject([{ enclaveId: ID, name: RoleName, attachedArns: [Policy?.Arn] }]);
    expect(policyDigest(roles[0]?.trust)).toBe(policyDigest(TRUST));
    expect(Object.keys(roles[0]?.inline ?? {})).toEqual(['enclave-logs']);
    expect(policyDigest(roles[0]?.inline['enclave-logs'])).toBe(policyDigest(POLICY));
  });

  it('log groups by their names', async () => {
    for (const name of [logGroupName(ID), logGroupName('enc_2'), '/aws/lambda/another']) {
      await clients.logs.send(new CreateLogGroupCommand({ logGroupName: name }));
    }
    await clients.logs.send(new PutRetentionPolicyCommand({ logGroupName: logGroupName(ID), retentionInDays: 30 }));
    const groups = await collect((signal) => ports.surroundings.logGroups(REGION, signal));
    expect(groups).toEqual([
      { enclaveId: ID, retentionDays: 30, kmsKeyArn: null },
      { enclaveId: 'enc_2', retentionDays: null, kmsKeyArn: null },
    ]);
  });

  it('a key: its state, policy and grants; and one that does not exist', async () => {
    const { KeyMetadata } = await clients.kms.send(new CreateKeyCommand({ Policy: KEY_POLICY }));
    const arn = KeyMetadata?.Arn ?? '';
    const see = (withGrants: boolean, of = arn) => ports.surroundings.key(of, withGrants, new AbortController().signal);
    expect(await see(true)).toMatchObject({ state: 'Enabled', grantIds: [] });
    expect(policyDigest((await see(false)).policy)).toBe(policyDigest(KEY_POLICY));
    expect((await see(false)).grantIds).toBeUndefined();
    const grantee = `arn:aws:iam::${EMULATED_ACCOUNT}:role/other`;
    await clients.kms.send(new CreateGrantCommand({ KeyId: arn, GranteePrincipal: grantee, Operations: ['Decrypt'] }));
    await clients.kms.send(new DisableKeyCommand({ KeyId: KeyMetadata?.KeyId }));
    expect(await see(true)).toMatchObject({ state: 'Disabled', grantIds: [expect.any(String)] });
    expect(await see(true, arn.replace(/[^/]+$/, '00000000-0000-0000-0000-000000000000'))).toEqual({ state: 'Gone' });
  });
});
