/** The app layers of the images: what is in them, and that it starts from nothing but itself. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, IMAGES, type ImageName, stageLayer } from '../../scripts/image-layers.ts';
import type { Package } from '../../scripts/third-party.ts';
import { type App, FAST, startApp } from '../support/app.ts';
import { printLogsOnFailure } from '../support/embedded.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NAMES = Object.keys(IMAGES) as ImageName[];
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const locked: Record<string, { dependencies?: object; optionalDependencies?: object }> = JSON.parse(
  readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
).packages;

/** MPL-2.0 asks for no more than its sources, which are published unchanged. */
const PERMISSIVE = [
  'MIT',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'MPL-2.0',
  'Public Domain',
];

/** Outside the tree, so that no node_modules of ours is found from here. */
const folder = mkdtempSync(join(tmpdir(), 'enclave-images-'));
const layer = (image: ImageName) => join(folder, image);
const program = (image: ImageName) => join(layer(image), 'dist/main.js');
const packages = new Map<ImageName, readonly Package[]>();

const filesOf = (place: string) =>
  readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(place, join(parentPath, name)))
    .sort();
const states = (place: string) => filesOf(place).map((file) => `${file} ${statSync(join(place, file)).mtimeMs}`);

/** With nothing in the environment but what is given, in a folder that is not the layer's. */
function start(image: ImageName, args: readonly string[] = [], env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [program(image), ...args], { cwd: folder, env, encoding: 'utf8' });
}

function makeReadOnly(place: string): void {
  for (const entry of readdirSync(place, { withFileTypes: true })) {
    const path = join(place, entry.name);
    if (entry.isDirectory()) makeReadOnly(path);
    else chmodSync(path, 0o444);
  }
  chmodSync(place, 0o555);
}

