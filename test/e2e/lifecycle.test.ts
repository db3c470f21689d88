/** The main job with real processes: database, workflows, runner and operator, each its own. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, startApp } from '../support/app.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app?.embedded.stop();
});
beforeEach(() => printLogsOnFailure(app.embedded));

describe('a record written as the application writes it', () => {
  it('becomes DEPLOYED with every published attribute, is paused, resumed and destroyed', async () => {
    const id = 'enc_1755986905612_ouocac870';
    await app.post(id);
    const item = await app.until(id, 'DEPLOYED');
    const [host] = await app.hosts(id);
    expect(item).toMatchObject({
      instance_id: host?.instanceId,
      architecture: 'vsocket-v2',
      workload_type: 'service',
      providerConfig: { instanceId: host?.instanceId, cpuCount: '2' },
      operator: { phase: 'ready', observedGeneration: 1 },
    });
    expect(item.updatedAt).toBe(item.updated_at);
    expect(item).not.toHaveProperty('error_message');
    expect(app.condition(item, 'Ready')).toBe('True');

    await app.patch(id, 'PAUSING');
    await app.until(id, 'PAUSED');
    expect((await app.hosts(id)).map(({ state }) => state)).toEqual(['stopped']);
    await app.patch(id, 'RESUMING');
    await app.until(id, 'DEPLOYED');
    expect((await app.hosts(id)).map(({ state }) => state)).toEqual(['running']);
    expect(await app.executions(id)).toHaveLength(1);

    await app.patch(id, 'PENDING_DESTROY');
    await app.until(id, 'DESTROYED');
    expect(await app.inventory(id)).toEqual([]);
    expect((await app.executions(id)).map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });

  it('is left alone in statuses and of providers that are not the operator’s', async () => {
    const others = [
      ['enc_build', { status: 'PENDING_BUILD' }],
      ['enc_building', { status: 'BUILDING' }],
      ['enc_failed_build', { status: 'BUILD_FAILED' }],
      ['enc_unknown', { status: 'SOMETHING_NEW' }],
      ['enc_azure', { providerId: 'azure-confidential' }],
    ] as const;
    for (const [id, fields] of others) await app.post(id, fields);
    const before = await Promise.all(others.map(([id]) => app.get(id)));
    // What was written after them has been carried out: they were seen, and left.
    await app.post('enc_after');
    await app.until('enc_after', 'DEPLOYED');
    expect(await Promise.all(others.map(([id]) => app.get(id)))).toEqual(before);
    for (const [id] of others) expect(await app.executions(id)).toEqual([]);
  });
});

describe('edits', () => {
  it('of any attribute while PENDING_DEPLOY start no second run', async () => {
    await app.embedded.sim('holdApply', { enclaveId: 'enc_edit' });
    await app.post('enc_edit');
    for (let n = 0; n < 5; n += 1) await app.put('enc_edit', { description: `edit ${n}`, status: 'PENDING_DEPLOY' });
    await app.until('enc_edit', 'DEPLOYING');
    await app.put('enc_edit', { description: 'the last one' });
    await app.embedded.sim('holdApply', { enclaveId: 'enc_edit', held: false });
    const item = await app.until('enc_edit', 'DEPLOYED');
    expect(item.description).toBe('the last one');
    expect(await app.executions('enc_edit')).toHaveLength(1);
  });

  it('converge on a new providerConfig, refuse an invalid one, and start nothing for a rename', async () => {
    const id = 'enc_put';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const config = { dockerImage: 'nginx:1.28', cpuCount: '2', memoryMiB: '2048', instanceType: 'm6i.xlarge' };
    await app.put(id, { providerConfig: config });
    const updated = await app.untilItem(
      id,
      'generation 2',
      (item) => item.operator?.observedGeneration === 2 && item.operator.phase === 'ready',
    );
    expect(updated.status).toBe('DEPLOYED');
    expect(updated).toHaveProperty('providerConfig.instanceId');
    expect(await app.executions(id)).toHaveLength(2);

    await app.put(id, { providerConfig: { ...config, cpuCount: '64' } });
    const invalid = await app.untilItem(id, 'SpecValid=False', (item) => app.condition(item, 'SpecValid') === 'False');
    expect(invalid.status).toBe('DEPLOYED');
    expect(invalid.error_message).toContain('cpuCount');

    await app.put(id, { providerConfig: config, name: 'renamed' });
    const valid = await app.untilItem(id, 'SpecValid=True', (item) => app.condition(item, 'SpecValid') === 'True');
    expect(valid).not.toHaveProperty('error_message');
    expect(await app.executions(id)).toHaveLength(2);
  });

  it('of the status: PENDING_DEPLOY again on FAILED means retry, once', async () => {
    const id = 'enc_retry';
    await app.embedded.sim('failRuns', { enclaveId: id, times: 1, class: 'permission' });
    await app.post(id);
    const failed = await app.until(id, 'FAILED');
    expect(failed.error_type).toBe('permission');
    await app.patch(id, 'PENDING_DEPLOY');
    const item = await app.until(id, 'DEPLOYED');
    expect(item).not.toHaveProperty('error_message');
    expect(await app.executions(id)).toHaveLength(2);
  });
});

describe('adoption', () => {
  it('takes over 50 records that say DEPLOYED with 0 executions', async () => {
    await app.embedded.sim('adoptable', { enclaveId: 'enc_old', count: 50 });
    const ids = Array.from({ length: 50 }, (_, n) => `enc_old-${n + 1}`);
    const at = new Date(Date.now() - 86_400_000).toISOString();
    for (const id of ids) await app.post(id, { status: 'DEPLOYED', createdAt: at, updatedAt: at });
    for (const id of ids) await app.untilItem(id, 'adopted', (item) => item.operator?.phase === 'ready');
    expect((await app.executions()).filter(({ name }) => name.includes('enc_old'))).toEqual([]);
    for (const id of ids) expect(await app.status(id)).toBe('DEPLOYED');
  });
});

describe('deletion of the record', () => {
  it('while DEPLOYED destroys after the grace and leaves no ghost', async () => {
    const id = 'enc_delete';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    await app.delete(id);
    await eventually('all resources gone', async () => (await app.inventory(id)).length === 0);
    await eventually('the destroy run ended', async () => (await app.executions(id)).at(-1)?.status === 'SUCCEEDED');
    expect(await app.get(id)).toBeUndefined();
  });

  it('while DEPLOYING destroys what had begun', async () => {
    const id = 'enc_delete_early';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    await app.delete(id);
    await eventually('the destroy run ended', async () => {
      const runs = await app.executions(id);
      return runs.at(-1)?.name.endsWith('-destroy') && runs.at(-1)?.status === 'SUCCEEDED';
    });
    expect(await app.inventory(id)).toEqual([]);
    expect(await app.get(id)).toBeUndefined();
  });

  it('is undone by putting it back within the grace', async () => {
    const id = 'enc_back';
    await app.post(id);
    const item = await app.until(id, 'DEPLOYED');
    await app.delete(id);
    await app.post(id, item);
    await app.put(id, { description: 'back again' });
    // Longer than the grace: another enclave is destroyed by its own deletion meanwhile.
    await app.post('enc_meanwhile');
    await app.until('enc_meanwhile', 'DEPLOYED');
    await app.delete('enc_meanwhile');
    await eventually('the other is destroyed', async () => (await app.inventory('enc_meanwhile')).length === 0);
    expect(await app.status(id)).toBe('DEPLOYED');
    expect(await app.executions(id)).toHaveLength(1);
  });

  it('and creation anew by another wallet never hands over the old host', async () => {
    const id = 'enc_reborn';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const [old] = await app.hosts(id);
    await app.delete(id);
    await eventually('the destroy has begun', async () => (await app.executions(id)).length === 2);
    await app.post(id, { walletAddress: '0x2222222222222222222222222222222222222222' });
    const item = await app.until(id, 'DEPLOYED');
    expect(item.instance_id).not.toBe(old?.instanceId);
    expect(await app.hosts(id)).toHaveLength(1);
    expect((await app.hosts(id))[0]?.instanceId).toBe(item.instance_id);
  });
});
