/** What a changed configuration costs the enclave: just what the schema says of the field. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { classifyChange } from '../../src/enclave/spec/change.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/spec.ts';
import { hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());
afterAll(() => TestHost.forgetBooted());

const secretArn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:token-AbCdEf';

describe.skipIf(missing.length > 0)('a change of', () => {
  it.each([
    ['healthCheckPath', '/live'],
    ['healthCheckInterval', 20],
    ['healthCheck', { failureThreshold: 5 }],
    ['exposePorts', [8080, 9090]],
    ['restartPolicy', 'Never'],
    ['backoff', { maxRestarts: 9 }],
    ['ingressCidrs', ['10.0.0.0/16']],
    ['attestation', { enforce: 'off' }],
    ['logs', { retentionDays: 7 }],
    ['dockerImage', `ghcr.io/acme/signer:2@sha256:${'e'.repeat(64)}`],
    ['sourceType', 'private-registry'],
    ['cpuCount', 4],
    ['memoryMiB', 4096],
    ['enclaveCid', 20],
    ['enableDebug', true],
    ['workloadType', 'daemon'],
    ['awsServices', ['kms', 's3']],
    ['egress', { allow: ['api.example.com'] }],
    ['environmentVariables', { A: '1' }],
    ['secrets', [{ name: 'TOKEN', secretArn }]],
  ])('%s restarts the enclave if the schema says so, and only then; the host stays as it is', (field, value) => {
    host.bootWith(spec());
    const { bootId } = host.report;
    const before = spec() as unknown as EnclaveSpec;
    const changed = spec({ [field]: value });
    const change = classifyChange(before, changed as unknown as EnclaveSpec).class;
    expect(['inPlace', 'enclaveRestart']).toContain(change);
    host.configure(2, changed);
    expect(host.run('follow').status).toBe(0);
    expect(host.report).toMatchObject({ appliedGeneration: 2, bootId, enclaves: [{ state: 'RUNNING' }] });
    expect(host.count('run-enclave')).toBe(change === 'enclaveRestart' ? 2 : 1);
  });

  it('nothing but the generation comes back in the report, and restarts nothing', () => {
    host.bootWith(spec());
    host.configure(7);
    host.run('follow');
    expect(host.report.appliedGeneration).toBe(7);
    expect(host.count('run-enclave')).toBe(1);
    const written = host.reports.length;
    host.run('follow');
    expect(host.reports).toHaveLength(written);
  });

  it('an image that cannot be had leaves the old enclave running, and says why', () => {
    host.bootWith(spec());
    host.configure(2, spec({ dockerImage: 'ghcr.io/acme/signer:gone' }));
    host.write('fake/fails.pull', 'manifest unknown\nmanifest unknown\n');
    expect(host.run('follow').status).toBe(65);
    host.tick();
    expect(host.report).toMatchObject({
      appliedGeneration: 1,
      enclaves: [{ state: 'RUNNING' }],
      error: { class: 'image', code: 'E50' },
    });
    // It is asked for again by command only.
    const pulls = () => host.read('fake/docker.log')?.match(/^pull/gm)?.length;
    const before = pulls();
    host.run('follow');
    expect(pulls()).toBe(before);
    host.run('command', 'apply-configuration');
    expect(pulls()).toBe((before ?? 0) + 1);
    expect(host.run('command', 'apply-configuration').status).toBe(0);
    expect(host.report).toMatchObject({ appliedGeneration: 2, enclaves: [{ state: 'RUNNING' }] });
  });
});

describe.skipIf(missing.length > 0)('a command', () => {
  it('restart-allocator reserves anew and starts the enclave', () => {
    host.bootWith(spec());
    const restarts = () => host.read('fake/systemctl.log')?.match(/restart nitro-enclaves-allocator/g)?.length;
    expect(restarts()).toBe(1);
    expect(host.run('command', 'restart-allocator').status).toBe(0);
    expect(restarts()).toBe(2);
    expect(host.report).toMatchObject({ enclaves: [{ state: 'RUNNING' }], allocator: { ok: true } });
  });

  it('report-now reports what is there now, changed or not', () => {
    host.bootWith(spec());
    const { sequence } = host.report;
    host.enclaves = [];
    expect(host.run('command', 'report-now').status).toBe(0);
    expect(host.report).toMatchObject({ sequence: sequence + 1, enclaves: [], observed: true });
    expect(host.count('run-enclave')).toBe(1);
  });
});
