/** EC2's Query protocol over the simulated hosts: what the SDK's client needs. */

import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../enclave/names.ts';
import type { Random } from '../../reconciler/ports/index.ts';
import type { Core } from './core.ts';
import { filters, list, named, paged, passes, stateOf } from './ec2-filters.ts';
import { hex } from './ids.ts';
import { CloudError, type SimHost } from './model.ts';
import { ANYBODY, portsOf } from './surroundings.ts';
import { document, type XmlMap } from './xml.ts';

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const ACCOUNT_ID = '000000000000';

interface Call {
  readonly core: Core;
  readonly region: string;
  readonly parameters: URLSearchParams;
}
type Operation = (call: Call) => XmlMap;

const hostsOf = ({ core, region }: Call) => [...core.hosts.all()].filter((host) => host.region === region);
const tagSet = (tags: Readonly<Record<string, string>>) => Object.entries(tags).map(([key, value]) => ({ key, value }));

function describe(core: Core, host: SimHost): XmlMap {
  const { region, securityGroupId } = host;
  return {
    instanceId: host.instanceId,
    imageId: host.amiId,
    instanceState: stateOf(host.state),
    privateDnsName: '',
    dnsName: '',
    instanceType: host.instanceType,
    launchTime: new Date(host.launchedAt).toISOString(),
    placement: { availabilityZone: `${region}a`, tenancy: 'default' },
    monitoring: { state: 'disabled' },
    architecture: host.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: '/dev/xvda',
    groupSet:
      securityGroupId === undefined
        ? []
        : [
            {
              groupId: securityGroupId,
              groupName: core.resources.byId(region, 'aws_security_group', securityGroupId)?.name,
            },
          ],
    ...(host.profileName === undefined
      ? {}
      : {
          iamInstanceProfile: {
            arn: `arn:aws:iam::${ACCOUNT_ID}:instance-profile/${host.profileName}`,
            id: host.profileName,
          },
        }),
    enclaveOptions: { enabled: true },
    // As the stacks set it; how many hops an answer may travel is not modelled.
    metadataOptions: {
      state: 'applied',
      httpEndpoint: 'enabled',
      httpTokens: host.httpTokens ?? (host.hasAgent ? 'required' : 'optional'),
    },
    tagSet: tagSet(host.tags),
  };
}

/** The ids a call names: not together with pages. */
function askedIds({ parameters }: Call): readonly string[] {
  const ids = list(parameters, 'InstanceId');
  if (ids.length > 0 && parameters.has('MaxResults')) {
    const message = 'The parameter instancesSet cannot be used with the parameter maxResults';
    throw new CloudError('InvalidParameterCombination', message);
  }
  return ids;
}

const describeInstances: Operation = (call) => {
  const { core, parameters } = call;
  const ids = askedIds(call);
  const wanted = filters(parameters);
  const found = named(ids, hostsOf(call)).filter((host) => passes(host, wanted));
  const { items, nextToken } = paged(found, (host) => host.instanceId, parameters);
  return {
    reservationSet: items.map((host) => ({
      reservationId: `r-${host.instanceId.slice(2)}`,
      ownerId: ACCOUNT_ID,
      groupSet: [],
      instancesSet: [describe(core, host)],
    })),
    nextToken,
  };
};

const describeInstanceStatus: Operation = (call) => {
  const { parameters, region } = call;
  const all = parameters.get('IncludeAllInstances') === 'true';
  const ids = askedIds(call);
  if (ids.length > 100) throw new CloudError('InvalidParameterValue', 'At most 100 instance IDs can be specified.');
  const wanted = filters(parameters);
  const found = named(ids, hostsOf(call)).filter((host) => (all || host.state === 'running') && passes(host, wanted));
  const { items, nextToken } = paged(found, (host) => host.instanceId, parameters);
  return {
    instanceStatusSet: items.map((host) => {
      const status = host.state === 'running' ? 'ok' : 'not-applicable';
      return {
        instanceId: host.instanceId,
        availabilityZone: `${region}a`,
        instanceState: stateOf(host.state),
        instanceStatus: { status },
        systemStatus: { status },
        attachedEbsStatus: { status },
      };
    }),
    nextToken,
  };
};

