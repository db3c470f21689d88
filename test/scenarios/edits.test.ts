/** Edits that leave out or add what the operator must not guess or grant, on virtual time. */
import { describe, expect, it } from 'vitest';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const SECRET = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:other-AbCdEf';

const started = (overrides: Parameters<typeof virtualOperator>[0] = {}) => {
  const v = virtualOperator(overrides);
  return { v, running: v.start() };
};
const deployed = (v: VirtualOperator) => v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
const specValid = (v: VirtualOperator) => v.condition(ID, 'SpecValid');
const observed = (v: VirtualOperator) => v.lifecycle(ID)?.observedGeneration;

describe('a record without an image', () => {
  it('keeps the applied image of its enclave and says so', async () => {
    const { v } = started();
    v.post(ID);
    await deployed(v);
    v.edit(ID, { instanceType: 'm6i.2xlarge' });
    await v.until(() => observed(v) === 2, 'applied', 30 * MINUTE);
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: 'nginx:1.27', instanceType: 'm6i.2xlarge' });
    expect(specValid(v)).toMatchObject({ status: 'True', reason: 'Valid' });
    expect(specValid(v)?.message).toContain('the enclave keeps the image that is applied');
  });

  it('keeps the image file and the registry login of its enclave', async () => {
    const { v } = started();
    v.post(ID, { providerConfig: { registryCredentialsArn: SECRET } });
    await deployed(v);
    v.edit(ID, { memoryMiB: '2048' });
    await v.until(() => observed(v) === 2, 'applied', 30 * MINUTE);
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: 'nginx:1.27', registryCredentialsArn: SECRET });
    const eif = { uri: 's3://images/app.eif', sha256: 'ab'.repeat(32) };
    v.edit(ID, { memoryMiB: '2048', eif });
    await v.until(() => observed(v) === 3, 'applied', 30 * MINUTE);
    v.edit(ID, { memoryMiB: '1024' });
    await v.until(() => observed(v) === 4, 'applied', 30 * MINUTE);
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: '', eif, memoryMiB: 1_024 });
  });

  it.each([{}, { sourceType: 'github' }])('fails without a run where it is new: %j', async (config) => {
    const { v } = started();
    v.post(ID, { providerConfig: { dockerImage: undefined, ...config } });
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED', 5 * MINUTE);
    expect(v.world.record(ID)?.error_message).toContain('providerConfig.dockerImage is missing');
    expect(v.executions(ID)).toEqual([]);
  });

  it('does not inherit the image of a destroyed enclave with the same id', async () => {
    const { v } = started();
    v.post(ID);
    await deployed(v);
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 30 * MINUTE);
    const before = v.executions(ID).length;
    v.edit(ID, {});
    v.command(ID, 'PENDING_DEPLOY');
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED', 10 * MINUTE);
    expect(v.executions(ID)).toHaveLength(before);
  });
});

describe('references that the environment does not allow', () => {
  const config = { secrets: [{ name: 'KEY', secretArn: SECRET }] };

  it('the operator fails a new enclave with such a reference in prod without a run', async () => {
    const { v } = started({ environment: 'prod' });
    v.post(ID, { providerConfig: config });
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED', 5 * MINUTE);
    expect(v.world.record(ID)?.error_message).toContain('allowedReferences of the environment prod does not list');
    expect(v.world.record(ID)?.error_message).not.toContain('111122223333');
    expect(v.executions(ID)).toEqual([]);
  });

  it('an applied reference stays, and the operator refuses every edit until the record drops it', async () => {
    const { v, running } = started({ environment: 'prod', allowedReferences: [SECRET] });
    v.post(ID, { providerConfig: config });
    await deployed(v);
    await running.stop();
    v.config.allowedReferences.splice(0);
    v.start();
    await v.until(
      () => specValid(v)?.message.includes('the operator refuses every edit that keeps this reference') === true,
      'warned',
      10 * MINUTE,
    );
    expect([specValid(v)?.status, v.status(ID)]).toEqual(['True', 'DEPLOYED']);

    v.edit(ID, { dockerImage: 'evil:1', ...config });
    await v.until(() => specValid(v)?.status === 'False', 'refused', 5 * MINUTE);
    await v.clock.advance(30 * MINUTE);
    expect([v.status(ID), observed(v)]).toEqual(['DEPLOYED', 1]);
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: 'nginx:1.27' });

    v.edit(ID, { dockerImage: 'nginx:1.28' });
    await v.until(() => observed(v) === 2, 'applied', 30 * MINUTE);
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: 'nginx:1.28', secrets: [] });
  });

  it.each(['fails', 'waits'])('does not refuse the way back to what is applied where an edit %s', async (edited) => {
    const { v, running } = started({ environment: 'prod', allowedReferences: [SECRET], attemptsPerGeneration: 1 });
    v.post(ID, { providerConfig: config });
    await deployed(v);
    await running.stop();
    v.config.allowedReferences.splice(0);
    v.start();
    const before = v.world.record(ID)?.providerConfig as object;
    if (edited === 'fails') v.world.runs.script = () => ({ fails: { class: 'validation', message: 'no', fix: 'no' } });
    else v.world.updateRecord(ID, { policy: { suspend: { reason: 'incident' } } } as never);
    v.edit(ID, { dockerImage: 'nginx:1.28' });
    await v.until(() => v.lifecycle(ID)?.generation === 2, 'the edit is seen', 10 * MINUTE);
    await v.clock.advance(10 * MINUTE);
    v.world.runs.script = () => ({});
    v.edit(ID, before);
    v.world.updateRecord(ID, { policy: {}, updatedAt: v.clock.iso() } as never);
    await v.until(() => observed(v) === 3 && v.status(ID) === 'DEPLOYED', 'applied again', 30 * MINUTE);
    expect(specValid(v)).toMatchObject({ status: 'True' });
    expect(specValid(v)?.message).toContain('the secret or parameter of KEY');
    expect(v.lifecycle(ID)?.applied).toMatchObject({ dockerImage: 'nginx:1.27' });
  });
});

describe('an invalid edit after an edit that restarts the enclave', () => {
  it('does not make the enclave Ready before its host has reported again', async () => {
    const { v } = started();
    v.post(ID);
    await deployed(v);
    const [host] = v.world.hosts.living(ID);
    if (host === undefined) throw new Error('the enclave has no host');
    v.world.hosts.freezeReports(host);
    v.edit(ID, { dockerImage: 'nginx:1.27', memoryMiB: '2048' });
    await v.until(() => observed(v) === 2, 'applied', 30 * MINUTE);
    v.edit(ID, { dockerImage: 'nginx:1.27', cpuCount: 'many' });
    const phases = new Set<string | undefined>();
    await v.until(() => phases.add(v.lifecycle(ID)?.phase).has('backingOff'), 'verification timed out', 60 * MINUTE);
    phases.clear();
    await v.until(() => phases.add(v.lifecycle(ID)?.phase).has('invalid'), 'invalid', 30 * MINUTE);
    expect([...phases]).not.toContain('ready');
  });
});
