/** Terraform states that nobody owns, and enclaves whose state is gone: told only when it is sure, never touched. */
import { beforeEach, describe, expect, it } from 'vitest';
import { conditionOf } from '../../src/enclave/conditions.ts';
import { ControlSchema } from '../../src/enclave/fleet-items.ts';
import { enclaveOfState, stateKey } from '../../src/enclave/names.ts';
import type { StateObject } from '../../src/reconciler/ports.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const OWNED = 'enc_owned';
const STRAY = 'enc_stray';

let v: VirtualOperator;
let objects: Map<string, StateObject>;
let failing: boolean;
let lists: number;

function put(enclaveId: string): void {
  objects.set(enclaveId, { enclaveId, key: stateKey(enclaveId), modifiedAt: v.clock.now() });
}
const listed = () => ControlSchema.parse(v.world.tables.state.get('fleet', 'control')).orphanStates ?? [];
const told = () => v.world.tables.history.partition(`event#${STRAY}`).map(({ reason }) => reason);
const inSync = () => conditionOf(v.lifecycle(OWNED)?.conditions ?? [], 'InSync');

beforeEach(async () => {
  objects = new Map();
  failing = false;
  lists = 0;
  const states = {
    async *list() {
      lists += 1;
      yield [...objects.values()];
      // A page that does not come says nothing, whatever came before it.
      if (failing) throw new Error('the bucket is away');
    },
  };
  v = virtualOperator({ driftEveryMs: 0 }, { states });
  v.start();
  v.post(OWNED);
  await v.until(() => v.status(OWNED) === 'DEPLOYED', 'DEPLOYED');
  put(OWNED);
});

describe('a state of no enclave', () => {
  it('is told once, when two lists have shown it, and again is not', async () => {
    put(STRAY);
    await v.until(() => listed().length > 0, 'listed', 4 * HOUR);
    expect(listed()).toMatchObject([{ id: STRAY, key: stateKey(STRAY) }]);
    expect(lists).toBeGreaterThanOrEqual(2);
    await v.clock.advance(3 * HOUR);
    expect(told()).toEqual(['OrphanStateFound']);
    objects.delete(STRAY);
    await v.until(() => listed().length === 0, 'gone from the list', 2 * HOUR);
  });

  it('is none that was shown once, nor where a record is there', async () => {
    put(STRAY);
    const before = lists;
    await v.until(() => lists > before, 'a list', 2 * HOUR);
    objects.delete(STRAY);
    await v.clock.advance(3 * HOUR);
    expect(listed()).toEqual([]);
    v.world.putRecord({ id: STRAY, status: 'PENDING_BUILD', providerId: 'aws-nitro' });
    put(STRAY);
    await v.clock.advance(4 * HOUR);
    expect(listed()).toEqual([]);
  });

  it('is not believed of a list that failed', async () => {
    put(STRAY);
    failing = true;
    await v.clock.advance(4 * HOUR);
    expect(listed()).toEqual([]);
    expect(inSync()?.status).toBe('True');
  });
});

describe('an enclave without its state', () => {
  it('is told where two lists have not shown it, until it is there again; nothing is done about it', async () => {
    objects.delete(OWNED);
    await v.until(() => inSync()?.status === 'False', 'found', 4 * HOUR);
    expect(inSync()?.message).toContain('terraform.state: told, and not repaired');
    await v.clock.advance(2 * HOUR);
    expect(v.executions(OWNED)).toHaveLength(1);
    expect(v.status(OWNED)).toBe('DEPLOYED');
    put(OWNED);
    await v.until(() => inSync()?.status === 'True', 'there again', 2 * HOUR);
  });

  it('is none that a list did not show once, nor one that is gone itself', async () => {
    const before = lists;
    objects.delete(OWNED);
    await v.until(() => lists > before, 'a list', 2 * HOUR);
    put(OWNED);
    await v.clock.advance(2 * HOUR);
    expect(inSync()?.status).toBe('True');
    v.command(OWNED, 'PENDING_DESTROY');
    await v.until(() => v.status(OWNED) === 'DESTROYED', 'DESTROYED');
    objects.delete(OWNED);
    await v.clock.advance(4 * HOUR);
    expect(inSync()?.message ?? '').not.toContain('terraform.state');
  });
});

it.each([
  [stateKey('a/b'), 'a/b'],
  ['enclaves/x/terraform.tfstate.tflock', undefined],
  ['enclaves//terraform.tfstate', undefined],
  ['platform/terraform.tfstate', undefined],
])('the state at %s is of %s', (key, id) => {
  expect(enclaveOfState(key)).toBe(id);
});
