/** What goes wrong behind the operator's back, with real processes. */
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, startApp, WALLET } from '../support/app.ts';
import { cli } from '../support/cli.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';

let app: App;
beforeAll(async () => {
  app = await startApp({
    operatorEnv: {
      ENCLAVE_OPERATOR_ATTEMPTS_PER_GENERATION: '2',
      ENCLAVE_OPERATOR_RETRY_BASE_MS: '6000',
      ENCLAVE_OPERATOR_RETRY_MAX_MS: '6000',
    },
  });
});
afterAll(async () => {
  await app?.embedded.stop();
});
beforeEach(() => printLogsOnFailure(app.embedded));

interface Stats {
  readonly maxWorkingOnOneEnclave: number;
  readonly enclaves: Readonly<Record<string, { readonly interrupts: number; readonly appliesStarted: number }>>;
}
const stats = async () => (await app.embedded.stats()) as Stats;

/** Statuses a record shows until the condition holds. */
async function statusesUntil(id: string, type: string, status: string): Promise<readonly unknown[]> {
  const seen = new Set<unknown>();
  await app.untilItem(id, `${type}=${status}`, (item) => {
    seen.add(item.status);
    return app.condition(item, type) === status;
  });
  return [...seen];
}

describe('a host changed behind the operator’s back', () => {
  it('stopped, then terminated: repaired; DEPLOYED stays, InSync goes False and True again', async () => {
    const id = 'enc_drift';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const [first] = await app.hosts(id);
    for (const op of ['stopHost', 'terminateHost']) {
      await app.embedded.sim(op, { enclaveId: id });
      const statuses = [
        ...(await statusesUntil(id, 'InSync', 'False')),
        ...(await statusesUntil(id, 'InSync', 'True')),
      ];
      expect(new Set(statuses), op).toEqual(new Set(['DEPLOYED']));
      expect((await app.hosts(id)).map(({ state }) => state)).toEqual(['running']);
    }
    const item = await app.until(id, 'DEPLOYED');
    expect(item.instance_id).not.toBe(first?.instanceId);
    // Starting a stopped host needs no run; replacing a terminated one needs one.
    expect(await app.executions(id)).toHaveLength(2);
  });

  it('resumed with only an old report: not DEPLOYED until it reports anew', async () => {
    const id = 'enc_stale';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    await app.patch(id, 'PAUSING');
    await app.until(id, 'PAUSED');
    await app.embedded.sim('freezeReports', { enclaveId: id });
    await app.patch(id, 'RESUMING');
    const item = await app.untilItem(id, 'verifying', ({ operator }) => operator?.phase === 'verifying');
    expect(item.status).toBe('RESUMING');
    await eventually('the host runs', async () => (await app.hosts(id))[0]?.state === 'running');
    // Another enclave goes all its way meanwhile.
    await app.post('enc_other');
    await app.until('enc_other', 'DEPLOYED');
    expect(await app.status(id)).toBe('RESUMING');
    await app.embedded.sim('freezeReports', { enclaveId: id, frozen: false });
    await app.until(id, 'DEPLOYED');
  });
});

describe('a failing run', () => {
  it('shows its cause, backs off, stalls after the limit, and is cured by retry', async () => {
    const id = 'enc_failing';
    await app.embedded.sim('failRuns', { enclaveId: id, times: 2, class: 'capacity' });
    await app.post(id);
    const backingOff = await app.untilItem(id, 'backingOff', ({ operator }) => operator?.phase === 'backingOff');
    expect(backingOff.operator?.nextAttemptAt).toBeDefined();
    expect(backingOff.error_type).toBe('capacity');
    const described = await cli(['describe', id], { env: app.embedded.env });
    expect(described.out).toMatch(/next attempt/i);
    expect(described.out).toContain('capacity');

    const failed = await app.until(id, 'FAILED');
    expect(app.condition(failed, 'Stalled')).toBe('True');
    expect(failed.error_message).toMatch(/^capacity: .*InsufficientInstanceCapacity/);
    expect(failed.error_message).not.toMatch(/arn:|\d{12}/);
    expect((await app.executions(id)).map(({ status }) => status)).toEqual(['FAILED', 'FAILED']);

    expect((await cli(['retry', id], { env: app.embedded.env })).code).toBe(0);
    const item = await app.until(id, 'DEPLOYED');
    expect(item).not.toHaveProperty('error_message');
    expect(item).not.toHaveProperty('error_type');
    expect(await app.executions(id)).toHaveLength(3);
  });
});

describe('a run that is no longer wanted', () => {
  it('is cancelled in mid-run: Terraform is asked to stop once, and destroyed only after it is gone', async () => {
    const id = 'enc_cancel';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    await eventually('Terraform is at work', async () => (await stats()).enclaves[id]?.appliesStarted === 1);
    await app.patch(id, 'PENDING_DESTROY');
    await app.until(id, 'DESTROYED');
    const after = await stats();
    expect(after.enclaves[id]?.interrupts).toBe(1);
    expect(after.maxWorkingOnOneEnclave).toBe(1);
    expect(await app.inventory(id)).toEqual([]);
    expect((await app.executions(id)).map(({ name }) => name.split('-').at(-1))).toEqual(['deploy', 'destroy']);
  });
});

describe('the application’s habits', () => {
  it('its own direct start of the cleanup machine does no harm beside PENDING_DESTROY', async () => {
    const id = 'enc_direct';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const { region, prefix } = app.embedded.endpoints;
    await app.patch(id, 'PENDING_DESTROY');
    await app.sfn.send(
      new StartExecutionCommand({
        stateMachineArn: `arn:aws:states:${region}:000000000000:stateMachine:${prefix}-cleanup`,
        name: `cleanup-${id}-${Date.now()}`,
        input: JSON.stringify({
          enclave_id: id,
          action: 'destroy',
          configuration: '{}',
          terraform_config: 'main.tf',
          wallet_address: WALLET,
        }),
      }),
    );
    await app.until(id, 'DESTROYED');
    const runs = await app.executions(id);
    expect(runs.filter(({ name }) => name.startsWith('cleanup-')).map(({ status }) => status)).toEqual(['SUCCEEDED']);
    expect(runs.filter(({ name }) => name.endsWith('-destroy'))).toHaveLength(1);
    const { enclaves, maxWorkingOnOneEnclave } = await stats();
    expect(enclaves[id]?.appliesStarted).toBe(2);
    expect(maxWorkingOnOneEnclave).toBe(1);
    expect(await app.inventory(id)).toEqual([]);
  });

  it('a stale RESUMING written after PENDING_DESTROY changes nothing', async () => {
    const id = 'enc_stale_command';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    await app.patch(id, 'PENDING_DESTROY');
    await app.until(id, 'DESTROYING');
    await app.patch(id, 'RESUMING');
    await app.until(id, 'DESTROYED');
    expect(await app.inventory(id)).toEqual([]);
  });
});
