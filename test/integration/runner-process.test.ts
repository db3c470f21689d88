/** The runner as a process: real database, simulated cloud, real signals. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, startBench, TASK_ARN, until } from '../support/runner-bench.ts';

const binary = fileURLToPath(new URL('../../node_modules/@dynoxide/linux-x64/dynoxide', import.meta.url));
const skipped = existsSync(binary) ? '' : ' (skipped: no database binary for this platform)';

describe.skipIf(skipped !== '')(`the runner${skipped}`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench.close());

  const hosts = (id: string) => [...bench.cloud.core.hosts.all()].filter((host) => host.enclaveId === id);

  it('deploys, and records instance and image', async () => {
    await bench.prepare({ id: 'deploy', name: 'e-deploy-1', action: 'deploy' });
    const { code, output } = await bench.start('deploy', 'e-deploy-1', 'deploy').ended;
    expect(code, output).toBe(0);
    const item = await bench.item('deploy', 'e-deploy-1');
    const [host] = hosts('deploy');
    expect(item.outcome).toMatchObject({ result: 'succeeded', by: 'runner', instanceId: host?.instanceId });
    expect(item.outcome?.amiId).toBe(host?.amiId);
    expect(item.plan).toMatchObject({ create: 7, update: 0, replace: 0, delete: 0 });
    expect(item.taskArn).toBe(TASK_ARN);
    expect(host?.state).toBe('running');
  });

  it('prints lines that each name the enclave, and nothing of its environment', async () => {
    await bench.prepare({ id: 'lines', name: 'e-lines-1', action: 'deploy' });
    const { output } = await bench.start('lines', 'e-lines-1', 'deploy').ended;
    const lines = output.trim().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(JSON.parse(line).enclaveId).toBe('lines');
    expect(output).not.toContain('a-secret-nobody-may-see');
    expect(output).toContain('aws_instance.enclave_instance: Creating...');
  });

  it('prints nothing that the application shows to the tenants of other enclaves', async () => {
    const run = async (name: string, action: 'deploy' | 'destroy', more: Parameters<typeof bench.start>[3] = {}) => {
      await bench.prepare({ id: 'tenant', name, action });
      return (await bench.start('tenant', name, action, more).ended).output;
    };
    const deploy = await run('e-tenant-1', 'deploy');
    await bench.control({ op: 'failRuns', enclaveId: 'tenant', summary: 'Terraform === failed', detail: 'ENCLAVE_ID' });
    const outputs = [deploy, await run('e-tenant-2', 'destroy'), await run('e-tenant-3', 'destroy')];
    // Settings that are not complete are reported before there is a log.
    outputs.push(await run('e-tenant-4', 'deploy', { RUNNER_ENGINE: 'none' }));
    expect(await run('e-tenant-5', 'deploy', { ENCLAVE_ID: '' })).not.toMatch(/Terraform|===|ENCLAVE_ID/);
    // The run prints the injected failure, without the words for which the application would show it to everyone.
    expect(outputs[1]).toContain('terraform = failed');
    expect(outputs[1]).toContain('enclave id');
    for (const output of outputs) expect(output).not.toMatch(/Terraform|===|ENCLAVE_ID/);
    const lines = outputs.slice(0, 3).join('').trim().split('\n');
    expect(lines.length).toBeGreaterThan(30);
    for (const line of lines) expect(line).toContain('"enclaveId":"tenant"');
  });

  it('changes nothing the second time', async () => {
    await bench.prepare({ id: 'deploy', name: 'e-deploy-2', action: 'deploy', reason: 'repair' });
    const before = await bench.stats('deploy');
    expect((await bench.start('deploy', 'e-deploy-2', 'deploy').ended).code).toBe(0);
    expect((await bench.stats('deploy')).appliesStarted).toBe(before.appliesStarted);
    expect(hosts('deploy')).toHaveLength(1);
  });

  it('destroys, and finds nothing left', async () => {
    await bench.prepare({ id: 'deploy', name: 'e-deploy-3', action: 'destroy' });
    expect((await bench.start('deploy', 'e-deploy-3', 'destroy').ended).code).toBe(0);
    const { outcome } = await bench.item('deploy', 'e-deploy-3');
    expect(outcome).toMatchObject({ result: 'succeeded', remaining: [] });
    expect(hosts('deploy').map((host) => host.state)).toEqual(['terminated']);
    expect(bench.cloud.core.resources.ofEnclave('deploy')).toEqual([]);
  });

  it('says what a destroy has left behind', async () => {
    await bench.prepare({ id: 'leftover', name: 'e-leftover-1', action: 'destroy' });
    await bench.control({ op: 'orphan', enclaveId: 'leftover' });
    await bench.control({ op: 'orphan', enclaveId: 'leftover' });
    expect((await bench.start('leftover', 'e-leftover-1', 'destroy').ended).code).toBe(0);
    const { outcome } = await bench.item('leftover', 'e-leftover-1');
    expect(outcome?.remaining).toHaveLength(1);
    expect(outcome?.remaining?.[0]).toMatch(/^aws_instance\//);
  });

  it('leaves a run alone that another task has', async () => {
    const taskArn = 'arn:aws:ecs:us-west-2:000000000000:task/cluster/another';
    await bench.prepare({ id: 'twin', name: 'e-twin-1', action: 'deploy', taskArn });
    const before = await bench.item('twin', 'e-twin-1');
    const { code } = await bench.start('twin', 'e-twin-1', 'deploy').ended;
    expect(code).toBe(0);
    expect(await bench.item('twin', 'e-twin-1')).toEqual(before);
    expect(await bench.stats('twin')).toEqual({});
  });

  it('lets one of two tasks work that start at the same time', async () => {
    await bench.prepare({ id: 'race', name: 'e-race-1', action: 'deploy' });
    const one = bench.start('race', 'e-race-1', 'deploy');
    const two = bench.start('race', 'e-race-1', 'deploy', {}, `${TASK_ARN}-second`);
    const codes = (await Promise.all([one.ended, two.ended])).map(({ code }) => code);
    expect(codes).toEqual([0, 0]);
    expect(await bench.stats('race')).toMatchObject({ plans: 1, appliesStarted: 1, maxWorking: 1 });
  });

  it('leaves a run alone that is over', async () => {
    const outcome = { result: 'cancelled' as const, at: new Date().toISOString(), by: 'operator' };
    await bench.prepare({ id: 'over', name: 'e-over-1', action: 'deploy', outcome });
    expect((await bench.start('over', 'e-over-1', 'deploy').ended).code).toBe(0);
    expect((await bench.item('over', 'e-over-1')).taskArn).toBeUndefined();
    expect(await bench.stats('over')).toEqual({});
  });

  it('does nothing where the lock names another run', async () => {
    await bench.prepare({ id: 'unlocked', name: 'e-unlocked-1', action: 'deploy' }, 'e-unlocked-2');
    expect((await bench.start('unlocked', 'e-unlocked-1', 'deploy').ended).code).toBe(1);
    expect((await bench.item('unlocked', 'e-unlocked-1')).outcome).toMatchObject({ result: 'failed', class: 'locked' });
    expect(await bench.stats('unlocked')).toEqual({});
  });

  it('does nothing where the lock is held by another execution', async () => {
    await bench.prepare({ id: 'redriven', name: 'e-redriven-1', action: 'deploy' });
    const { ended } = bench.start('redriven', 'e-redriven-1', 'deploy', { EXECUTION_ARN: 'arn:aws:states:::other' });
    expect((await ended).code).toBe(1);
    expect(await bench.item('redriven', 'e-redriven-1')).not.toHaveProperty('taskArn');
    expect(await bench.stats('redriven')).toEqual({});
  });

  it('leaves a run of another action alone, and logs why', async () => {
    await bench.prepare({ id: 'action', name: 'e-action-1-deploy', action: 'deploy' });
    const before = await bench.item('action', 'e-action-1-deploy');
    const { code, output } = await bench.start('action', 'e-action-1-deploy', 'destroy').ended;
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({
      level: 'warn',
      enclaveId: 'action',
      message: expect.stringContaining('the run is a deploy run, but this task executes destroy runs'),
    });
    expect(await bench.item('action', 'e-action-1-deploy')).toEqual(before);
    expect(await bench.stats('action')).toEqual({});
  });

  it('is cancelled before it begins', async () => {
    const cancelRequestedAt = new Date().toISOString();
    await bench.prepare({ id: 'early', name: 'e-early-1', action: 'deploy', cancelRequestedAt });
    expect((await bench.start('early', 'e-early-1', 'deploy').ended).code).toBe(1);
    expect((await bench.item('early', 'e-early-1')).outcome).toMatchObject({ result: 'cancelled', class: 'cancelled' });
    expect(await bench.stats('early')).toEqual({});
  });

  it('sees between plan and apply that it is cancelled', async () => {
    await bench.prepare({ id: 'late', name: 'e-late-1', action: 'deploy' });
    await bench.control({ op: 'holdPlan', enclaveId: 'late' });
    const { ended } = bench.start('late', 'e-late-1', 'deploy');
    await until('the plan is being made', async () => ((await bench.stats('late')).plans === 1 ? true : undefined));
    const item = await bench.item('late', 'e-late-1');
    await bench.patch({ ...item, cancelRequestedAt: new Date().toISOString() });
    await bench.control({ op: 'holdPlan', enclaveId: 'late', held: false });
    expect((await ended).code).toBe(1);
    expect((await bench.item('late', 'e-late-1')).outcome).toMatchObject({ result: 'cancelled' });
    expect(await bench.stats('late')).toMatchObject({ plans: 1, appliesStarted: 0 });
    expect(hosts('late')).toEqual([]);
  });

  it('asks Terraform to stop once, however many signals come', async () => {
    await bench.prepare({ id: 'signal', name: 'e-signal-1', action: 'deploy' });
    await bench.control({ op: 'holdApply', enclaveId: 'signal' });
    const { child, ended } = bench.start('signal', 'e-signal-1', 'deploy');
    await until('the apply', async () => ((await bench.stats('signal')).appliesStarted === 1 ? true : undefined));
    for (let i = 0; i < 3; i += 1) child.kill('SIGTERM');
    const { code, signal } = await ended;
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect((await bench.item('signal', 'e-signal-1')).outcome).toMatchObject({
      result: 'cancelled',
      class: 'cancelled',
    });
    expect(await bench.stats('signal')).toMatchObject({ interrupts: 1, appliesFinished: 1, working: 0 });
  });

  it('gives up at its deadline, through one interrupt', async () => {
    await bench.prepare({ id: 'deadline', name: 'e-deadline-1', action: 'deploy' });
    await bench.control({ op: 'holdApply', enclaveId: 'deadline' });
    const { ended } = bench.start('deadline', 'e-deadline-1', 'deploy', { RUN_DEADLINE_SECONDS: '1' });
    expect((await ended).code).toBe(1);
    expect((await bench.item('deadline', 'e-deadline-1')).outcome).toMatchObject({
      result: 'failed',
      class: 'timeout',
    });
    expect(await bench.stats('deadline')).toMatchObject({ interrupts: 1 });
  });

  it('explains a failed apply by class, scrubbed message and fix', async () => {
    await bench.prepare({ id: 'denied', name: 'e-denied-1', action: 'deploy' });
    await bench.control({ op: 'failRuns', enclaveId: 'denied', class: 'permission' });
    const { code, output } = await bench.start('denied', 'e-denied-1', 'deploy').ended;
    expect(code).toBe(1);
    const { outcome } = await bench.item('denied', 'e-denied-1');
    expect(outcome).toMatchObject({ result: 'failed', class: 'permission' });
    expect(outcome?.message).toContain('UnauthorizedOperation');
    for (const text of [outcome?.message, output]) {
      expect(text).not.toMatch(/arn:aws|123456789012/);
    }
    expect(outcome?.fix).toBeTruthy();
  });

  it('takes over what a killed run has made, and makes nothing twice', async () => {
    await bench.prepare({ id: 'killed', name: 'e-killed-1', action: 'deploy' });
    await bench.control({ op: 'delay', type: 'aws_instance', ms: 600_000 });
    const { child, ended } = bench.start('killed', 'e-killed-1', 'deploy');
    await until('the host', () => hosts('killed')[0]);
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    await bench.control({ op: 'reset' });
    await until('Terraform dead', async () => ((await bench.stats('killed')).working === 0 ? true : undefined));
    await bench.prepare({ id: 'killed', name: 'e-killed-2', action: 'deploy' });
    expect((await bench.start('killed', 'e-killed-2', 'deploy').ended).code).toBe(0);
    expect(hosts('killed')).toHaveLength(1);
    expect((await bench.item('killed', 'e-killed-2')).outcome?.instanceId).toBe(hosts('killed')[0]?.instanceId);
  });

  it('makes a new host when the pinned one is proven gone', async () => {
    await bench.prepare({ id: 'pinned', name: 'e-pinned-1', action: 'deploy' });
    await bench.start('pinned', 'e-pinned-1', 'deploy').ended;
    const [host] = hosts('pinned');
    await bench.control({ op: 'terminateHost', enclaveId: 'pinned' });
    await until('the host gone', () => (hosts('pinned')[0]?.state === 'terminated' ? true : undefined));
    const { variables } = await bench.item('pinned', 'e-pinned-1');
    const pinned = { instanceId: host!.instanceId, amiId: host!.amiId };
    await bench.prepare({
      id: 'pinned',
      name: 'e-pinned-2',
      action: 'deploy',
      reason: 'repair',
      variables: { ...variables, pinned },
    });
    const { code, output } = await bench.start('pinned', 'e-pinned-2', 'deploy').ended;
    expect(code, output).toBe(0);
    expect(hosts('pinned').map((each) => each.state)).toEqual(['terminated', 'running']);
  });
});
