/** SSM's SendCommand, for the documents the platform gives its hosts, and which of them it hears of. */
import { z } from 'zod';
import type { Clock, Random } from '../../reconciler/ports.ts';
import type { Core } from './core.ts';
import { hex } from './ids.ts';
import { CloudError } from './model.ts';

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
  Filters: z.array(z.object({ Key: z.literal('InstanceIds'), Values: z.array(z.string()).min(1) })).length(1),
});

/** Hosts of a filter that SSM reaches. */
export function describeInstanceInformation(core: Core, body: string): object {
  const read = DescribeSchema.safeParse(JSON.parse(body || '{}'));
  if (!read.success) throw new CloudError('InvalidFilterKey', 'only InstanceIds is understood');
  const ids = read.data.Filters.flatMap(({ Values }) => Values).filter((id) => core.agents.isReachable(id));
  return { InstanceInformationList: ids.map((InstanceId) => ({ InstanceId, PingStatus: 'Online' })) };
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
