/** Many at once, and bad ones among them, with real processes. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, startApp } from '../support/app.ts';
import { printLogsOnFailure } from '../support/embedded.ts';

const CAP = 8;
const RECORDS = 200;

let app: App;
beforeAll(async () => {
  // At a higher speed 200 hosts report more often than two cores can reconcile them.
  app = await startApp({ speed: 25, operatorEnv: { ENCLAVE_OPERATOR_MAX_RUNS: String(CAP) } });
});
afterAll(async () => {
  await app?.embedded.stop();
});
beforeEach(() => printLogsOnFailure(app.embedded));

describe('poison records', () => {
  it('are reported, and delay no other', async () => {
    const config = { dockerImage: 'nginx:1.27', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.xlarge' };
    const long = `enc_${'x'.repeat(296)}`;
    const template = '${file("/etc/passwd")} %{ if true } $(reboot) `id` "quotes"';
    await app.post('enc_fraction', { providerConfig: { ...config, cpuCount: 1.5 } });
    await app.post('enc_text', { providerConfig: 'a string where a map should be' });
    await app.post(long);
    await app.post('enc_junk', { junk: 'j'.repeat(390 * 1_024) });
    await app.post('enc_template', { name: template, description: template });
    await app.post('enc_good');
    await app.until('enc_good', 'DEPLOYED');
    const fraction = await app.until('enc_fraction', 'FAILED');
    expect(fraction.error_message).toMatch(/cpuCount/);
    const text = await app.until('enc_text', 'FAILED');
    expect(text.error_message).toMatch(/providerConfig/);
    const tooLong = await app.until(long, 'FAILED');
    expect(tooLong.error_message).toMatch(/id/);
    await app.until('enc_junk', 'DEPLOYED');
    const data = await app.until('enc_template', 'DEPLOYED');
    expect(data.name).toBe(template);
    for (const id of ['enc_fraction', 'enc_text', long]) expect(await app.executions(id)).toEqual([]);
  });
});

describe(`${RECORDS} records at once`, () => {
  it('are all DEPLOYED, and never more runs than the cap', async () => {
    const ids = Array.from({ length: RECORDS }, (_, n) => `enc_many_${n}`);
    let most = 0;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const running = (await app.executions()).filter(({ status }) => status === 'RUNNING').length;
        most = Math.max(most, running);
        await pause(100);
      }
    })();
    await Promise.all(ids.map((id) => app.post(id)));
    for (const id of ids) await app.until(id, 'DEPLOYED', 300_000);
    watching = false;
    await watch;
    expect(most).toBeLessThanOrEqual(CAP);
    expect(most).toBeGreaterThan(1);
    const executions = (await app.executions()).filter(({ name }) => name.includes('enc_many_'));
    expect(executions).toHaveLength(RECORDS);
    expect(executions.every(({ status }) => status === 'SUCCEEDED')).toBe(true);
  }, 400_000);
});
