/** SSM's SendCommand, for the documents the platform gives its hosts. */
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
  throw new CloudError('InvalidDocument', `Document with name ${documentName} does not exist.`);
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
