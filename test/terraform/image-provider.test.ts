/** The lock file of the runner's image holds Terraform to the genuine provider, read-only. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProviderMirror, PROVIDER_VERSION, writeCliConfig } from '../../infra/enclave/provider-mirror.ts';
import { requireTools } from '../support/emulator.ts';

const SHIPPED = fileURLToPath(new URL('../../runner/terraform/', import.meta.url));
const LOCK = '.terraform.lock.hcl';
const isX64Linux = process.platform === 'linux' && process.arch === 'x64';
const reason = isX64Linux ? '' : ' (skipped: the image is for Linux on x64)';

it('names the version the bindings are generated from', () => {
  for (const file of [LOCK, 'versions.tf']) {
    expect(readFileSync(join(SHIPPED, file), 'utf8')).toMatch(new RegExp(`\\bversion\\s+= "${PROVIDER_VERSION}"`));
  }
});

describe.skipIf(!isX64Linux || !requireTools('the provider of the image'))(`the provider of the image${reason}`, () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'enclave-image-provider-'));
    cpSync(SHIPPED, folder, { recursive: true });
    writeCliConfig(join(folder, 'mirror.rc'), findProviderMirror(process.env));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const init = () =>
    spawnSync('terraform', ['init', '-input=false', '-no-color', '-lockfile=readonly'], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TF_CLI_CONFIG_FILE: join(folder, 'mirror.rc'), CHECKPOINT_DISABLE: '1' },
    });

  it('is the one the lock file names', () => {
    const { status, stderr } = init();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(readFileSync(join(folder, LOCK), 'utf8')).toBe(readFileSync(join(SHIPPED, LOCK), 'utf8'));
  });

  it('is refused where its hash is another', () => {
    const lock = readFileSync(join(folder, LOCK), 'utf8');
    const other = lock.replace(/"h1:.{4}/, '"h1:AAAA');
    expect(other).not.toBe(lock);
    writeFileSync(join(folder, LOCK), other);
    const { status, stderr } = init();
    expect(status).toBe(1);
    expect(stderr).toMatch(/checksums/);
  });
});
