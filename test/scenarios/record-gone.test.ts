/** Records that are deleted before their enclave runs, on virtual time: no host is created for a record that is gone. */
import { describe, expect, it } from 'vitest';
import type { RawRecord } from '../../src/reconciler/ports/index.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_gone';

const INVALID = { cpuCount: 'many' };
const capacity = { fails: { class: 'capacity', message: 'no m6i.xlarge left' } } as const;

const deploys = (v: VirtualOperator) => v.executions(ID).filter((name) => name.endsWith('-deploy'));
const phase = (v: VirtualOperator) => v.lifecycle(ID)?.phase;

/** Every phase that the enclave is in from now on. */
function phasesFrom(v: VirtualOperator): ReadonlySet<string> {
  const seen = new Set<string>();
  v.world.tables.state.watch((_, after) => {
    if (after?.sk === 'lifecycle') seen.add(String(after.phase));
  });
  return seen;
}

/** An enclave whose first run failed, and which waits for its next attempt. */
async function failedOnce(): Promise<VirtualOperator> {
  const v = virtualOperator();
  v.world.runs.script = () => capacity;
  v.start();
  v.post(ID);
  await v.until(() => phase(v) === 'backingOff', 'backingOff');
  v.world.runs.script = () => ({});
  return v;
}

async function ready(): Promise<VirtualOperator> {
  const v = virtualOperator();
  v.start();
  await v.deploy(ID);
  return v;
}

describe('a record that is deleted before its enclave runs', () => {
  it('the operator removes a never-deployed invalid enclave without starting a run', async () => {
    const v = virtualOperator();
    v.start();
    v.post(ID, { providerConfig: INVALID });
    await v.until(() => phase(v) === 'invalid', 'invalid');
    const phases = phasesFrom(v);
    v.world.deleteRecord(ID);
    await v.clock.advance(4 * MINUTE);
    expect(v.lifecycle(ID)?.message).toContain('the record is gone');
    await v.until(() => v.lifecycle(ID) === undefined, 'the lifecycle is removed', HOUR);
    expect(phases.size).toBeGreaterThan(0);
    expect(phases).not.toContain('pending');
    expect(phases).not.toContain('provisioning');
    expect(v.executions(ID)).toEqual([]);
  });

  it('the operator does not deploy the spec of an earlier run after an invalid edit', async () => {
    const v = await failedOnce();
    v.edit(ID, INVALID);
    await v.until(() => phase(v) === 'invalid', 'invalid');
    v.world.deleteRecord(ID);
    await v.until(() => v.lifecycle(ID) === undefined, 'destroyed and removed', HOUR);
    expect(deploys(v)).toHaveLength(1);
    expect(v.world.hosts.all.size).toBe(0);
  });

  it('the operator does not retry a deployment that failed', async () => {
    const v = await failedOnce();
    v.world.deleteRecord(ID);
    await v.until(() => v.lifecycle(ID) === undefined, 'destroyed and removed', HOUR);
    expect(deploys(v)).toHaveLength(1);
    expect(v.world.hosts.all.size).toBe(0);
  });

  it('the operator deploys the enclave if the record comes back within the grace', async () => {
    const v = await failedOnce();
    const record = v.world.record(ID) as RawRecord;
    v.world.deleteRecord(ID);
    await v.clock.advance(3 * MINUTE);
    expect(deploys(v)).toHaveLength(1);
    v.world.putRecord(record);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    expect(deploys(v)).toHaveLength(2);
  });
});

describe('a running enclave whose record is gone', () => {
  it('the operator restarts the enclave within the grace', async () => {
    const v = await ready();
    v.world.deleteRecord(ID);
    await v.clock.advance(1_000);
    const host = v.host(ID);
    v.world.hosts.crashEnclave(host);
    expect(host.enclaveState).toBe('TERMINATED');
    await v.until(() => host.enclaveState === 'RUNNING', 'restarted', 4 * MINUTE);
    expect(v.lifecycle(ID)?.desired).toBe('Running');
  });

  it('the operator creates no replacement for a lost host', async () => {
    const v = await ready();
    v.world.deleteRecord(ID);
    await v.clock.advance(1_000);
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.lifecycle(ID) === undefined, 'destroyed and removed', HOUR);
    expect(deploys(v)).toHaveLength(1);
    expect([...v.world.hosts.all.values()].every(({ state }) => state === 'terminated')).toBe(true);
  });

  it('the operator does not retry a failed update, and the enclave keeps serving', async () => {
    const v = await ready();
    v.world.runs.script = () => capacity;
    v.edit(ID, { dockerImage: 'nginx:1.28' });
    await v.until(() => phase(v) === 'backingOff', 'backingOff');
    v.world.runs.script = () => ({});
    v.world.deleteRecord(ID);
    await v.clock.advance(4 * MINUTE);
    expect(deploys(v)).toHaveLength(2);
    expect(v.lifecycle(ID)).toMatchObject({ serving: true, desired: 'Running' });
    expect(v.world.hosts.living(ID)).toHaveLength(1);
  });
});
