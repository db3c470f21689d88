/** Hosts of one enclave in EC2. */
import { DescribeInstancesCommand, type Filter, type Instance } from '@aws-sdk/client-ec2';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_GENERATION } from '../../../src/enclave/names.ts';
import { type AwsClients, unlessNamed } from './clients.ts';

export interface PresentHost {
  readonly instanceId: string;
  /** On its way out: it still exists, and nothing may be built on it. */
  readonly dying: boolean;
  readonly subnetId?: string;
  readonly amiId?: string;
  /** Of the spec that was last applied to it; absent on hosts that something else made. */
  readonly generation?: string;
}

/** `*` and `?` are wildcards in a filter's value, and an id may hold them. */
export const literal = (value: string) => value.replace(/[\\*?]/g, '\\$&');

export const ourTags = (enclaveId: string, environment: string): Filter[] => [
  { Name: `tag:${TAG_ENCLAVE_ID}`, Values: [literal(enclaveId)] },
  { Name: `tag:${TAG_ENVIRONMENT}`, Values: [literal(environment)] },
];

/** Hosts with the enclave's tags that are not terminated. */
export async function presentHosts(
  clients: AwsClients,
  enclaveId: string,
  environment: string,
): Promise<readonly PresentHost[]> {
  const hosts: PresentHost[] = [];
  let NextToken: string | undefined;
  do {
    const page = await clients.ec2.send(
      new DescribeInstancesCommand({ Filters: ourTags(enclaveId, environment), NextToken }),
    );
    const instances = (page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
    hosts.push(...instances.filter((each) => each.State?.Name !== 'terminated').flatMap(toHost));
    NextToken = page.NextToken;
  } while (NextToken !== undefined && NextToken !== '');
  return hosts;
}

function toHost({ InstanceId, SubnetId, ImageId, State, Tags = [] }: Instance): PresentHost[] {
  if (InstanceId === undefined) return [];
  const generation = Tags.find(({ Key }) => Key === TAG_GENERATION)?.Value;
  return [
    {
      instanceId: InstanceId,
      dying: State?.Name === 'shutting-down',
      ...(SubnetId === undefined ? {} : { subnetId: SubnetId }),
      ...(ImageId === undefined ? {} : { amiId: ImageId }),
      ...(generation === undefined ? {} : { generation }),
    },
  ];
}

/** True only where AWS says that the host does not exist or is terminated. */
export async function hostIsGone(clients: AwsClients, instanceId: string): Promise<boolean> {
  // An empty id list means *all* to EC2.
  if (instanceId === '') return false;
  const answer = await unlessNamed(
    clients.ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
    'InvalidInstanceID.NotFound',
  );
  if (answer === undefined) return true;
  const found = (answer.Reservations ?? [])
    .flatMap(({ Instances }) => Instances ?? [])
    .find(({ InstanceId }) => InstanceId === instanceId);
  return found?.State?.Name === 'terminated';
}
