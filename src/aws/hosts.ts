/** Hosts in EC2, and their agents through SSM. */
import {
  DescribeInstancesCommand,
  type DescribeInstancesCommandInput,
  type Filter,
  type Instance,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DescribeInstanceInformationCommand, SendCommandCommand } from '@aws-sdk/client-ssm';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../enclave/names.ts';
import { type Host, type HostState, type Hosts, OperatorError, type Posture } from '../reconciler/ports/index.ts';
import type { AwsClients } from './clients.ts';
import { call, onNames } from './errors.ts';
import { hostStatus } from './host-status.ts';
import { literal } from './literal.ts';

export interface HostsOptions {
  readonly clients: Pick<AwsClients, 'ec2' | 'ssm'>;
  readonly environment: string;
  /** Of the names of the SSM documents, each of which holds one fixed command and takes no parameters. */
  readonly prefix: string;
}

const PAGE_SIZE = 1_000;
/** EC2's limit for a tag's value: no host carries a longer id. */
const LONGEST_TAG_VALUE = 256;

const ALIVE: readonly HostState[] = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];
const STATES: ReadonlySet<string> = new Set([...ALIVE, 'terminated']);
const isHostState = (name: string | undefined): name is HostState => name !== undefined && STATES.has(name);

function toHost(instance: Instance): Host {
  const tag = (key: string) => instance.Tags?.find((each) => each.Key === key)?.Value ?? '';
  const state = instance.State?.Name;
  if (instance.InstanceId === undefined || !isHostState(state)) {
    // Left out, the host would pass for missing.
    throw new OperatorError(
      'Transient',
      'ec2:DescribeInstances',
      `host ${instance.InstanceId ?? 'without id'} in state ${state ?? 'unknown'}: not understood (asked again)`,
    );
  }
  return {
    instanceId: instance.InstanceId,
    enclaveId: tag(TAG_ENCLAVE_ID),
    environment: tag(TAG_ENVIRONMENT),
    state,
    launchedAt: instance.LaunchTime?.toISOString() ?? '',
    posture: postureOf(instance),
  };
}

/** What EC2 leaves out of its answer about a profile or a public address, the host does not have. */
function postureOf({ Tags, MetadataOptions, ...instance }: Instance): Posture {
  return {
    instanceType: instance.InstanceType,
    amiId: instance.ImageId,
    enclavesEnabled: instance.EnclaveOptions?.Enabled,
    profile: instance.IamInstanceProfile?.Arn?.split('/').at(-1) ?? null,
    groups: instance.SecurityGroups?.flatMap(({ GroupId, GroupName }) =>
      GroupId === undefined ? [] : [{ id: GroupId, name: GroupName }],
    ),
    tags: Tags && Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    metadata: MetadataOptions && {
      endpoint: MetadataOptions.HttpEndpoint,
      tokens: MetadataOptions.HttpTokens,
      hopLimit: MetadataOptions.HttpPutResponseHopLimit,
    },
    publicIp: instance.PublicIpAddress ?? null,
  };
}

export function createHosts({ clients, environment, prefix }: HostsOptions): Hosts {
  async function* describe(
    region: string,
    subject: string,
    input: DescribeInstancesCommandInput,
    signal?: AbortSignal,
  ) {
    let nextToken: string | undefined;
    do {
      const page = await call('ec2:DescribeInstances', subject, () =>
        clients
          .ec2(region)
          .send(
            new DescribeInstancesCommand({ ...input, NextToken: nextToken }),
            signal ? { abortSignal: signal } : {},
          ),
      );
      yield (page.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []).map(toHost);
      nextToken = page.NextToken;
    } while (nextToken !== undefined && nextToken !== '');
  }

  const ours = (more: readonly Filter[]): DescribeInstancesCommandInput => ({
    Filters: [
      ...more,
      { Name: `tag:${TAG_ENVIRONMENT}`, Values: [literal(environment)] },
      { Name: 'instance-state-name', Values: [...ALIVE] },
    ],
    MaxResults: PAGE_SIZE,
  });
  // Filters are asked for and checked again: a host that is not ours must never be taken for ours.
  const isOurs = (host: Host) =>
    host.enclaveId !== '' && host.environment === environment && host.state !== 'terminated';

  const command = async (region: string, instanceId: string, name: string): Promise<void> => {
    const input = { DocumentName: `${prefix}-${name}`, InstanceIds: [instanceId] };
    await call('ssm:SendCommand', `host ${instanceId}`, () => clients.ssm(region).send(new SendCommandCommand(input)));
  };

  return {
    async *sweep(region, signal) {
      const input = ours([{ Name: 'tag-key', Values: [TAG_ENCLAVE_ID] }]);
      for await (const page of describe(region, `region ${region}`, input, signal)) yield page.filter(isOurs);
    },

    async find(region, enclaveId) {
      // An empty value would match hosts whose tag is empty.
      if (enclaveId === '' || enclaveId.length > LONGEST_TAG_VALUE) return [];
      const input = ours([{ Name: `tag:${TAG_ENCLAVE_ID}`, Values: [literal(enclaveId)] }]);
      const hosts: Host[] = [];
      for await (const page of describe(region, `enclave ${enclaveId}`, input)) {
        hosts.push(...page.filter((host) => isOurs(host) && host.enclaveId === enclaveId));
      }
      return hosts;
    },

    async byInstanceId(region, instanceId) {
      // An empty id list means *all* to EC2.
      if (instanceId === '') return undefined;
      const answer = await call(
        'ec2:DescribeInstances',
        `host ${instanceId}`,
        () => clients.ec2(region).send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
        onNames('missing' as const, 'InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'),
      );
      if (answer === 'missing') return undefined;
      const instance = (answer.Reservations ?? [])
        .flatMap((reservation) => reservation.Instances ?? [])
        .find((each) => each.InstanceId === instanceId);
      return instance === undefined ? undefined : toHost(instance);
    },

    status: (region, instanceIds, signal) => hostStatus(clients.ec2(region), region, instanceIds, signal),

    async start(region, instanceId) {
      await call('ec2:StartInstances', `host ${instanceId}`, () =>
        clients.ec2(region).send(new StartInstancesCommand({ InstanceIds: [instanceId] })),
      );
    },

    async stop(region, instanceId) {
      await call('ec2:StopInstances', `host ${instanceId}`, () =>
        clients.ec2(region).send(new StopInstancesCommand({ InstanceIds: [instanceId] })),
      );
    },

    async askToReport(region, instanceId) {
      const answer = await call('ssm:DescribeInstanceInformation', `host ${instanceId}`, () =>
        clients.ssm(region).send(
          new DescribeInstanceInformationCommand({
            Filters: [{ Key: 'InstanceIds', Values: [instanceId] }],
            // SSM takes no fewer.
            MaxResults: 5,
          }),
        ),
      );
      const known = answer.InstanceInformationList?.find((each) => each.InstanceId === instanceId);
      if (known?.PingStatus !== 'Online') return 'unreachable';
      await command(region, instanceId, 'report-now');
      return 'asked';
    },

    restartEnclave: (region, instanceId) => command(region, instanceId, 'restart-enclave'),
    restartAllocator: (region, instanceId) => command(region, instanceId, 'restart-allocator'),
  };
}
