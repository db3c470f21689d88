/** The enclave on its host: nitro-cli's error codes and traps, crashes, restarts, health, and what is not as it should be. */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());
afterAll(() => TestHost.forgetBooted());

/** A host whose enclave runs. */
function started(providerConfig: object = {}): void {
  host.bootWith(spec(providerConfig));
  expect(host.report.enclaves).toHaveLength(1);
}

/** nitro-cli's own list of codes, by what is to be done about them. */
const CLASSES = {
  spec: 'E01 E02 E03 E20 E21 E22 E23 E24 E25 E26 E27 E34 E47 E58',
  image: 'E30 E35 E48 E49 E51 E52 E59 E60',
  transient: 'E05 E10 E11 E15 E16 E29 E36 E37 E39 E40 E41 E50 timeout',
  host: 'E07 E08 E18 E19 E28 E31 E32 E33 E42 E43',
  clock: 'E53',
  unknown: 'E00 E04 E06 E09 E12 E13 E14 E17 E38 E44 E45 E46 E54 E55 E56 E57 E99',
};

describe.skipIf(missing.length > 0)('a start that fails', () => {
  it('is of the class of its code', () => {
    const agent = fileURLToPath(new URL('../../infra/host/agent', import.meta.url));
    const script = '. "$1/lib/common.sh"; . "$1/lib/nitro.sh"; shift; for code; do class_of "$code"; done';
    for (const [name, codes] of Object.entries(CLASSES)) {
      const all = codes.split(' ');
      const { stdout } = spawnSync('bash', ['--norc', '-c', script, 'classes', agent, ...all], {
        env: { PATH: process.env.PATH, ENCLAVE_ROOT: host.root },
        encoding: 'utf8',
      });
      expect(stdout.trim().split('\n')).toEqual(all.map(() => name));
    }
  });

  it.each([
    ['E01', 'spec', 1],
    ['E26', 'spec', 1],
    ['E35', 'image', 1],
    ['E29', 'transient', 4],
    ['E36', 'host', 4],
    ['E19', 'host', 1],
    ['E53', 'clock', 2],
    // Its exit status is 0: only its text tells.
    ['E00', 'unknown', 2],
  ])('%s again and again is of class %s after %i attempts', (code, errorClass, attempts) => {
    started();
    host.write('fake/fails.run-enclave', `${code}!\n`);
    host.run('command', 'restart-enclave');
    expect(host.report).toMatchObject({
      enclaves: [],
      observed: true,
      error: { class: errorClass, code, step: 'run' },
    });
    expect(host.count('run-enclave')).toBe(1 + attempts);
    // What is wrong with spec or image is not tried again before it changes; all else is, each minute.
    host.run('follow');
    const lasting = errorClass === 'spec' || errorClass === 'image';
    expect(host.count('run-enclave') > 1 + attempts).toBe(!lasting);
    if (lasting) {
      host.remove('fake/fails.run-enclave');
      host.configure(2);
      host.run('follow');
      expect(host.report).toMatchObject({ appliedGeneration: 2, enclaves: [{ state: 'RUNNING' }] });
      expect(host.report.error).toBeUndefined();
    }
  });

  it.each(['E22', 'E27'])('%s has the pool reserved once more before it counts', (code) => {
    started();
    host.write('fake/fails.run-enclave', `${code}\n`);
    host.run('command', 'restart-enclave');
    expect(host.report.enclaves).toHaveLength(1);
    const restarts = host.read('fake/systemctl.log')?.match(/restart nitro-enclaves-allocator/g);
    expect(restarts).toHaveLength(2);
    host.write('fake/fails.run-enclave', `${code}!\n`);
    host.run('command', 'restart-enclave');
    expect(host.report).toMatchObject({ enclaves: [], error: { class: 'spec', code } });
  });

  it('reports why systemd does not start the unit of the enclave', () => {
    started();
    host.write('fake/refuses-vm', '');
    host.run('command', 'restart-enclave');
    expect(host.report).toMatchObject({ enclaves: [], error: { class: 'transient', code: 'unit', step: 'run' } });
    expect(host.report.error?.message).toContain(
      'systemd did not start enclave-vm.service: Failed to restart enclave-vm.service: Unit is masked.',
    );
    host.remove('fake/refuses-vm');
    host.run('follow');
    expect(host.report.enclaves).toHaveLength(1);
  });

  it('is tried again where a quick restart fails at first', () => {
    started();
    host.write('fake/fails.run-enclave', 'E29\nE36\n');
    host.run('command', 'restart-enclave');
    expect(host.report.enclaves).toHaveLength(1);
    expect(host.count('run-enclave')).toBe(4);
    expect(host.report.error).toBeUndefined();
  });
});