const describeSecurityGroups: Operation = ({ core, region, parameters }) => {
  const wanted = filters(parameters);
  const ids = list(parameters, 'GroupId');
  const names = list(parameters, 'GroupName');
  const groups = [...core.resources.all()].filter(
    (each) => each.type === 'aws_security_group' && each.region === region,
  );
  const missing = ids.find((id) => !groups.some((group) => group.id === id));
  if (missing !== undefined) {
    throw new CloudError('InvalidGroup.NotFound', `The security group '${missing}' does not exist`);
  }
  const found = groups.filter(
    (group) =>
      (ids.length === 0 || ids.includes(group.id)) &&
      (names.length === 0 || names.includes(group.name)) &&
      wanted.every(({ name, matches }) => {
        if (name === 'group-name') return matches(group.name);
        if (name === 'group-id') return matches(group.id);
        if (name === 'tag:EnclaveId') return matches(group.enclaveId);
        if (name === 'tag-key') return [TAG_ENCLAVE_ID, TAG_ENVIRONMENT].some(matches);
        if (name === 'tag:Environment') return matches(core.environment);
        throw new CloudError('InvalidParameterValue', `The filter '${name}' is invalid`);
      }),
  );
  const { items, nextToken } = paged(found, (group) => group.id, parameters);
  return {
    securityGroupInfo: items.map((group) => ({
      ownerId: ACCOUNT_ID,
      groupId: group.id,
      groupName: group.name,
      groupDescription: 'Managed by Terraform',
      ipPermissions: portsOf(group).map((port) => ({
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        ipRanges: [{ cidrIp: ANYBODY }],
      })),
      ipPermissionsEgress: [],
      tagSet: tagSet({ [TAG_ENCLAVE_ID]: group.enclaveId, [TAG_ENVIRONMENT]: core.environment }),
    })),
    nextToken,
  };
};

/** Every host has one, encrypted, with its tags. */
const describeVolumes: Operation = (call) => {
  const wanted = filters(call.parameters);
  const found = hostsOf(call).filter((host) => host.state !== 'terminated' && passes(host, wanted));
  const { items, nextToken } = paged(found, (host) => host.instanceId, call.parameters);
  return {
    volumeSet: items.map(({ instanceId, tags }) => {
      const volumeId = `vol-${instanceId.slice(2)}`;
      const attachment = { volumeId, instanceId, device: '/dev/xvda', status: 'attached', deleteOnTermination: true };
      return { volumeId, encrypted: true, status: 'in-use', attachmentSet: [attachment], tagSet: tagSet(tags) };
    }),
    nextToken,
  };
};

/** Neither user data nor the protection against termination is modelled: both are absent, and Unknown. */
const describeInstanceAttribute: Operation = (call) => {
  const id = call.parameters.get('InstanceId') ?? '';
  const [host] = named([id], hostsOf(call));
  return { instanceId: host?.instanceId };
};

/** All or none, as in EC2: the ids are checked before the first host is touched. */
function change(call: Call, act: (id: string) => SimHost): XmlMap {
  const ids = list(call.parameters, 'InstanceId');
  if (ids.length === 0) {
    throw new CloudError('MissingParameter', 'The request must contain the parameter InstanceId');
  }
  const before = named(ids, hostsOf(call));
  return {
    instancesSet: before.map((host) => ({
      instanceId: host.instanceId,
      currentState: stateOf(act(host.instanceId).state),
      previousState: stateOf(host.state),
    })),
  };
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  DescribeInstanceAttribute: describeInstanceAttribute,
  DescribeInstances: describeInstances,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeSecurityGroups: describeSecurityGroups,
  DescribeVolumes: describeVolumes,
  StartInstances: (call) => change(call, (id) => call.core.hosts.start(id)),
  StopInstances: (call) => change(call, (id) => call.core.hosts.stop(id)),
  TerminateInstances: (call) => change(call, (id) => call.core.hosts.terminate(id)),
};

export interface XmlAnswer {
  readonly status: number;
  readonly body: string;
}

/** Answers one call; every error as EC2 spells it. */
export function answerEc2(core: Core, random: Random, region: string, parameters: URLSearchParams): XmlAnswer {
  const action = parameters.get('Action') ?? '';
  const requestId = hex(random, 32);
  try {
    const fault = core.faults.takeEc2(action);
    if (fault !== undefined) throw new CloudError(fault.code, fault.message);
    const operation = Object.hasOwn(OPERATIONS, action) ? OPERATIONS[action] : undefined;
    if (operation === undefined) throw new CloudError('InvalidAction', `The action ${action} is not embedded.`);
    const answer = operation({ core, region, parameters });
    return { status: 200, body: document(`${action}Response`, { requestId, ...answer }, NAMESPACE) };
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    const status = error.code === 'RequestLimitExceeded' || error.code === 'Unavailable' ? 503 : 400;
    // The one element of this protocol that is no `<item>` list.
    const body = document('Response', {
      Errors: { Error: { Code: error.code, Message: error.message } },
      RequestID: requestId,
    });
    return { status, body };
  }
}
