/** What EC2 says of the health of hosts: its checks, and what it has scheduled for them. */
import {
  DescribeInstanceStatusCommand,
  type DescribeInstanceStatusCommandInput,
  type EC2Client,
  type InstanceStatus,
} from '@aws-sdk/client-ec2';
import type { HostStatus } from '../reconciler/ports/index.ts';
import { call } from './errors.ts';

const PAGE_SIZE = 1_000;
/** More ids are refused, and none go together with pages; see "DescribeInstanceStatus" of EC2's reference. */
const MOST_IDS = 100;

/**
 * The status of these hosts, page by page; what EC2 does not mention is left out.
 *
 * The call knows no filter by tag. A region is paged for as long as a page shows at least as many of these hosts as a
 * call by their ids would: so there are never more than ⌈n/100⌉ + 1 calls, and ⌈n/1,000⌉ where the hosts are alone.
 */
export async function* hostStatus(
  client: EC2Client,
  region: string,
  instanceIds: readonly string[],
  signal: AbortSignal,
): AsyncIterable<readonly HostStatus[]> {
  const left = new Set(instanceIds);
  const ask = async (input: DescribeInstanceStatusCommandInput) => {
    const answer = await call('ec2:DescribeInstanceStatus', `region ${region}`, () =>
      client.send(new DescribeInstanceStatusCommand({ ...input, IncludeAllInstances: true }), { abortSignal: signal }),
    );
    const page = (answer.InstanceStatuses ?? []).flatMap((each) => toStatus(each));
    const asked = page.filter(({ instanceId }) => left.delete(instanceId));
    return { asked, nextToken: answer.NextToken };
  };
  let isWorthIt = left.size > MOST_IDS;
  let nextToken: string | undefined;
  while (isWorthIt) {
    const page = await ask({ MaxResults: PAGE_SIZE, ...(nextToken === undefined ? {} : { NextToken: nextToken }) });
    yield page.asked;
    nextToken = page.nextToken;
    if (nextToken === undefined || nextToken === '') return;
    isWorthIt = page.asked.length >= MOST_IDS && left.size > MOST_IDS;
  }
  const rest = [...left];
  for (let first = 0; first < rest.length; first += MOST_IDS) {
    // An empty id list would mean all.
    yield (await ask({ InstanceIds: rest.slice(first, first + MOST_IDS) })).asked;
  }
}

function toStatus({
  InstanceId,
  SystemStatus,
  InstanceStatus,
  AttachedEbsStatus,
  Events,
}: InstanceStatus): HostStatus[] {
  if (InstanceId === undefined) return [];
  return [
    {
      instanceId: InstanceId,
      checks: { system: SystemStatus?.Status, instance: InstanceStatus?.Status, ebs: AttachedEbsStatus?.Status },
      events: (Events ?? []).map(({ Code, Description, NotBefore }) => ({
        code: Code ?? 'unknown',
        description: Description,
        notBefore: NotBefore?.toISOString(),
      })),
    },
  ];
}
