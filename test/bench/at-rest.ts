/** Enclaves at rest: what the tables and EC2 hold of one that a real operator deployed, under any number of ids. */

import type { Planned } from '../../src/enclave/items/plan.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import type { Host, RawRecord } from '../../src/reconciler/ports/index.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

export interface AtRest {
  readonly record: RawRecord;
  /** Items of the state table, keys included. */
  readonly lifecycle: JsonMap;
  readonly report: JsonMap;
  readonly host: Host;
}

const ID = 'enc_1755986905612_template';
const HOUR_MS = 3_600_000;

/** Makes each part on its own: who wants one only makes no garbage of the others. */
export type Template = { readonly [Part in keyof AtRest]: (id: string, instanceId: string) => AtRest[Part] };

/** Deploys one enclave in memory, yesterday; answers what makes its like. */
export async function enclaveAtRest(): Promise<Template> {
  const virtual = virtualOperator();
  const { clock, world } = virtual;
  clock.stepWall(Date.now() - 24 * HOUR_MS - clock.now());
  const operator = virtual.start();
  virtual.post(ID);
  await virtual.until(() => virtual.status(ID) === 'DEPLOYED', 'the template is deployed');
  // Long enough for everything that follows a deployment, too.
  await clock.advance(HOUR_MS);
  await operator.stop();

  const [host] = world.hosts.living(ID);
  const record = world.record(ID);
  const lifecycle = world.tables.state.get(`enclave#${ID}`, 'lifecycle');
  const report = world.tables.state.get(`report#${ID}`, host?.instanceId);
  if (host === undefined || record === undefined || lifecycle === undefined || report === undefined) {
    throw new Error('the template did not come to rest');
  }
  const { instanceId, enclaveId, environment, state, launchedAt, posture } = host;
  const shown: Host = { instanceId, enclaveId, environment, state, launchedAt, posture };
  const like = <T>(part: T) => {
    const text = JSON.stringify(part);
    return (id: string, newInstanceId: string): T =>
      JSON.parse(text.replaceAll(ID, id).replaceAll(instanceId, newInstanceId));
  };
  const at = new Date(clock.now()).toISOString();
  // The next one is not due before much of a day is over.
  const planned = { askedAt: at, at, run: 'drift-1-1', generation: 1, verdict: 'Match', failures: 0 } satisfies Planned;
  return { record: like(record), lifecycle: like({ ...lifecycle, planned }), report: like(report), host: like(shown) };
}
