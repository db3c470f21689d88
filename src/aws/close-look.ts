/** A close look at one enclave: everything AWS tells of it, by its own names and ids, for a person who asks. */
import { createHash } from 'node:crypto';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  DescribeInstanceAttributeCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2';
import {
  GetRoleCommand,
  GetRolePolicyCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { logGroupName, resourceName } from '../enclave/names.ts';
import type { Config } from '../reconciler/config.ts';
import type { Host, HostStatus, KeyDocuments } from '../reconciler/ports.ts';
import type { GroupRule, SeenLogGroup, SeenRole, SeenVolume } from '../reconciler/surroundings.ts';
import { createClients } from './clients.ts';
import { errorName } from './errors.ts';
import { createHosts } from './hosts.ts';
import { seeKey } from './keys.ts';
import { decoded } from './roles.ts';
import { toGroups, toVolumes } from './surroundings.ts';

export interface CloseSubject {
  readonly id: string;
  readonly region: string;
  readonly instanceId: string | undefined;
  readonly groupId: string | undefined;
  readonly key: { readonly arn: string; readonly own: boolean } | undefined;
}

/** What was seen; a part that is absent was not, and `unseen` says why. */
export interface CloseLook {
  readonly hosts?: readonly Host[] | undefined;
  readonly status?: HostStatus | undefined;
  readonly agentOnline?: boolean | undefined;
  /** SHA-1, in hexadecimal. */
  readonly userData?: string | undefined;
  readonly terminationProtection?: boolean | undefined;
  readonly volume?: Pick<SeenVolume, 'encrypted' | 'deleteOnTermination'> | undefined;
  readonly rules?: readonly GroupRule[] | undefined;
  readonly role?: Omit<SeenRole, 'name' | 'enclaveId'> | undefined;
  readonly key?: KeyDocuments | undefined;
  readonly logGroup?: Partial<Omit<SeenLogGroup, 'enclaveId'>> & { readonly exists: boolean };
  readonly unseen: readonly { readonly what: string; readonly why: string }[];
}

/** Endpoints and credentials come from the SDK's own environment. Never rejects: what cannot be seen is named. */
export async function lookClosely(config: Config, subject: CloseSubject): Promise<CloseLook> {
  const { id, region, instanceId, groupId, key } = subject;
  const { signal } = new AbortController();
  const clients = createClients(config.region);
  const ec2 = clients.ec2(region);
  const unseen: { what: string; why: string }[] = [];
  const see = async <T>(what: string, ask: (() => Promise<T>) | undefined): Promise<T | undefined> => {
    try {
      return await ask?.();
    } catch (error) {
      unseen.push({ what, why: errorName(error) || 'Error' });
      return undefined;
    }
  };
  const ofHost = <T>(ask: (instanceId: string) => Promise<T>) =>
    instanceId === undefined ? undefined : () => ask(instanceId);
  try {
    const hosts = createHosts({ clients, environment: config.environment, prefix: config.prefix });
    const found = await see('hosts', async () => {
      const tagged = await hosts.find(region, id);
      const pinned = instanceId === undefined ? undefined : await hosts.byInstanceId(region, instanceId);
      return pinned === undefined || tagged.some((host) => host.instanceId === instanceId)
        ? tagged
        : [...tagged, pinned];
    });
    const status = await see(
      'checks and events',
      ofHost((host) => first(hosts.status(region, [host], signal))),
    );
    const attributes = await see(
      'user data and termination protection',
      ofHost((host) => attributesOf(ec2, host)),
    );
    const agentOnline = await see(
      'agent',
      ofHost(async (host) => {
        const Filters = [{ Key: 'InstanceIds', Values: [host] }];
        const answer = await clients
          .ssm(region)
          .send(new DescribeInstanceInformationCommand({ Filters, MaxResults: 5 }));
        const known = answer.InstanceInformationList?.find((each) => each.InstanceId === host);
        return known && known.PingStatus === 'Online';
      }),
    );
    const volume = await see(
      'volumes',
      ofHost(async (host) => {
        const Filters = [{ Name: 'attachment.instance-id', Values: [host] }];
        const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters }));
        const volumes = Volumes.flatMap((each) => toVolumes(each, id));
        // Of several the root is not known.
        return volumes.length === 1 ? volumes[0] : undefined;
      }),
    );
    const rules = await see(
      'rules',
      groupId === undefined
        ? undefined
        : async () => {
            const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [groupId] }));
            return SecurityGroups.flatMap((each) => toGroups(each, id))[0]?.rules;
          },
    );
    const logGroup = await see('log group', async () => {
      const name = logGroupName(id);
      const answer = await clients
        .logs(region)
        .send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name, limit: 50 }));
      const own = answer.logGroups?.find((each) => each.logGroupName === name);
      if (own === undefined) return { exists: false };
      return { exists: true, retentionDays: own.retentionInDays ?? null, kmsKeyArn: own.kmsKeyId ?? null };
    });
    const role = await see('role', () => roleOf(clients.iam, resourceName('instance-role', id)));
    const documents = await see(
      'key',
      key === undefined
        ? undefined
        : () => seeKey(clients.kms(key.arn.split(':')[3] ?? region), key.arn, key.own, signal),
    );
    const parts = { hosts: found, status, agentOnline, volume, rules, role, key: documents, ...attributes };
    return { ...parts, ...(logGroup === undefined ? {} : { logGroup }), unseen };
  } finally {
    clients.close();
  }
}

async function first<T>(pages: AsyncIterable<readonly T[]>): Promise<T | undefined> {
  for await (const [item] of pages) return item;
  return undefined;
}

async function attributesOf(ec2: EC2Client, InstanceId: string) {
  const ask = (Attribute: 'userData' | 'disableApiTermination') =>
    ec2.send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute }));
  const { UserData } = await ask('userData');
  const { DisableApiTermination } = await ask('disableApiTermination');
  const data = UserData?.Value;
  return {
    userData: data === undefined ? undefined : createHash('sha1').update(Buffer.from(data, 'base64')).digest('hex'),
    terminationProtection: DisableApiTermination?.Value,
  };
}

async function roleOf(iam: IAMClient, RoleName: string) {
  const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const inline: Record<string, string> = {};
  for (const PolicyName of PolicyNames) {
    const { PolicyDocument = '' } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
    inline[PolicyName] = decoded(PolicyDocument);
  }
  return {
    trust: decoded(Role?.AssumeRolePolicyDocument ?? ''),
    attachedArns: AttachedPolicies.map(({ PolicyArn = '' }) => PolicyArn),
    inline,
  };
}
