/** Orphans that the configuration wants destroyed: those with a state of their own, a few, and nothing else. */
import { beforeEach, expect, it } from 'vitest';
import { stateKey } from '../../src/enclave/names.ts';
import type { StateObject } from '../../src/reconciler/ports/index.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const OWNED = 'enc_owned';
const STRAY = 'enc_stray';

let v: VirtualOperator;
let objects: Map<string, StateObject>;

async function start(orphans: 'report' | 'destroy' = 'destroy'): Promise<void> {
  objects = new Map();
  const states = {
    async *list() {
      yield [...objects.values()];
    },
  };
  v = virtualOperator({ driftEveryMs: 0, orphans }, { states });
  v.start();
  await v.deploy(OWNED);
  state(OWNED);
}
const state = (enclaveId: string) =>
  objects.set(enclaveId, { enclaveId, key: stateKey(enclaveId), modifiedAt: v.clock.now() });
const launch = (enclaveId: string) => v.world.hosts.launch({ enclaveId, region: 'us-west-2', generation: 1 });

beforeEach(() => start());

it('destroys one that has a Terraform state, and forgets it', async () => {
  launch(STRAY);
  state(STRAY);
  await v.until(() => v.lifecycle(STRAY) !== undefined, 'it is taken for one that is to vanish', 4 * HOUR);
  expect(v.lifecycle(STRAY)).toMatchObject({ desired: 'Absent', region: 'us-west-2' });
  await v.until(() => v.executions(STRAY).some((name) => name.endsWith('-destroy')), 'its destruction runs', HOUR);
  await v.until(() => v.world.hosts.living(STRAY).length === 0, 'its host is gone', HOUR);
  objects.delete(STRAY);
  await v.until(() => v.lifecycle(STRAY) === undefined, 'it is forgotten', HOUR);
  expect(v.reasons(STRAY)).toContain('OrphanDestroyed');
  expect(v.executions(STRAY)).toHaveLength(1);
  expect(v.status(OWNED)).toBe('DEPLOYED');
});

it('leaves one without a state, and a state without a host', async () => {
  const host = launch(STRAY);
  state('enc_state_only');
  await v.clock.advance(6 * HOUR);
  expect(host.state).toBe('running');
  expect(v.reasons('enc_state_only')).toEqual(['OrphanStateFound']);
  expect([v.executions(STRAY), v.executions('enc_state_only')]).toEqual([[], []]);
});

it('leaves all of them where there are suddenly many', async () => {
  const ids = Array.from({ length: 4 }, (_, index) => `${STRAY}_${index}`);
  for (const id of ids) {
    launch(id);
    state(id);
  }
  await v.clock.advance(6 * HOUR);
  expect(ids.map((id) => v.lifecycle(id))).toEqual(ids.map(() => undefined));
});

it('leaves one whose record appears', async () => {
  const host = launch(STRAY);
  state(STRAY);
  await v.clock.advance(5 * MINUTE);
  v.post(STRAY, { status: 'DEPLOYED' });
  await v.clock.advance(6 * HOUR);
  expect(host.state).toBe('running');
  expect(v.reasons(STRAY)).not.toContain('OrphanDestroyed');
});

it('destroys nothing while the fleet is frozen, and nothing where that is not wanted', async () => {
  v.freeze();
  launch(STRAY);
  state(STRAY);
  await v.clock.advance(4 * HOUR);
  expect(v.lifecycle(STRAY)).toBeUndefined();

  await start('report');
  const host = launch(STRAY);
  state(STRAY);
  await v.clock.advance(4 * HOUR);
  expect(host.state).toBe('running');
  expect(v.lifecycle(STRAY)).toBeUndefined();
});
