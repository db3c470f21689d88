/** The agent from boot to report: what comes up, in what order, and what a reboot or a stop leaves. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());

describe.skipIf(missing.length > 0)('a boot', () => {
  it('ends with the enclave of the spec, and a report that says all of it', () => {
    host.write('fake/rounds-up-by', '768');
    host.configure(3);
    host.boot();
    const { measurements, ...report } = host.report;
    expect(report).toMatchObject({
      v: 1,
      minReader: 1,
      pk: 'report#enc_1',
      sk: host.instanceId,
      id: 'enc_1',
      instanceId: host.instanceId,
      bootId: host.read('proc/sys/kernel/random/boot_id')?.trim(),
      appliedGeneration: 3,
      agentVersion: '1.0.0',
      observed: true,
      enclaves: [
        // Huge pages round memory up: more than was asked for is as good.
        { name: 'enclave', state: 'RUNNING', flags: 'NONE', debug: false, cpuCount: 2, memoryMiB: 2816, cid: 16 },
      ],
      health: 'passing',
      completed: false,
      allocator: { cpuCount: 2, memoryMiB: 2048, ok: true },
      proxies: [{ destination: 'kms.us-west-2.amazonaws.com:443', state: 'active', vsockPort: 8000 }],
      imageDigest: `sha256:${'d'.repeat(64)}`,
      restarts: 0,
    });
    expect(report.error).toBeUndefined();
    // A host that is gone deletes nothing: DynamoDB deletes its report 30 days after it was written.
    expect(report.expiresAt).toBe(Math.floor(Date.parse(report.at) / 1_000) + 30 * 24 * 60 * 60);
    expect(host.reports.map(({ sequence }) => sequence)).toEqual(host.reports.map((_, index) => index + 1));
    // What the application's PCR tab looks for.
    for (const [name, value] of Object.entries(measurements)) {
      expect(value).toMatch(/^[0-9a-f]{96}$/);
      expect(host.log).toMatch(new RegExp(`\\[PCR\\]\\s+${name}:\\s+${value}`));
    }
    expect(Object.keys(measurements).sort()).toEqual(['PCR0', 'PCR1', 'PCR2']);
    expect(host.read('fake/nitro-cli.log')).toContain(
      'run-enclave --cpu-count 2 --memory 2048 --enclave-cid 16 --enclave-name enclave --eif-path',
    );
    expect(host.read('fake/nitro-cli.log')).not.toContain('--debug-mode');
    expect(host.read('etc/nitro_enclaves/allocator.yaml')).toBe('---\nmemory_mib: 2048\ncpu_count: 2\n');
  });

  it('waits in every step for the one before, and starts nothing without a configuration', () => {
    for (const step of ['allocate', 'image', 'proxies', 'run', 'watch', 'report'])
      expect(host.run(step).status).toBe(75);
    host.configure(1);
    expect(host.run('follow', '--fetch').status).toBe(0);
    expect(host.run('run').status).toBe(75);
    expect(host.run('image').status).toBe(0);
    // Cores and memory are not reserved yet.
    expect(host.run('run').status).toBe(75);
    expect(host.count('run-enclave')).toBe(0);
    expect(host.run('allocate').status).toBe(0);
    expect(host.run('run').status).toBe(0);
  });

  it('brings everything back after a reboot, without S3 or registry, under another boot id', () => {
    host.configure(1);
    host.boot();
    const before = host.report;
    host.remove('fake/s3');
    host.write('fake/fails.pull', 'dial tcp: i/o timeout');
    host.powerCycle();
    host.boot();
    expect(host.report.bootId).not.toBe(before.bootId);
    expect(host.report).toMatchObject({
      appliedGeneration: 1,
      enclaves: [{ state: 'RUNNING' }],
      measurements: before.measurements,
      allocator: { ok: true },
      proxies: [{ state: 'active' }],
    });
    expect(host.count('build-enclave')).toBe(1);
    expect(host.count('run-enclave')).toBe(2);
  });

  it('comes up with what was configured while it was stopped', () => {
    host.configure(1);
    host.boot();
    host.powerCycle();
    host.configure(2, spec({ cpuCount: 4, memoryMiB: 4096 }));
    host.boot();
    expect(host.report).toMatchObject({
      appliedGeneration: 2,
      enclaves: [{ cpuCount: 4, memoryMiB: 4096 }],
      allocator: { cpuCount: 4, memoryMiB: 4096, ok: true },
    });
  });

  it('says so when the allocator lies, starts nothing, and goes on when it has what it needs', () => {
    host.write('fake/allocator-lies', 'once\n');
    host.configure(1);
    host.boot();
    expect(host.report).toMatchObject({
      appliedGeneration: 0,
      enclaves: [],
      allocator: { cpuCount: 0, memoryMiB: 0, ok: false },
      error: { class: 'host', code: 'allocator', step: 'allocate' },
    });
    expect(host.report.error?.message).toContain('asked for 2 vCPU and 2048 MiB, and 0 vCPU and 0 MiB were reserved');
    expect(host.count('run-enclave')).toBe(0);
    expect(host.run('follow').status).toBe(0);
    host.tick();
    expect(host.report).toMatchObject({ enclaves: [{ state: 'RUNNING' }], allocator: { ok: true } });
    expect(host.report.error).toBeUndefined();
  });

  it('takes no configuration of another enclave or another version', () => {
    host.configure(1);
    host.boot();
    for (const extra of [{ enclaveId: 'enc_2' }, { version: 2 }, { spec: 'x' }]) {
      host.configure(2, spec(), extra);
      expect(host.run('follow').status).toBe(65);
      host.run('report', '--if-changed');
      expect(host.report).toMatchObject({ appliedGeneration: 1, error: { class: 'spec', code: 'configuration' } });
    }
    host.configure(3);
    host.run('follow');
    expect(host.report).toMatchObject({ appliedGeneration: 3 });
    expect(host.report.error).toBeUndefined();
    expect(host.count('run-enclave')).toBe(1);
  });

  it('uses no sequence twice, and reports again what did not arrive', () => {
    host.configure(1);
    host.boot();
    const { sequence } = host.report;
    host.write('fake/table-unreachable', '');
    expect(host.run('report').status).toBe(75);
    host.remove('fake/table-unreachable');
    expect(host.run('report').status).toBe(0);
    expect(host.report.sequence).toBe(sequence + 2);
    const written = host.reports.length;
    host.run('report', '--if-changed');
    expect(host.reports).toHaveLength(written);
  });
});
