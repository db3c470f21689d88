/** Inspection: all parts of one enclave, each read on its own. */
import { describe, expect, it } from 'vitest';
import { inspect, subjectOf } from '../../../../src/reconciler/observers/inspection.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import { virtualOperator } from '../../../support/virtual-operator.ts';

const ID = 'enc_1755986905612_inspected';

async function deployed() {
  const v = virtualOperator();
  const { stop } = v.start();
  v.post(ID);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'it is deployed');
  await stop();
  const { ports, faults } = v.world.connect();
  const lifecycle = v.lifecycle(ID)!;
  const stopper = new AbortController();
  const start = () => inspect(subjectOf(lifecycle, v.config.region), ports, stopper.signal);
  return { v, faults, lifecycle, start, stopper };
}

describe('inspect', () => {
  it('reads every part, and says when it began to', async () => {
    const { v, start, lifecycle } = await deployed();
    const inspection = await start();
    const { instanceId } = lifecycle.pinned;
    expect(inspection).toMatchObject({
      hosts: [{ instanceId, state: 'running' }],
      status: { instanceId },
      attributes: { terminationProtection: false },
      agent: true,
      volume: { encrypted: true },
      rules: expect.any(Array),
      logGroup: { exists: true },
      role: { attachedArns: [] },
      unseen: [],
    });
    const parts = ['hosts', 'status', 'attributes', 'agent', 'volume', 'rules', 'logGroup', 'role'];
    expect(inspection.observedAt).toEqual(Object.fromEntries(parts.map((part) => [part, v.clock.now()])));
  });

  it('leaves out a part that cannot be read and names the call, without the message of the error', async () => {
    const { faults, start } = await deployed();
    const cause = Object.assign(new Error('arn:aws:iam::1:role/r may not'), { name: 'AccessDenied' });
    faults.failNext('inspector.role', new OperatorError('Blocked', 'iam:GetRole', cause.message, { cause }));
    const inspection = await start();
    expect(inspection.unseen).toEqual([{ what: 'role', why: 'iam:GetRole: AccessDenied' }]);
    expect(inspection.role).toBeUndefined();
    expect(inspection.observedAt).not.toHaveProperty('role');
    expect(inspection.rules).toBeDefined();
  });

  it('does not wait for a part that hangs', async () => {
    const { v, faults, start } = await deployed();
    faults.before('inspector.rules', () => new Promise<never>(() => {}));
    const inspecting = start();
    await v.clock.advance(20_000);
    const inspection = await inspecting;
    expect(inspection.unseen).toEqual([{ what: 'rules', why: 'reading rules: Transient' }]);
    expect(inspection.logGroup).toMatchObject({ exists: true });
  });

  it('finds the known host although its tag names another enclave', async () => {
    const { v, start, lifecycle } = await deployed();
    const { instanceId = '' } = lifecycle.pinned;
    const host = v.world.hosts.all.get(instanceId)!;
    v.world.hosts.all.set(instanceId, { ...host, enclaveId: 'enc_other' });
    expect((await start()).hosts).toMatchObject([{ instanceId }]);
  });

  it('ends with the reason of its signal', async () => {
    const { faults, start, stopper } = await deployed();
    faults.before('inspector.rules', () => new Promise<never>(() => {}));
    const inspecting = start();
    stopper.abort(new Error('stopped'));
    await expect(inspecting).rejects.toThrow('stopped');
  });
});