describe.skipIf(missing.length > 0)('a look at the enclave', () => {
  it.each(['E38', 'E39', 'E00'])('that fails with %s says nothing of the enclave, and starts none', (code) => {
    started();
    host.enclaves = [];
    host.write('fake/fails.describe-enclaves', `${code}!\n`);
    for (let turn = 0; turn < 4; turn += 1) host.tick();
    expect(host.report).toMatchObject({
      observed: false,
      enclaves: [],
      error: { class: 'transient', code: 'observe' },
    });
    expect(host.count('run-enclave')).toBe(1);
  });

  it.each(['i-0123456789abcdef0-enc018b1', 'enc018b1'])(
    'is no proof of absence while the socket %s answers, which nitro-cli may not read',
    async (socket) => {
      started();
      const server = createServer().listen(join(host.root, `run/nitro_enclaves/${socket}.sock`));
      try {
        host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, hidden: true }));
        for (let turn = 0; turn < 4; turn += 1) host.tick();
        expect(host.report).toMatchObject({ observed: false, enclaves: [] });
        expect(host.report.error?.message).toContain('socket');
        expect(host.count('run-enclave')).toBe(1);
        host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, hidden: false }));
        host.tick();
        expect(host.report).toMatchObject({ observed: true, enclaves: [{ state: 'RUNNING' }] });
        expect(host.report.error).toBeUndefined();
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    },
  );

  it('that misses it once, as on a loaded host, changes nothing', () => {
    started();
    const written = host.reports.length;
    const { enclaves } = host;
    host.enclaves = [];
    host.tick();
    host.enclaves = enclaves;
    host.tick();
    expect(host.reports).toHaveLength(written);
    expect(host.count('run-enclave')).toBe(1);
  });

  it('reads every spelling of state and flags', () => {
    started();
    host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, State: 'running', Flags: 'None' }));
    host.tick();
    expect(host.report.enclaves).toMatchObject([{ state: 'RUNNING', debug: false }]);
    host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, Flags: 'Debug' }));
    host.tick();
    expect(host.report.enclaves).toMatchObject([{ debug: true, flags: 'Debug' }]);
  });

  it('tells a debug enclave where none is allowed, and claims no measurement of it', () => {
    started();
    const lines = host.log.match(/\[PCR\]/g)?.length;
    host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, Flags: 'DEBUG_MODE' }));
    host.tick();
    expect(host.report).toMatchObject({
      enclaves: [{ debug: true, flags: 'DEBUG_MODE' }],
      error: { class: 'security' },
    });
    expect(host.log).toContain('[ERROR] the enclave runs in debug mode');
    expect(host.log.match(/\[PCR\]/g)).toHaveLength(lines ?? 0);
    // The operator's step.
    expect(host.run('command', 'restart-enclave').status).toBe(0);
    expect(host.report).toMatchObject({ enclaves: [{ debug: false }] });
    host.tick();
    expect(host.report.error).toBeUndefined();
  });

  it('starts debug mode only where the spec asks for it', () => {
    started({ enableDebug: true });
    expect(host.read('fake/nitro-cli.log')).toContain('--debug-mode');
    expect(host.report).toMatchObject({ enclaves: [{ debug: true }] });
    expect(host.report.error).toBeUndefined();
    expect(host.log).not.toContain('[PCR]');
  });

  it.each([
    ['NumberOfCPUs', 4],
    ['MemoryMiB', 1024],
  ])('tells a wrong %s, and a restart puts it right', (field, value) => {
    started();
    host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, [field]: value }));
    host.tick();
    expect(host.report.error).toMatchObject({ class: 'drift' });
    expect(host.report.error?.message).toContain('should have 2 and 2048');
    host.run('command', 'restart-enclave');
    host.tick();
    expect(host.report).toMatchObject({ enclaves: [{ cpuCount: 2, memoryMiB: 2048 }] });
    expect(host.report.error).toBeUndefined();
  });

  it('tells a second enclave that took the name with a suffix, the wanted one first, and a restart leaves one', () => {
    started();
    const [enclave] = host.enclaves;
    host.enclaves = [{ ...enclave, EnclaveName: 'enclave_1', EnclaveID: 'i-1-enc2' }, { ...enclave }];
    host.tick();
    expect(host.report.enclaves.map(({ name }) => name)).toEqual(['enclave', 'enclave_1']);
    expect(host.report.error?.message).toBe('more than one enclave runs: enclave, enclave_1');
    host.run('command', 'restart-enclave');
    expect(host.report.enclaves.map(({ name }) => name)).toEqual(['enclave']);
  });

  it('tells one that has been terminating for more than two minutes', () => {
    started();
    host.enclaves = host.enclaves.map((enclave) => ({ ...enclave, State: 'TERMINATING', left: 99 }));
    host.tick();
    expect(host.report.error).toBeUndefined();
    host.tick(121);
    expect(host.report).toMatchObject({
      enclaves: [{ state: 'TERMINATING' }],
      error: { class: 'host', code: 'stuck' },
    });
  });
});

