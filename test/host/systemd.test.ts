/** The agent's units under a real systemd: what ends with a unit, and what must not. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spec } from '../support/host.ts';
import { until } from '../support/runner-bench.ts';
import { SystemdHost, systemdMissing } from '../support/systemd.ts';

const VM = '/system.slice/enclave-vm.service';

describe.skipIf(systemdMissing().length > 0)('systemd', () => {
  let system: SystemdHost;
  beforeAll(async () => {
    system = new SystemdHost();
    await system.boot();
    // The test takes the turns of the timers itself. No configuration is there yet: the first start of the enclave comes late.
    system.run('/usr/local/lib/enclave-agent/current/bin/install');
    await until('the failed first fetch', () => system.log().includes('could not be fetched') || undefined);
    system.run('systemctl', 'stop', 'enclave-watch.timer', 'enclave-follow.timer', 'enclave-report.timer');
  });
  afterAll(() => system.stop());

  /** A ready image, since nothing here is about building one. */
  const configure = () => {
    const content = 'an enclave image file';
    const sha256 = createHash('sha256').update(content).digest('hex');
    system.host.write('fake/s3/images/app.eif', content);
    system.host.configure(
      1,
      spec({
        dockerImage: undefined,
        eif: { uri: 's3://images/app.eif', sha256 },
        exposePorts: [],
        backoff: { initialSeconds: 1 },
      }),
    );
  };

  it('keeps an enclave that the follower has started late', async () => {
    configure();
    await system.start('enclave-follow.service');
    expect(system.enclaves()).toEqual([{ process: expect.any(Number), group: VM }]);
  });

  it('keeps an enclave that the watcher has restarted after a crash', async () => {
    const [before] = system.enclaves();
    system.run('kill', '-KILL', String(before?.process));
    await until('a restart', async () => {
      await system.start('enclave-watch.service');
      return system.log().includes('restarting:') || undefined;
    });
    expect(system.enclaves()).toEqual([{ process: expect.any(Number), group: VM }]);
    expect(system.report()).toMatchObject({ restarts: 1, enclaves: [{ state: 'RUNNING' }] });
  });

  it('keeps an enclave that a command has restarted, and ends the one before', () => {
    const [before] = system.enclaves();
    system.run('/usr/local/lib/enclave-agent/current/bin/command', 'restart-enclave');
    const [after, ...others] = system.enclaves();
    expect(after?.process).not.toBe(before?.process);
    expect([after?.group, others]).toEqual([VM, []]);
    expect(system.run('sh', '-c', `kill -0 ${before?.process} 2>&1 || echo gone`)).toContain('gone');
  });
});
