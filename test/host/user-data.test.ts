/** User data and bundle of a host: constant, small, verified, and no place for anything hostile. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentBundle, USER_DATA_LIMIT, type UserDataOptions, userData } from '../../infra/host/index.ts';

const bundle = agentBundle();
const options: UserDataOptions = {
  enclaveId: 'enc_1755986905612_ouocac870',
  region: 'us-west-2',
  configurationBucket: 'treza-dev-hosts',
  configurationKey: 'enclaves/enc_1755986905612_ouocac870/configuration.json',
  agentBucket: 'treza-dev-hosts',
  agentKey: bundle.key,
  agentSha256: bundle.sha256,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'enclave-user-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the user data as cloud-init would, with every path below a folder of its own. */
function boot(text: string): string {
  const root = join(folder, 'root');
  for (const path of ['etc/systemd/system', 'usr/local', 'var/log', 'fakes']) {
    mkdirSync(join(root, path), { recursive: true });
  }
  fake(root, 'systemctl', `echo "$@" >>${root}/systemctl.log`);
  const here = text.replaceAll(/ (\/(etc|usr|var)\/)/g, ` ${root}$1`).replaceAll(' >/', ` >${root}/`);
  const result = spawnSync('bash', ['--norc', '-c', here], { env: { PATH: `${root}/fakes:${process.env.PATH}` } });
  expect(result.stderr.toString()).toBe('');
  expect(result.status).toBe(0);
  return root;
}

function fake(root: string, name: string, body: string): void {
  writeFileSync(join(root, 'fakes', name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
}

function fetchAgent(root: string, bytes: Uint8Array) {
  writeFileSync(join(root, 'bundle'), bytes);
  fake(root, 'aws', `echo "$@" >>${root}/aws.log\ncp ${root}/bundle "\${@: -1}"`);
  const host = Object.fromEntries(
    readFileSync(join(root, 'etc/enclave/host.env'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]),
  );
  return spawnSync(join(root, 'usr/local/libexec/enclave-bootstrap'), [], {
    env: { ...host, ENCLAVE_ROOT: root, PATH: `${root}/fakes:${process.env.PATH}` },
    encoding: 'utf8',
  });
}

describe('user data', () => {
  it('is far smaller than EC2 allows, and holds nothing that Terraform takes for a template', () => {
    const text = userData(options);
    expect(Buffer.byteLength(text)).toBeLessThan(USER_DATA_LIMIT);
    expect(text).not.toMatch(/[$%]\{/);
    expect(userData({ ...options })).toBe(text);
  });

  it('stays below the limit with the longest values there are', () => {
    const text = userData({
      ...options,
      enclaveId: 'e'.repeat(63),
      configurationBucket: 'b'.repeat(63),
      configurationKey: 'k'.repeat(512),
      agentBucket: 'b'.repeat(63),
      agentKey: 'k'.repeat(512),
    });
    expect(Buffer.byteLength(text)).toBeLessThan(USER_DATA_LIMIT);
  });

  it.each([
    ['enclaveId', 'a;reboot'],
    ['enclaveId', 'a\nREGION=x'],
    ['region', 'us-west-2 $(id)'],
    ['configurationBucket', 'Bucket'],
    ['configurationKey', 'enclaves/$' + '{x}/configuration.json'],
    ['agentBucket', '-b'],
    ['agentKey', 'a b'],
    ['agentSha256', 'A'.repeat(64)],
  ] as const)('refuses %s = %j by name', (field, value) => {
    expect(() => userData({ ...options, [field]: value })).toThrow(`user data: ${field} must match`);
  });

  it('writes the unit that fetches the agent, starts it without waiting, and does nothing else', () => {
    const root = boot(userData(options));
    expect(readFileSync(join(root, 'etc/enclave/host.env'), 'utf8').split('\n')).toContain(
      `ENCLAVE_ID=${options.enclaveId}`,
    );
    expect(readFileSync(join(root, 'systemctl.log'), 'utf8')).toBe(
      'daemon-reload\nenable --now --no-block enclave-bootstrap.service\n',
    );
    expect(existsSync(join(root, 'usr/local/lib/enclave-agent'))).toBe(false);
  });
});

describe('the bootstrap', () => {
  it('fetches the bundle by its digest, installs the units, and does not need S3 again', () => {
    const root = boot(userData(options));
    const { status, stderr } = fetchAgent(root, bundle.bytes);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readlinkSync(join(root, 'usr/local/lib/enclave-agent/current'))).toBe(bundle.sha256);
    expect(existsSync(join(root, 'etc/systemd/system/enclave.target'))).toBe(true);
    expect(readFileSync(join(root, 'systemctl.log'), 'utf8')).toContain('start --no-block enclave.target');
    fake(root, 'aws', 'exit 255');
    const again = spawnSync(join(root, 'usr/local/libexec/enclave-bootstrap'), [], {
      env: { AGENT_SHA256: bundle.sha256, ENCLAVE_ROOT: root, PATH: `${root}/fakes:${process.env.PATH}` },
    });
    expect(again.status).toBe(0);
  });

  it('takes no bundle of another digest, and leaves nothing of it', () => {
    const root = boot(userData(options));
    const { status, stderr } = fetchAgent(root, Buffer.concat([bundle.bytes, Buffer.from('x')]));
    expect(status).not.toBe(0);
    expect(stderr).toContain('did NOT match');
    expect(existsSync(join(root, 'usr/local/lib/enclave-agent', bundle.sha256))).toBe(false);
    expect(existsSync(join(root, 'usr/local/lib/enclave-agent/current'))).toBe(false);
  });
});

describe('the bundle', () => {
  it('is the same each time, and is named by its digest', () => {
    expect(agentBundle().bytes).toEqual(bundle.bytes);
    expect(createHash('sha256').update(bundle.bytes).digest('hex')).toBe(bundle.sha256);
    expect(bundle.key).toBe(`agents/${bundle.sha256}.tar.gz`);
    expect(bundle.version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