beforeAll(async () => {
  for (const image of NAMES) {
    packages.set(image, await stageLayer(image, layer(image)));
    makeReadOnly(layer(image));
  }
});
afterAll(() => {
  for (const image of NAMES) {
    for (const entry of readdirSync(layer(image), { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
    }
    chmodSync(layer(image), 0o755);
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Names of all packages the given ones lead to, by the lock file; nested copies count under their own names. */
function closure(roots: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const [path, { dependencies, optionalDependencies }] of Object.entries(locked)) {
      if (path !== `node_modules/${name}` && !path.endsWith(`/node_modules/${name}`)) continue;
      for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next);
    }
  };
  for (const root of roots) visit(root);
  return seen;
}

describe.each(NAMES)('the layer of the %s', (image) => {
  const text = () =>
    filesOf(layer(image))
      .map((file) => readFileSync(join(layer(image), file), 'utf8'))
      .join('\n');

  it('holds built code, its licences and what it reads, and nothing of how it was built', () => {
    for (const file of filesOf(layer(image))) {
      expect(file).toMatch(
        /^(dist\/[\w-]+\.js|package\.json|LICENSE|THIRD-PARTY\.txt|runner\/terraform\/.+|infra\/host\/bootstrap\/.+)$/,
      );
    }
    expect(text()).not.toContain(ROOT);
    expect(JSON.parse(readFileSync(join(layer(image), 'package.json'), 'utf8'))).toEqual({
      name: 'enclave-operator',
      version: manifest.version,
      license: 'Apache-2.0',
      type: 'module',
    });
  });

  it('names every package of others that is in it, with its licence, which must be a permissive one', () => {
    const notices = readFileSync(join(layer(image), 'THIRD-PARTY.txt'), 'utf8');
    expect(packages.get(image)?.length).toBeGreaterThan(20);
    for (const { name, version, license } of packages.get(image) ?? []) {
      expect(notices).toContain(`${name} ${version} (${license})`);
      expect(PERMISSIVE, `${name}: ${license}`).toContain(license);
    }
  });

  it("is the same whenever it is built, and readable by the image's user whatever the builder's umask", async () => {
    const again = join(folder, `${image}-again`);
    const umask = process.umask(0o077);
    await stageLayer(image, again).finally(() => process.umask(umask));
    for (const entry of readdirSync(again, { recursive: true, withFileTypes: true })) {
      const { mode } = statSync(join(entry.parentPath, entry.name));
      expect(mode & 0o777, entry.name).toBe(entry.isDirectory() ? 0o755 : 0o644);
    }
    expect(filesOf(again)).toEqual(filesOf(layer(image)));
    for (const file of filesOf(again)) {
      expect(readFileSync(join(again, file)).equals(readFileSync(join(layer(image), file))), file).toBe(true);
    }
  });
});

describe("the operator's layer", () => {
  it("holds the operator's dependencies only: no bindings of the provider, no synthesis, no workflow engine", () => {
    const allowed = closure(Object.keys(manifest.dependencies));
    const names = packages.get('operator')?.map(({ name }) => name) ?? [];
    for (const name of names) expect(allowed.has(name), name).toBe(true);
    for (const name of ['@cdktf/provider-aws', 'cdktf', 'constructs', 'aws-local-stepfunctions', 'vitest']) {
      expect(names).not.toContain(name);
    }
    expect(names).toContain('xstate');
    const code = filesOf(join(layer('operator'), 'dist')).map((file) =>
      readFileSync(join(layer('operator'), 'dist', file), 'utf8'),
    );
    for (const text of code) expect(text).not.toMatch(/TerraformStack|overrideLogicalId|addOverride/);
  });

  it('tells its version and its commands', () => {
    expect(start('operator', ['--version'])).toMatchObject({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
    const { status, stdout } = start('operator', ['--help']);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('enclavectl') });
  });

  it('names what is wrong with its configuration', () => {
    const env = { ENCLAVE_OPERATOR_REGION: 'nowhere', ENCLAVE_OPERATOR_SWEEP_MS: 'soon' };
    const { status, stderr, stdout } = start('operator', ['operator', 'run'], env);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('ENCLAVE_OPERATOR_SWEEP_MS');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('says what the local stack lacks here', () => {
    const { status, stderr } = start('operator', ['local', '--port', '0']);
    expect(status).not.toBe(0);
    expect(stderr).toContain('no database');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe("the runner's layer", () => {
  it('names every variable that is missing', () => {
    const { status, stderr, stdout } = start('runner');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    for (const name of ['ACTION', 'RUN', 'STATE_TABLE', 'HISTORY_TABLE', 'RUNNER_ENGINE', 'AWS_REGION']) {
      expect(stderr).toContain(name);
    }
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('holds the classes of the provider that the enclave stack is made of, and no others', () => {
    const imported = readFileSync(join(ROOT, 'infra/enclave/cdk.ts'), 'utf8').matchAll(
      /provider-aws\/lib\/([\w-]+)\//g,
    );
    const wanted = [...imported]
      .map(([, name = '']) => `aws_${name.replaceAll('-', '_')}`)
      .filter((type) => type !== 'aws_provider');
    const code = filesOf(join(layer('runner'), 'dist')).map((file) =>
      readFileSync(join(layer('runner'), 'dist', file), 'utf8'),
    );
    const held = [...code.join('\n').matchAll(/tfResourceType = "(aws_\w+)"/g)].map(([, type = '']) => type);
    expect(held.filter((type) => type.startsWith('aws_')).sort()).toEqual(wanted.sort());
    expect(held).toContain('aws_instance');
  });

  it('synthesizes an enclave byte by byte as the packages do', async () => {
    const source = join(ROOT, 'test/support/synthesize-enclave.ts');
    await bundle(source, join(folder, 'synthesis/dist'));
    for (const file of IMAGES.runner.files)
      cpSync(join(layer('runner'), file), join(folder, 'synthesis', file), { recursive: true });
    const synthesize = (file: string, out: string) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [file, out], {
        cwd: folder,
        env: {},
        encoding: 'utf8',
      });
      expect({ status, stderr }).toMatchObject({ status: 0, stderr: '' });
      return ['cdk.tf.json', 'terraform.tfvars.json'].map((each) => readFileSync(join(stdout, each), 'utf8'));
    };
    const [stack = '', values = ''] = synthesize(join(folder, 'synthesis/dist/main.js'), join(folder, 'out-bundled'));
    expect(JSON.parse(stack).resource.aws_instance).toHaveProperty('enclave_instance');
    expect(values).toContain('base64 -d');
    expect([stack, values]).toEqual(synthesize(source, join(folder, 'out-packages')));
  });
});

const database = existsSync(join(ROOT, 'node_modules/@dynoxide/linux-x64/dynoxide'));
if (!database && process.env.CI) throw new Error('the images: the database of @dynoxide/linux-x64 is missing');
const skipped = database ? '' : ' (skipped: no database binary for this platform)';

describe.skipIf(!database)(`at work${skipped}`, () => {
  it('operator and runner bring a record to DEPLOYED and to DESTROYED, and write nothing to their layers', async () => {
    const before = NAMES.map((image) => states(layer(image)));
    const app: App = await startApp({ withOperator: false, aws: { taskProgram: program('runner') } });
    printLogsOnFailure(app.embedded);
    let output = '';
    const operator = spawn(process.execPath, [program('operator'), 'operator', 'run'], {
      cwd: folder,
      env: {
        ...app.embedded.env,
        ...FAST,
        LOG_FORMAT: 'pretty',
        ENCLAVE_OPERATOR_HTTP_HOST: '127.0.0.1',
        ENCLAVE_OPERATOR_HTTP_PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const gone = once(operator, 'exit');
    for (const stream of [operator.stdout, operator.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    try {
      await app.post('enc_image');
      const deployed = await app.until('enc_image', 'DEPLOYED');
      expect(deployed.instance_id).toMatch(/^i-/);
      await app.patch('enc_image', 'PENDING_DESTROY');
      await app.until('enc_image', 'DESTROYED');
      expect(output).toMatch(/INFO: operator started/);
      operator.kill('SIGTERM');
      expect(await gone, output).toEqual([0, null]);
    } finally {
      operator.kill('SIGKILL');
      await gone;
      await app.embedded.stop();
    }
    expect(NAMES.map((image) => states(layer(image)))).toEqual(before);
  });
});
