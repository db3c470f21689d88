/** Terraform states that nobody owns, and enclaves whose state is gone: told only when it is sure, never touched. */
import { beforeEach, describe, expect, it } from 'vitest';
import { enclaveOfLock, enclaveOfState, stateKey } from '../../src/enclave/names.ts';
import type { Config } from '../../src/reconciler/config.ts';
import type { StateObject } from '../../src/reconciler/ports/index.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const OWNED = 'enc_owned';
const STRAY = 'enc_stray';

let v: VirtualOperator;
let objects: Map<string, StateObject>;
let failing: boolean;
let lists: number;

function put(enclaveId: string): void {
  objects.set(enclaveId, { enclaveId, key: stateKey(enclaveId), modifiedAt: v.clock.now() });
}
function lock(enclaveId: string): void {
  const key = `${stateKey(enclaveId)}.tflock`;
  objects.set(key, { enclaveId, key, modifiedAt: v.clock.now(), isLock: true });
}
const unlock = (enclaveId: string) => objects.delete(`${stateKey(enclaveId)}.tflock`);
/** Until another list has come, and what follows from it. */
async function listedAgain(): Promise<void> {
  const before = lists;
  await v.until(() => lists > before, 'a list', 2 * HOUR);
  await v.clock.advance(MINUTE);
}
const listed = () => v.control().orphanStates ?? [];
const told = () => v.reasons(STRAY);
const inSync = () => v.condition(OWNED, 'InSync');

async function start(config: Partial<Config> = {}): Promise<void> {
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
  v = virtualOperator({ driftEveryMs: 0, ...config }, { states });
  v.start();
  await v.deploy(OWNED);
  put(OWNED);
}

beforeEach(() => start());

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

describe('a lock on a state', () => {
  it('is told where two lists have shown it older than any run, until it is gone; nothing is done about it', async () => {
    await listedAgain();
    lock(OWNED);
    await listedAgain();
    expect(inSync()?.status).toBe('True');
    await v.until(() => inSync()?.status === 'False', 'found', 2 * HOUR);
    expect(inSync()?.message).toContain('terraform.state: told, and not repaired');
    expect(v.lifecycle(OWNED)?.findings).toMatchObject([{ attribute: 'terraform.state', repair: 'alert' }]);
    await v.clock.advance(2 * HOUR);
    expect(v.executions(OWNED)).toHaveLength(1);
    expect(v.status(OWNED)).toBe('DEPLOYED');
    unlock(OWNED);
    await v.until(() => inSync()?.status === 'True', 'over', 2 * HOUR);
  });

  it('is not told where every list shows another one, and none where a list failed', async () => {
    for (let look = 0; look < 4; look += 1) {
      // Old enough by the next one.
      await listedAgain();
      expect(inSync()?.status).toBe('True');
      lock(OWNED);
    }
    failing = true;
    await v.clock.advance(4 * HOUR);
    expect(inSync()?.status).toBe('True');
  });

  it('is not told while a run may be as old', async () => {
    await start({ deployDeadlineMs: 5 * HOUR });
    lock(OWNED);
    await v.clock.advance(5 * HOUR);
    expect(inSync()?.status).toBe('True');
    await v.until(() => inSync()?.status === 'False', 'found', 3 * HOUR);
  });

  it('is over once a run begins, and stays so where the run has broken it', async () => {
    lock(OWNED);
    await v.until(() => inSync()?.status === 'False', 'found', 4 * HOUR);
    const record = v.world.record(OWNED);
    const providerConfig = { ...(record?.providerConfig as object), memoryMiB: '2048' };
    v.world.updateRecord(OWNED, { status: 'PENDING_DEPLOY', providerConfig, updatedAt: v.clock.iso() });
    await v.until(() => v.lifecycle(OWNED)?.run !== undefined, 'a run', 30 * MINUTE);
    unlock(OWNED);
    await v.until(() => v.status(OWNED) === 'DEPLOYED' && v.lifecycle(OWNED)?.run === undefined, 'its end', HOUR);
    // Sooner than another list comes.
    await v.clock.advance(5 * MINUTE);
    expect(inSync()?.status).toBe('True');
    expect(v.executions(OWNED)).toHaveLength(2);
  });

  it('is no state: of no enclave it is no orphan, and without one the state is missing', async () => {
    lock(STRAY);
    for (let look = 0; look < 4; look += 1) await listedAgain();
    expect(listed()).toEqual([]);
    objects.delete(OWNED);
    lock(OWNED);
    await v.until(() => inSync()?.status === 'False', 'found missing', 4 * HOUR);
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

it.each([
  [`${stateKey('a/b')}.tflock`, 'a/b'],
  [stateKey('a/b'), undefined],
  ['platform/terraform.tfstate.tflock', undefined],
])('the lock at %s is of %s', (key, id) => {
  expect(enclaveOfLock(key)).toBe(id);
});
