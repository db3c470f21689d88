/** What surrounds hosts, in EC2, CloudWatch Logs, SSM, IAM and KMS: lists by tag and by name. */
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  type Filter,
  type IpPermission,
  type SecurityGroup,
  type Tag,
  type Volume,
} from '@aws-sdk/client-ec2';
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { logGroupName, TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../enclave/names.ts';
import type { GroupRule, SeenGroup, SeenVolume, Surroundings } from '../reconciler/ports/inventory.ts';
import { attestationPage } from './attestations.ts';
import type { AwsClients } from './clients.ts';
import { call } from './errors.ts';
import { seeKey } from './keys.ts';
import { literal } from './literal.ts';
import { hostRoles } from './roles.ts';

export interface SurroundingsOptions {
  readonly clients: Pick<AwsClients, 'ec2' | 'ssm' | 'logs' | 'iam' | 'kms' | 'trail'>;
  readonly environment: string;
}

/** Most that each call gives at once, by its reference. */
const GROUPS = 1_000;
const VOLUMES = 500;
const LOG_GROUPS = 50;
const AGENTS = 50;

const LOG_GROUP_PREFIX = logGroupName('');

export function createSurroundings({ clients, environment }: SurroundingsOptions): Surroundings {
  const ours: Filter[] = [
    { Name: 'tag-key', Values: [TAG_ENCLAVE_ID] },
    { Name: `tag:${TAG_ENVIRONMENT}`, Values: [literal(environment)] },
  ];
  return {
    groups: (region, signal) =>
      pages(async (NextToken) => {
        const input = { Filters: ours, MaxResults: GROUPS, NextToken };
        const answer = await call('ec2:DescribeSecurityGroups', `region ${region}`, () =>
          clients.ec2(region).send(new DescribeSecurityGroupsCommand(input), { abortSignal: signal }),
        );
        return {
          items: (answer.SecurityGroups ?? []).flatMap((group) => toGroups(group, enclaveOf(group.Tags))),
          next: answer.NextToken,
        };
      }),

    volumes: (region, signal) =>
      pages(async (NextToken) => {
        const input = { Filters: ours, MaxResults: VOLUMES, NextToken };
        const answer = await call('ec2:DescribeVolumes', `region ${region}`, () =>
          clients.ec2(region).send(new DescribeVolumesCommand(input), { abortSignal: signal }),
        );
        return {
          items: (answer.Volumes ?? []).flatMap((volume) => toVolumes(volume, enclaveOf(volume.Tags))),
          next: answer.NextToken,
        };
      }),

    logGroups: (region, signal) =>
      pages(async (nextToken) => {
        const input = { logGroupNamePrefix: LOG_GROUP_PREFIX, limit: LOG_GROUPS, nextToken };
        const answer = await call('logs:DescribeLogGroups', `region ${region}`, () =>
          clients.logs(region).send(new DescribeLogGroupsCommand(input), { abortSignal: signal }),
        );
        const items = (answer.logGroups ?? []).map(({ logGroupName: name = '', retentionInDays, kmsKeyId }) => ({
          enclaveId: name.slice(LOG_GROUP_PREFIX.length),
          retentionDays: retentionInDays ?? null,
          kmsKeyArn: kmsKeyId ?? null,
        }));
        return { items, next: answer.nextToken };
      }),

    agents: (region, signal) =>
      pages(async (NextToken) => {
        const Filters = [
          { Key: 'tag-key', Values: [TAG_ENCLAVE_ID] },
          { Key: `tag:${TAG_ENVIRONMENT}`, Values: [environment] },
        ];
        const answer = await call('ssm:DescribeInstanceInformation', `region ${region}`, () =>
          clients.ssm(region).send(new DescribeInstanceInformationCommand({ Filters, MaxResults: AGENTS, NextToken }), {
            abortSignal: signal,
          }),
        );
        const items = (answer.InstanceInformationList ?? []).flatMap(({ InstanceId, PingStatus }) =>
          InstanceId === undefined ? [] : [{ instanceId: InstanceId, online: PingStatus === 'Online' }],
        );
        return { items, next: answer.NextToken };
      }),

    roles: (signal) => pages((marker) => hostRoles(clients.iam, environment, marker, signal)),

    attestations: (region, time, signal) =>
      pages((token) => attestationPage(clients.trail(region), region, time, token, signal)),

    key: (keyArn, withGrants, signal) => seeKey(clients.kms(keyArn.split(':')[3] ?? ''), keyArn, withGrants, signal),
  };
}

/** Everything a list gives, page by page; an empty token is none. */
async function* pages<T>(
  ask: (token: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next: string | undefined }>,
): AsyncIterable<readonly T[]> {
  let token: string | undefined;
  do {
    const { items, next } = await ask(token);
    yield items;
    token = next;
  } while (token !== undefined && token !== '');
}

const enclaveOf = (tags: readonly Tag[] | undefined) => tags?.find(({ Key }) => Key === TAG_ENCLAVE_ID)?.Value ?? '';

/** None where nobody knows whose it is. */
export function toGroups(group: SecurityGroup, enclaveId: string): SeenGroup[] {
  if (group.GroupId === undefined || enclaveId === '') return [];
  const rules = [
    ...(group.IpPermissions ?? []).flatMap((each) => toRules('ingress', each, group)),
    ...(group.IpPermissionsEgress ?? []).flatMap((each) => toRules('egress', each, group)),
  ];
  return [{ enclaveId, groupId: group.GroupId, rules }];
}

/** One rule a peer, as they are written and not as EC2 puts them together. */
function toRules(direction: GroupRule['direction'], permission: IpPermission, group: SecurityGroup): GroupRule[] {
  const { IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges, PrefixListIds, UserIdGroupPairs } = permission;
  const groups = (UserIdGroupPairs ?? []).map(({ GroupId = '', UserId }) => {
    if (GroupId === group.GroupId) return 'self';
    // A group of another account is named with its account.
    return UserId === undefined || UserId === group.OwnerId ? GroupId : `${UserId}/${GroupId}`;
  });
  const peers = [
    ...(IpRanges ?? []).map(({ CidrIp }) => CidrIp),
    ...(Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
    ...(PrefixListIds ?? []).map(({ PrefixListId }) => PrefixListId),
    ...groups,
  ];
  const rule = { direction, protocol: IpProtocol ?? '', fromPort: FromPort ?? 0, toPort: ToPort ?? 0 };
  return peers.map((peer = '') => ({ ...rule, peer }));
}

/** One for each host it is attached to, and one where there is none. */
export function toVolumes({ VolumeId, Encrypted, Attachments }: Volume, enclaveId: string): SeenVolume[] {
  if (VolumeId === undefined || enclaveId === '') return [];
  const volume = { enclaveId, volumeId: VolumeId, encrypted: Encrypted };
  const attached = (Attachments ?? []).flatMap(({ InstanceId, DeleteOnTermination }) =>
    InstanceId === undefined ? [] : [{ ...volume, instanceId: InstanceId, deleteOnTermination: DeleteOnTermination }],
  );
  return attached.length > 0 ? attached : [{ ...volume, instanceId: undefined, deleteOnTermination: undefined }];
}
