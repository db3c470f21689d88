/** The package as npm packs it: installed elsewhere, it works; on a Node too old, it says so. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'bin', 'enclavectl.js');
const { version, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Without what npm tells its scripts: the npm below must not take this project for its own. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_OPTIONS$|VITEST)/i.test(name)),
);

function run(command: string, args: readonly string[], options: { cwd?: string; env?: object; input?: string } = {}) {
  const { cwd = root, input = '' } = options;
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    input,
    encoding: 'utf8',
    env: { ...env, ...options.env } as NodeJS.ProcessEnv,
  });
  return { status, stdout, stderr };
}

describe('the package', () => {
  let folder: string;
  let installed: string;
  const enclavectl = (args: readonly string[], options: { input?: string; env?: object } = {}) =>
    run(join(folder, 'node_modules', '.bin', 'enclavectl'), args, {
      cwd: folder,
      ...options,
      // The launcher looks for `node` on the PATH: it finds the one that runs this test.
      env: { PATH: [dirname(process.execPath), env.PATH].join(delimiter), ...options.env },
    });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'enclave-operator-package-'));
    const packed = run('npm', ['pack', '--pack-destination', folder]);
    expect(packed.stderr + packed.stdout).toContain('.tgz');
    expect(packed.status).toBe(0);
    writeFileSync(join(folder, 'package.json'), '{"private": true}');
    const [tarball = ''] = globSync('*.tgz', { cwd: folder });
    const flags = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    const { status, stderr } = run('npm', ['install', `./${tarball}`, ...flags], { cwd: folder });
    expect(stderr).not.toMatch(/npm error/);
    expect(status).toBe(0);
    installed = join(folder, 'node_modules', 'enclave-operator');
  }, 300_000);

  it('carries the built program, the examples and the licence, and neither sources nor tests', () => {
    for (const file of [
      'dist/src/cli/main.js',
      'dist/src/cli/main.d.ts',
      'bin/enclavectl.js',
      'LICENSE',
      'README.md',
    ]) {
      expect([file, existsSync(join(installed, file))]).toEqual([file, true]);
    }
    expect(globSync('examples/*.yaml', { cwd: installed })).toHaveLength(5);
    expect(globSync('{src,test,runner,infra,scripts}', { cwd: installed })).toEqual([]);
    expect(globSync('dist/**/*.ts', { cwd: installed }).filter((file) => !file.endsWith('.d.ts'))).toEqual([]);
  });

  it('validates a record', () => {
    const good = enclavectl(['validate', '-f', join(installed, 'examples', 'service.yaml'), '-o', 'json']);
    expect(good.stderr).toBe('');
    expect(JSON.parse(good.stdout)).toMatchObject([{ id: 'enc_1760000000001_service', valid: true }]);
    expect(good.status).toBe(0);
    expect(enclavectl(['validate', '-f', '-'], { input: 'id: no spaces please' }).status).toBe(1);
  });

  it('knows its version, and loads every part of itself', () => {
    expect(enclavectl(['--version']).stdout).toBe(`${version}\n`);
    const parts = ['reconciler/operator', 'aws/index', 'local/stack'];
    for (const part of parts) {
      const url = new URL(`dist/src/${part}.js`, `file://${realpathSync(installed)}/`).href;
      const { status, stderr } = run(process.execPath, ['--input-type=module', '-e', `await import('${url}')`]);
      expect([part, status, stderr]).toEqual([part, 0, '']);
    }
  });

  it('refuses to run the operator with a wrong configuration, before it touches AWS', () => {
    const { status, stderr } = enclavectl(['operator', 'run'], { env: { ENCLAVE_OPERATOR_MAX_RUN: '3' } });
    expect(status).toBe(2);
    expect(stderr).toContain('did you mean ENCLAVE_OPERATOR_MAX_RUNS?');
  });
});

describe('a Node that is too old', () => {
  const tooOld =
    /^enclavectl: Node v\d+\.\d+\.\d+ is too old: install Node 22\.18 or newer \(https:\/\/nodejs\.org\)\.\n$/;

  it('is told of by one line that names the version package.json demands', () => {
    expect(engines.node).toBe('>=22.18');
    const folder = mkdtempSync(join(tmpdir(), 'old-node-'));
    for (const [pretended, refused] of [
      ['v8.17.0', true],
      ['v20.20.2', true],
      ['v22.17.1', true],
      ['v22.18.0', false],
      ['v24.0.0', false],
    ] as const) {
      const shim = join(folder, 'shim.cjs');
      writeFileSync(shim, `Object.defineProperty(process, 'version', { value: '${pretended}' });`);
      const { status, stdout, stderr } = run(process.execPath, ['--require', shim, bin, '--version']);
      if (refused) expect(stderr).toMatch(tooOld);
      expect([pretended, status, stdout]).toEqual([pretended, refused ? 2 : 0, refused ? '' : `${version}\n`]);
    }
  });

  // Real ones, where this machine has any: the launcher must also parse there.
  const found = new Set(
    (process.env.PATH ?? '')
      .split(delimiter)
      .map((folder) => join(folder, 'node'))
      .filter((node) => existsSync(node))
      .map((node) => realpathSync(node)),
  );
  for (const node of found) {
    const { stdout } = run(node, ['--version']);
    const [major = 0, minor = 0] = stdout.replace('v', '').split('.').map(Number);
    if (major > 22 || (major === 22 && minor >= 18)) continue;
    it(`is told of by a real one: ${stdout.trim()}`, () => {
      const { status, stdout: out, stderr } = run(node, [bin, 'get']);
      expect([status, out]).toEqual([2, '']);
      expect(stderr).toMatch(tooOld);
    });
  }
});
