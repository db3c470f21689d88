/** The agent's reports, in a real database, under the eyes of a real operator: what each leads to. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, type Item, startApp } from '../support/app.ts';
import { printLogsOnFailure } from '../support/embedded.ts';
import { hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
const PROVIDER_CONFIG = {
  dockerImage: 'ghcr.io/acme/signer:1.4.2',
  instanceType: 'm6i.2xlarge',
  cpuCount: 2,
  memoryMiB: 2048,
  exposePorts: [8080],
  healthCheckInterval: 5,
  healthCheck: { startupGraceSeconds: 0, failureThreshold: 1 },
};

let app: App;
let hosts: TestHost[] = [];
beforeAll(async () => {
  if (missing.length === 0) app = await startApp();
});
afterAll(async () => {
  await app?.embedded.stop();
});
beforeEach(() => printLogsOnFailure(app.embedded));
afterEach(() => {
  for (const host of hosts) host.dispose();
  hosts = [];
});

const condition = (item: Item, type: string) => item.operator?.conditions.find((each) => each.type === type);

/** A record whose run has succeeded, and its host, which has not reported: the simulated agent keeps silent. */
async function provisioned(id: string, config: object = {}): Promise<TestHost> {
  const providerConfig = { ...PROVIDER_CONFIG, ...config };
  await app.embedded.sim('freezeReports', { enclaveId: id });
  await app.post(id, { providerConfig });
  await app.untilItem(id, 'verifying', ({ operator }) => operator?.phase === 'verifying');
  const [instance] = await app.hosts(id);
  const { endpoints } = app.embedded;
  const host = new TestHost({
    enclaveId: id,
    instanceId: instance?.instanceId ?? '',
    database: endpoints.dynamodb,
    table: endpoints.stateTable,
  });
  hosts.push(host);
  host.configure(1, spec(providerConfig));
  return host;
}

async function deployed(id: string, config: object = {}): Promise<TestHost> {
  const host = await provisioned(id, config);
  host.boot();
  await app.until(id, 'DEPLOYED');
  return host;
}

const until = (id: string, type: string, status: string, reason: string) =>
  app.untilItem(id, `${type}=${status} (${reason})`, (item) => {
    const found = condition(item, type);
    return found?.status === status && found.reason === reason;
  });

describe.skipIf(missing.length > 0)('reports of the agent', () => {
  it('lead a record through verifying to DEPLOYED, to unhealthy and back', async () => {
    const id = 'enc_health';
    const host = await provisioned(id, { restartPolicy: 'Never' });
    expect(await app.status(id)).toBe('DEPLOYING');
    host.boot();
    const item = await app.until(id, 'DEPLOYED');
    for (const type of ['Ready', 'EnclaveRunning', 'Healthy', 'MeasurementsReported', 'Secure', 'InSync']) {
      expect([type, condition(item, type)?.status]).toEqual([type, 'True']);
    }
    host.write('fake/health', '503');
    host.tick();
    const unhealthy = await until(id, 'Healthy', 'False', 'HealthCheckFailing');
    expect(unhealthy.status).toBe('DEPLOYED');
    host.write('fake/health', '200');
    host.tick();
    await until(id, 'Healthy', 'True', 'HealthCheckPassing');
  });

  it('of a crash: not running, left to the host, running again', async () => {
    const id = 'enc_crash';
    const host = await deployed(id);
    host.enclaves = [];
    host.tick();
    host.tick();
    const item = await until(id, 'EnclaveRunning', 'False', 'EnclaveNotRunning');
    expect(item.status).toBe('DEPLOYED');
    expect(item.operator?.phase).toBe('ready');
    host.tick(10);
    await until(id, 'EnclaveRunning', 'True', 'Running');
    expect(host.count('run-enclave')).toBe(2);
  });

  it('of debug mode, a wrong size or a second enclave: drift, and the operator has the enclave restarted', async () => {
    const id = 'enc_drift';
    const host = await deployed(id);
    const [enclave] = host.enclaves;
    const wrong: readonly (readonly [object[], string])[] = [
      [[{ ...enclave, Flags: 'DEBUG_MODE' }], 'DebugEnclave'],
      [[{ ...enclave, MemoryMiB: 1024 }], 'EnclaveSize'],
      [[{ ...enclave }, { ...enclave, EnclaveName: 'enclave_1', EnclaveID: 'i-1-enc2' }], 'ExtraEnclaves'],
    ];
    for (const [enclaves, reason] of wrong) {
      host.enclaves = enclaves;
      host.tick();
      const item = await app.untilItem(
        id,
        `repairing ${reason}`,
        ({ operator }) => operator?.phase === 'repairing' && operator.message.includes(`enclave.${reason}`),
      );
      expect(item.status).toBe('DEPLOYED');
      expect(condition(item, 'InSync')).toMatchObject({ status: 'False', reason });
      if (reason === 'DebugEnclave') {
        expect(condition(item, 'Secure')).toMatchObject({ status: 'False', reason: 'DebugEnclave' });
      }
      // What the SSM document runs on the host.
      expect(host.run('command', 'restart-enclave').status).toBe(0);
      await app.untilItem(id, `ready after ${reason}`, ({ operator }) => operator?.phase === 'ready');
      await until(id, 'InSync', 'True', 'None');
    }
    await until(id, 'Secure', 'True', 'None');
  });

  it('of a host that cannot see: unknown, and nothing is repaired', async () => {
    const id = 'enc_blind';
    const host = await deployed(id);
    host.enclaves = [];
    host.write('fake/fails.describe-enclaves', 'E38!\n');
    for (let turn = 0; turn < 3; turn += 1) host.tick();
    const item = await until(id, 'EnclaveRunning', 'Unknown', 'EnclavesUnobserved');
    expect(item.status).toBe('DEPLOYED');
    expect(item.operator?.phase).toBe('ready');
  });

  it('of an allocator that lies keep the record out of DEPLOYED, and say why', async () => {
    const id = 'enc_allocator';
    const host = await provisioned(id);
    host.write('fake/allocator-lies', 'once\n');
    host.boot();
    const item = await until(id, 'EnclaveRunning', 'Unknown', 'GenerationPending');
    expect(item.status).toBe('DEPLOYING');
    expect(JSON.stringify(condition(item, 'EnclaveRunning'))).toContain('0 vCPU and 0 MiB were reserved');
    host.run('follow');
    host.tick();
    await app.until(id, 'DEPLOYED');
  });

  it('from before a pause do not make it DEPLOYED; the first of the new boot does, and a reboot changes nothing', async () => {
    const id = 'enc_resume';
    const host = await deployed(id);
    await app.patch(id, 'PAUSING');
    await app.until(id, 'PAUSED');
    await app.patch(id, 'RESUMING');
    const item = await app.untilItem(id, 'verifying', ({ operator }) => operator?.phase === 'verifying');
    expect(item.status).toBe('RESUMING');
    // A late one of the old boot: higher sequence, and still stale.
    host.run('report');
    await until(id, 'EnclaveRunning', 'Unknown', 'StaleReport');
    expect(await app.status(id)).toBe('RESUMING');
    host.powerCycle();
    host.boot();
    await app.until(id, 'DEPLOYED');
    await until(id, 'EnclaveRunning', 'True', 'Running');
    host.powerCycle();
    host.boot();
    const after = await until(id, 'EnclaveRunning', 'True', 'Running');
    expect(after.status).toBe('DEPLOYED');
  });
});
