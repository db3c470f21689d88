/** SSM's SendCommand, for the documents the platform gives its hosts, and which of them it hears of. */
import { z } from 'zod';
import type { Clock, Random } from '../../reconciler/ports/index.ts';
import type { Core } from './core.ts';
import { hex } from './ids.ts';
import { CloudError, type SimHost } from './model.ts';

const SendCommandSchema = z.looseObject({
  DocumentName: z.string(),
  InstanceIds: z.array(z.string()).min(1),
});

/** What a document does, by the end of its name; the platform's prefix stands before it. */
function effectOf(core: Core, documentName: string): (instanceId: string) => void {
  if (/-restart-(enclave|allocator)$/.test(documentName)) return (id) => core.agents.restartEnclave(id);
  if (documentName.endsWith('-report-now')) return (id) => core.agents.reportNow(id);
  throw new CloudError('InvalidDocument', `Document with name ${documentName} does not exist.`);
}

const DescribeSchema = z.looseObject({
  Filters: z.array(z.object({ Key: z.string(), Values: z.array(z.string()).min(1) })).min(1),
});
type Filter = z.infer<typeof DescribeSchema>['Filters'][number];

function passes({ instanceId, tags }: SimHost, { Key, Values }: Filter): boolean {
  if (Key === 'InstanceIds') return Values.includes(instanceId);
  if (Key === 'tag-key') return Values.some((key) => Object.hasOwn(tags, key));
  if (Key.startsWith('tag:')) return Values.includes(tags[Key.slice('tag:'.length)] ?? '');
  throw new CloudError('InvalidFilterKey', `The filter key ${Key} is not understood`);
}

/** Hosts of the filters that SSM has heard of; those it reaches are online. Lists are short here, and come on one page. */
export function describeInstanceInformation(core: Core, region: string, body: string): object {
  const read = DescribeSchema.safeParse(JSON.parse(body || '{}'));
  if (!read.success) throw new CloudError('ValidationException', 'Filters are required');
  const managed = [...core.hosts.all()].filter((host) => host.region === region && host.hasAgent);
  const found = managed.filter((host) => read.data.Filters.every((filter) => passes(host, filter)));
  const InstanceInformationList = found.map(({ instanceId }) => ({
    InstanceId: instanceId,
    PingStatus: core.agents.isReachable(instanceId) ? 'Online' : 'ConnectionLost',
  }));
  return { InstanceInformationList };
}

/** Every host must be reachable before the first is commanded, as SSM demands it. */
export function sendCommand(core: Core, clock: Clock, random: Random, body: string): object {
  const read = SendCommandSchema.safeParse(JSON.parse(body || '{}'));
  if (!read.success) throw new CloudError('ValidationException', 'DocumentName and InstanceIds are required');
  const { DocumentName, InstanceIds } = read.data;
  const effect = effectOf(core, DocumentName);
  for (const id of InstanceIds) core.agents.check(id);
  for (const id of InstanceIds) effect(id);
  return {
    Command: {
      CommandId: [8, 4, 4, 4, 12].map((length) => hex(random, length)).join('-'),
      DocumentName,
      InstanceIds,
      Status: 'Pending',
      StatusDetails: 'Pending',
      RequestedDateTime: clock.now() / 1_000,
      TargetCount: InstanceIds.length,
    },
  };
}
