/** When each enclave's first execution was started, as Step Functions tells it. */
import { ListExecutionsCommand } from '@aws-sdk/client-sfn';
import type { Embedded } from '../support/embedded.ts';

/** Start of the deploy executions, wall time in ms, by enclave id. */
export async function startsByEnclave({ sfn, endpoints }: Embedded): Promise<ReadonlyMap<string, number>> {
  const { region, prefix } = endpoints;
  const stateMachineArn = `arn:aws:states:${region}:000000000000:stateMachine:${prefix}-deployment`;
  const starts = new Map<string, number>();
  let nextToken: string | undefined;
  do {
    const page = await sfn.send(new ListExecutionsCommand({ stateMachineArn, nextToken, maxResults: 1_000 }));
    for (const { name = '', startDate } of page.executions ?? []) {
      // e-<id>-<incarnation>-<seq>-<action>
      const id = /^e-(.+)-[a-z0-9]{6}-\d+-deploy$/.exec(name)?.[1];
      if (id === undefined || startDate === undefined) throw new Error(`an execution nobody asked for: ${name}`);
      starts.set(id, Math.min(startDate.getTime(), starts.get(id) ?? Number.POSITIVE_INFINITY));
    }
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return starts;
}

/** Milliseconds from each put to the start of its execution. Throws where one was not started. */
export function delays(puts: ReadonlyMap<string, number>, starts: ReadonlyMap<string, number>): number[] {
  return [...puts].map(([id, putAt]) => {
    const startedAt = starts.get(id);
    if (startedAt === undefined) throw new Error(`no execution of ${id} was started`);
    return startedAt - putAt;
  });
}