describe.skipIf(missing.length > 0)('a restart', () => {
  it('waits until the old enclave is gone', () => {
    started();
    host.write('fake/terminating-for', '3');
    host.run('command', 'restart-enclave');
    expect(host.report.enclaves).toMatchObject([{ name: 'enclave', state: 'RUNNING' }]);
  });

  it('gives up on one that does not go, and names the host', () => {
    started();
    host.write('fake/terminating-for', '1000');
    expect(host.run('command', 'restart-enclave').status).toBe(75);
    expect(host.report.error).toMatchObject({ class: 'host', code: 'stuck' });
    expect(host.count('run-enclave')).toBe(1);
  });

  const crash = () => {
    host.enclaves = [];
    host.tick();
    host.tick();
  };

  it('follows a crash after a pause that doubles, until as many came as are allowed', () => {
    started({ backoff: { initialSeconds: 10, maxSeconds: 15, maxRestarts: 2, windowSeconds: 1800 } });
    crash();
    expect(host.report).toMatchObject({ enclaves: [], error: { class: 'workload', code: 'restarting' } });
    expect(host.count('run-enclave')).toBe(1);
    host.tick(10);
    expect(host.report).toMatchObject({ enclaves: [{ state: 'RUNNING' }], restarts: 1 });
    crash();
    host.tick(9);
    expect(host.count('run-enclave')).toBe(2);
    host.tick(6);
    expect(host.count('run-enclave')).toBe(3);
    crash();
    host.tick(1_000);
    expect(host.report).toMatchObject({ enclaves: [], restarts: 2, error: { class: 'workload', code: 'restarts' } });
    // For the operator it is another matter.
    host.run('command', 'restart-enclave');
    expect(host.report).toMatchObject({ enclaves: [{ state: 'RUNNING' }], restarts: 0 });
  });

  it.each([
    ['Never', '', false],
    ['Never', '1\n', false],
    ['OnFailure', '0\n', false],
    ['OnFailure', '1\n', true],
    ['OnFailure', '', true],
    ['Always', '0\n', true],
  ])('by policy %s after the exit status %j: %s', (restartPolicy, status, restarted) => {
    started({ restartPolicy });
    if (status !== '') host.write('run/enclave/exit', status);
    crash();
    host.tick(60);
    expect(host.count('run-enclave')).toBe(restarted ? 2 : 1);
    if (!restarted) expect(host.report).toMatchObject({ enclaves: [], error: { class: 'workload', code: 'ended' } });
  });

  it('does not follow a batch that has completed, nor a reboot after it; a new spec is another batch', () => {
    started({ workloadType: 'batch' });
    expect(host.report.health).toBe('none');
    host.write('run/enclave/exit', '0\n');
    crash();
    expect(host.report).toMatchObject({ completed: true, enclaves: [], exitCode: 0 });
    host.tick(600);
    host.powerCycle();
    host.boot();
    expect(host.report).toMatchObject({ completed: true, enclaves: [], appliedGeneration: 1 });
    expect(host.count('run-enclave')).toBe(1);
    host.configure(2, spec({ workloadType: 'batch', environmentVariables: { ROUND: '2' } }));
    host.run('follow');
    expect(host.report).toMatchObject({ completed: false, enclaves: [{ state: 'RUNNING' }], appliedGeneration: 2 });
  });
});

describe.skipIf(missing.length > 0)('the health check', () => {
  it('asks through the enclave, counts failures after the grace, restarts, and passes again', () => {
    started({ healthCheckPath: '/live?x=$(id)', healthCheckInterval: 10, healthCheck: { failureThreshold: 2 } });
    expect(host.read('fake/probe')).toContain('http://enclave/live?x=$(id)\n');
    expect(host.read('fake/probe')).toContain('health.sock');
    expect(host.read('fake/announced')).toBe('8080\n');
    host.write('fake/health', '500');
    host.tick(10);
    host.tick(10);
    expect(host.report.health).toBe('passing');
    host.advance(120);
    host.tick();
    expect(host.report.health).toBe('passing');
    host.tick(10);
    const failing = host.reports.findLast(({ health }) => health === 'failing');
    expect(failing).toMatchObject({ enclaves: [{ state: 'RUNNING' }], error: { class: 'workload' } });
    host.tick(10);
    expect(host.count('run-enclave')).toBe(2);
    host.write('fake/health', '204');
    host.tick(10);
    expect(host.report).toMatchObject({ health: 'passing', enclaves: [{ state: 'RUNNING' }] });
    expect(host.report.error).toBeUndefined();
  });

  it('restarts nothing by policy Never, and still tells', () => {
    started({ restartPolicy: 'Never', healthCheckInterval: 10, healthCheck: { startupGraceSeconds: 0 } });
    host.write('fake/health', '500');
    for (let turn = 0; turn < 5; turn += 1) host.tick(10);
    expect(host.report).toMatchObject({ health: 'failing', enclaves: [{ state: 'RUNNING' }] });
    expect(host.count('run-enclave')).toBe(1);
  });
});
