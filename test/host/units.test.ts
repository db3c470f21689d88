/** The agent's scripts and units as such: shellcheck, systemd's own verdict, the order of a boot, the SSM documents. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HOST_COMMANDS, ssmDocument, ssmDocumentName } from '../../infra/host/index.ts';
import { hostToolsMissing, TestHost } from '../support/host.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const AGENT = join(root, 'infra/host/agent');
const unit = (name: string) => readFileSync(join(AGENT, 'units', name), 'utf8');

const noShellcheck = hostToolsMissing(['shellcheck']);
const noSystemd = hostToolsMissing(['systemd-analyze']);
const noTools = hostToolsMissing();

describe('the scripts', () => {
  it.skipIf(noShellcheck.length > 0)('give shellcheck nothing to say', () => {
    const scripts = [
      'infra/host/bootstrap/bootstrap',
      ...readdirSync(join(AGENT, 'bin')).map((name) => `infra/host/agent/bin/${name}`),
      'infra/host/agent/inside/init',
      'infra/host/agent/inside/inbound',
      ...readdirSync(join(root, 'test/host/fakes')).map((name) => `test/host/fakes/${name}`),
      'test/support/systemd-namespace.sh',
    ];
    const { stdout, status } = spawnSync('shellcheck', ['-x', '-P', root, ...scripts], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
    expect(scripts.length).toBeGreaterThan(20);
  });

  it('never evaluate text', () => {
    for (const folder of ['bin', 'lib', 'inside']) {
      for (const name of readdirSync(join(AGENT, folder))) {
        expect(readFileSync(join(AGENT, folder, name), 'utf8')).not.toMatch(/\beval\b|\b(ba)?sh -c\b/);
      }
    }
  });
});

describe('the units', () => {
  it.skipIf(noSystemd.length > 0)('satisfy systemd', () => {
    const folder = mkdtempSync(join(tmpdir(), 'enclave-units-'));
    try {
      mkdirSync(join(folder, 'units'));
      const here = (text: string) =>
        text
          .replaceAll('/usr/local/lib/enclave-agent/current', AGENT)
          .replaceAll('/usr/local/libexec/enclave-bootstrap', join(root, 'infra/host/bootstrap/bootstrap'))
          .replaceAll('/usr/bin/vsock-proxy', '/bin/true')
          .replaceAll('/usr/bin/socat', '/bin/true');
      const bootstrap = join(root, 'infra/host/bootstrap/enclave-bootstrap.service');
      const files = [...readdirSync(join(AGENT, 'units')).map((name) => join(AGENT, 'units', name)), bootstrap];
      const names = files.map((file) => {
        const name = file.slice(file.lastIndexOf('/') + 1);
        writeFileSync(join(folder, 'units', name), here(readFileSync(file, 'utf8')));
        return join(folder, 'units', name.replace('@.', '@8000.'));
      });
      const { stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', ...names], {
        env: { ...process.env, SYSTEMD_UNIT_PATH: `${join(folder, 'units')}:` },
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('come up in order: configuration, allocator, image, proxies, enclave, and then who looks and reports', () => {
    const order = [
      'enclave-packages.service',
      'enclave-configuration.service',
      'enclave-allocator.service',
      'enclave-image.service',
      'enclave-proxies.service',
      'enclave-run.service',
      'enclave-report.timer',
    ];
    for (const [index, name] of order.entries()) {
      expect(unit('enclave.target')).toMatch(new RegExp(`^Wants=.*\\b${name.replace('.', '\\.')}`, 'm'));
      if (index > 0) expect(unit(name)).toMatch(new RegExp(`^After=.*\\b${order[index - 1]}`, 'm'));
    }
    for (const name of ['enclave-watch.timer', 'enclave-follow.timer'])
      expect(unit(name)).toContain('After=enclave-run.service');
    // Memory is reserved before containers take pieces of it.
    expect(unit('enclave-allocator.service')).toContain('Before=docker.service');
    expect(unit('enclave-report.timer')).toContain('OnUnitInactiveSec=5min');
  });

  it('retry by themselves, except after permanent errors', () => {
    for (const name of ['packages', 'logs', 'configuration', 'allocator', 'image']) {
      expect(unit(`enclave-${name}.service`)).toContain('Restart=on-failure');
      expect(unit(`enclave-${name}.service`)).toContain('StartLimitIntervalSec=0');
    }
    expect(unit('enclave-image.service')).toContain('RestartPreventExitStatus=65');
    for (const name of ['egress@', 'ingress@', 'health', 'output', 'status', 'credentials']) {
      expect(unit(`enclave-${name}.service`)).toContain('Restart=always');
    }
  });

  it('keep the way out from the metadata service, whatever a name resolves to', () => {
    const egress = unit('enclave-egress@.service');
    expect(egress).toMatch(/^IPAddressDeny=.*169\.254\.169\.254\/32 .*fd00:ec2::254\/128 .*localhost$/m);
    expect(egress).toContain('DynamicUser=yes');
  });
});

describe.skipIf(noTools.length > 0)('the logs', () => {
  it('of bootstrap, agent and workload go to the log group of the enclave', () => {
    const host = new TestHost();
    try {
      expect(host.run('ship-logs').status).toBe(0);
      expect(host.json('etc/enclave/cloudwatch.json')).toMatchObject({
        agent: { region: 'us-west-2' },
        logs: {
          logs_collected: {
            files: {
              collect_list: ['bootstrap', 'agent', 'workload'].map((name) => ({
                file_path: join(host.root, `var/log/enclave/${name}.log`),
                log_group_name: '/aws/ec2/enclave/enc_1',
                log_stream_name: `{instance_id}/${name}`,
              })),
            },
          },
        },
      });
      expect(host.read('fake/cloudwatch.log')).toContain(`file:${host.root}/etc/enclave/cloudwatch.json`);
    } finally {
      host.dispose();
    }
  });

  it('go to the region of the host, whichever that is', () => {
    const host = new TestHost();
    try {
      host.write(
        'etc/enclave/host.env',
        String(host.read('etc/enclave/host.env')).replace('us-west-2', 'eu-central-1'),
      );
      expect(host.run('ship-logs').status).toBe(0);
      expect(host.json('etc/enclave/cloudwatch.json')).toMatchObject({ agent: { region: 'eu-central-1' } });
    } finally {
      host.dispose();
    }
  });
});

describe('the SSM documents', () => {
  it.each(HOST_COMMANDS)('%s: one fixed line, and no parameter', (command) => {
    const document = ssmDocument(command);
    expect(document).not.toHaveProperty('parameters');
    expect(JSON.stringify(document)).not.toContain('{{');
    expect(document.mainSteps[0].inputs.runCommand).toEqual([
      `/usr/local/lib/enclave-agent/current/bin/command ${command}`,
    ]);
    expect(ssmDocumentName('treza-dev', command)).toBe(`treza-dev-${command}`);
  });

  it.skipIf(noTools.length > 0)('name nothing the host does not know, and the host knows nothing else', () => {
    const host = new TestHost();
    try {
      for (const command of HOST_COMMANDS) expect(host.run('command', command).status).not.toBe(65);
      expect(host.run('command', 'restart-enclave; id').status).toBe(65);
      expect(host.run('command').status).toBe(65);
    } finally {
      host.dispose();
    }
  });
});
