/** Who this task is, from ECS' task metadata. */
import { isPlainMap } from '../../src/enclave/json.ts';
import type { Clock } from './clock.ts';
import { callJson } from './http.ts';

const ATTEMPTS = 5;
const PAUSE_MS = 500;

/** Tried several times: the endpoint may answer late in a task that has just started. */
export async function readTaskArn(metadataUri: string, clock: Clock): Promise<string> {
  let problem: unknown;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (attempt > 1) await clock.sleep(PAUSE_MS);
    try {
      const { status, body } = await callJson({ method: 'GET', url: `${metadataUri}/task` });
      if (status === 200 && isPlainMap(body) && typeof body.TaskARN === 'string') return body.TaskARN;
      problem = new Error(`ECS' task metadata answered ${status} without a TaskARN`);
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}
