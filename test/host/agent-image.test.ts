/** The enclave's image on its host: digest, logins, exact arguments, secrets by reference, one build, a ready EIF. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asRoot, hostToolsMissing, runAsRoot, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
const privileged = asRoot();
const DIGEST = `sha256:${'d'.repeat(64)}`;
let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());

/** Runs the image step for a configuration; `bin/report` tells what came of it. */
function build(providerConfig: object = {}, generation = 1, extra: object = {}): number | null {
  host.configure(generation, spec(providerConfig), extra);
  host.run('follow', '--fetch');
  const { status } = host.run('image');
  host.run('report');
  return status;
}

const list = (name: string) => (host.read(`fake/context/enclave/${name}`) ?? '').split('\0').slice(0, -1);
const dockerLog = () => (host.read('fake/docker.log') ?? '').split('\n');
const pulls = () => dockerLog().filter((line) => line.startsWith('pull'));

describe.skipIf(missing.length > 0)('the composite image', () => {
  it('keeps entrypoint, command and environment as they are: quotes, spaces, newlines, templates', () => {
    const entrypoint = ['nginx', '-g', 'daemon off;', 'it\'s "quoted"', '$(id)', '`id`', 'a\nb', '', 'ü'];
    host.image({
      Entrypoint: entrypoint,
      Cmd: ['--x=${HOME}'],
      Env: ['FROM_IMAGE=a=b c', 'LOG_LEVEL=debug'],
      WorkingDir: '/a b',
    });
    const hostile = '$(touch /tmp/x); `id` "\'\\ %{x} ${x}\nRUN id';
    expect(build({ environmentVariables: { LOG_LEVEL: 'info', HOSTILE: hostile } })).toBe(0);
    expect(list('arguments')).toEqual([...entrypoint, '--x=${HOME}']);
    expect(list('environment')).toEqual(
      expect.arrayContaining(['FROM_IMAGE=a=b c', 'LOG_LEVEL=info', `HOSTILE=${hostile}`, 'AWS_REGION=us-west-2']),
    );
    expect(list('environment')).not.toContain('LOG_LEVEL=debug');
    expect(host.read('fake/context/enclave/directory')).toBe('/a b\n');
    // The build file is the same whatever the spec.
    const constant = fileURLToPath(new URL('../../infra/host/agent/inside/Dockerfile', import.meta.url));
    expect(host.read('fake/context/Dockerfile')).toBe(readFileSync(constant, 'utf8'));
  });

  it('takes no variable whose name could be an option or an assignment of its own', () => {
    host.configure(1, { ...spec(), environmentVariables: { '-S rm': 'x', 'A=B': 'x', '': 'x', GOOD: 'y' } });
    host.run('follow', '--fetch');
    expect(host.run('image').status).toBe(0);
    expect(list('environment').filter((entry) => entry.endsWith('=x'))).toEqual([]);
    expect(list('environment')).toContain('GOOD=y');
  });

  it('brings the environment to no log, no argument and no report', () => {
    const value = 'k9-quite-confidential';
    host.bootWith(spec({ environmentVariables: { MODE: value } }));
    TestHost.forgetBooted();
    expect(list('environment')).toContain(`MODE=${value}`);
    for (const file of ['var/log/enclave/agent.log', 'fake/docker.log', 'fake/nitro-cli.log', 'fake/systemctl.log']) {
      expect(host.read(file)).not.toContain(value);
    }
    expect(JSON.stringify(host.reports)).not.toContain(value);
  });

  it('has secrets as ciphertext or as a reference', () => {
    const secretArn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:token-AbCdEf';
    host.write('fake/s3/my-bucket/key.bin', Buffer.from([0, 255, 10, 1]));
    host.write('fake/secrets/unused', '');
    expect(
      build({
        secrets: [
          { name: 'SIGNING_KEY', kmsCiphertextUri: 's3://my-bucket/key.bin' },
          { name: 'TOKEN', secretArn },
        ],
      }),
    ).toBe(0);
    expect(list('environment')).toEqual(
      expect.arrayContaining(['SIGNING_KEY_CIPHERTEXT=AP8KAQ==', `TOKEN_ARN=${secretArn}`]),
    );
    expect(build({ secrets: [{ name: 'GONE', kmsCiphertextUri: 's3://my-bucket/gone' }] }, 2)).toBe(75);
    expect(host.report.error).toMatchObject({ class: 'transient', code: 'secret' });
  });

  it.each([
    { name: 'X', kmsCiphertextUri: '/etc/shadow' },
    { name: 'x y', secretArn: 'arn:aws:ssm:us-west-2:1:parameter/a' },
  ])('reads no file of the host for a secret: %j', (secret) => {
    host.configure(1, { ...spec(), secrets: [secret] });
    host.run('follow', '--fetch');
    expect(host.run('image').status).toBe(65);
    host.run('report');
    expect(host.report.error).toMatchObject({ class: 'spec', code: 'secrets' });
  });

  it('has its tag resolved once; another build of the tag changes nothing', () => {
    expect(build()).toBe(0);
    expect(host.report.imageDigest).toBe(DIGEST);
    expect(pulls()).toEqual(['pull --quiet ghcr.io/acme/signer:1.4.2', `pull --quiet ghcr.io/acme/signer@${DIGEST}`]);
    host.write(
      'fake/image.json',
      JSON.stringify([{ RepoDigests: [`ghcr.io/acme/signer@sha256:${'e'.repeat(64)}`], Config: { Cmd: ['x'] } }]),
    );
    expect(build({ environmentVariables: { A: '1' } }, 2)).toBe(0);
    expect(host.report.imageDigest).toBe(DIGEST);
    expect(pulls().at(-1)).toBe(`pull --quiet ghcr.io/acme/signer@${DIGEST}`);
  });

  it('is pulled by the digest that the operator has pinned, or that the reference names', () => {
    const pinned = `sha256:${'a'.repeat(64)}`;
    expect(build({}, 1, { imageDigest: pinned })).toBe(0);
    expect(pulls()).toEqual([`pull --quiet ghcr.io/acme/signer@${pinned}`]);
    const named = `sha256:${'b'.repeat(64)}`;
    expect(build({ dockerImage: `localhost:5000/a/b:1@${named}` }, 2)).toBe(0);
    expect(pulls().at(-1)).toBe(`pull --quiet localhost:5000/a/b@${named}`);
  });

  it('is built once for one content, and again for each other', () => {
    build();
    const first = host.report.measurements;
    build({ memoryMiB: 4096, healthCheckPath: '/x' }, 2);
    expect(host.count('build-enclave')).toBe(1);
    build({ environmentVariables: { A: '1' } }, 3);
    expect(host.count('build-enclave')).toBe(2);
    expect(host.report.measurements.PCR0).not.toBe(first.PCR0);
    build({}, 4);
    expect(host.count('build-enclave')).toBe(2);
    expect(host.report.measurements).toEqual(first);
  });

  it("logs in to ECR with a password that is nobody else's to see", () => {
    expect(build({ dockerImage: '111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1' })).toBe(0);
    expect(dockerLog()).toContain('login --username AWS --password-stdin 111122223333.dkr.ecr.eu-west-1.amazonaws.com');
    expect(host.read('fake/password')).toBe('ecr-password\n');
    expect(host.read('run/enclave/docker/config.json')).toBeUndefined();
    expect(host.log).not.toContain('ecr-password');
  });

  it('logs in to another registry with what the secret says, and tells what is wrong with it', () => {
    const registryCredentialsArn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:registry-AbCdEf';
    const kept = `fake/secrets/${registryCredentialsArn.replaceAll(/[:/]/g, '_')}`;
    expect(build({ registryCredentialsArn })).toBe(75);
    expect(host.report.error).toMatchObject({ class: 'transient', code: 'registry' });
    host.write(kept, 'a password, and no user');
    expect(build({ registryCredentialsArn }, 2)).toBe(65);
    expect(host.report.error).toMatchObject({ class: 'spec', code: 'registry' });
    host.write(kept, JSON.stringify({ username: '--config=/x', password: 'pass $word' }));
    expect(build({ registryCredentialsArn }, 3)).toBe(0);
    expect(dockerLog()).toContain('login --username=--config=/x --password-stdin ghcr.io');
    expect(host.read('fake/password')).toBe('pass $word');
    expect(host.log + host.read('fake/docker.log')).not.toContain('pass $word');
    host.write('fake/login-refused', '');
    expect(build({ registryCredentialsArn, environmentVariables: { A: '1' } }, 4)).toBe(75);
    expect(host.report.error).toMatchObject({ class: 'transient', code: 'registry' });
  });

  it.each([
    ['manifest unknown', 65, 'image', 'E50'],
    // A refusal may be a grant that has not spread yet.
    ['pull access denied for x', 75, 'transient', 'denied'],
    ['no matching manifest for linux/arm64', 65, 'image', 'E50'],
    ['dial tcp: i/o timeout', 75, 'transient', 'pull'],
    ['toomanyrequests: rate exceeded', 75, 'transient', 'pull'],
  ])('docker pull: %s', (text, status, errorClass, code) => {
    host.write('fake/fails.pull', `${text}\n`);
    expect(build()).toBe(status);
    expect(host.report.error).toMatchObject({ class: errorClass, code, step: 'image' });
    expect(host.report.error?.message).toContain(text);
  });

  it.each([
    ['E48', 65, 'image'],
    ['E51', 65, 'image'],
    ['E60', 65, 'image'],
    ['E05', 75, 'transient'],
    ['E00', 75, 'unknown'],
  ])('nitro-cli build-enclave: %s', (code, status, errorClass) => {
    host.write('fake/fails.build-enclave', `${code}\n`);
    expect(build()).toBe(status);
    expect(host.report.error).toMatchObject({ class: errorClass, code });
    // A build that failed leaves nothing that could be taken for one.
    expect(build({}, 2)).toBe(0);
    expect(host.report.error).toBeUndefined();
  });

  it('is not built of an image that runs nothing, nor when docker fails', () => {
    host.image({});
    expect(build()).toBe(65);
    expect(host.report.error).toMatchObject({ class: 'image', code: 'command' });
    host.image({ Cmd: ['x'] });
    host.write('fake/build-broken', 'failed to solve\n');
    expect(build({}, 2)).toBe(65);
    expect(host.report.error).toMatchObject({ class: 'image', code: 'E49' });
  });

  it.skipIf(privileged === undefined)('brings programs that run where there is no other', () => {
    const empty = join(host.root, 'empty');
    mkdirSync(join(empty, '.enclave'), { recursive: true });
    const script = join(host.root, 'collect');
    const agent = fileURLToPath(new URL('../../infra/host/agent', import.meta.url));
    writeFileSync(script, `#!/bin/bash\n. ${agent}/lib/common.sh\n. ${agent}/lib/build.sh\ntools "$1"\n`, {
      mode: 0o755,
    });
    const collected = spawnSync(script, [join(empty, '.enclave')], {
      env: { ENCLAVE_ROOT: host.root, PATH: process.env.PATH },
    });
    expect(collected.stderr.toString()).toBe('');
    for (const [program, flag] of [
      ['bash', '--version'],
      ['socat', '-V'],
      ['env', '--version'],
      ['chroot', '--version'],
      ['mkdir', '--version'],
      ['sleep', '--version'],
      ['ip', '-V'],
    ] as const) {
      const ran = runAsRoot([
        'chroot',
        empty,
        '/.enclave/ld',
        '--library-path',
        '/.enclave/lib',
        `/.enclave/bin/${program}`,
        flag,
      ]);
      expect([program, ran.status]).toEqual([program, 0]);
    }
  });
});

describe.skipIf(missing.length > 0)('a ready EIF', () => {
  const content = 'an enclave image file';
  const sha256 = createHash('sha256').update(content).digest('hex');

  it('is taken where its digest is right, and no image is built', () => {
    host.write('fake/s3/images/app.eif', content);
    expect(build({ dockerImage: undefined, eif: { uri: 's3://images/app.eif', sha256: sha256.toUpperCase() } })).toBe(
      0,
    );
    expect(host.report.measurements.PCR0).toMatch(/^[0-9a-f]{96}$/);
    expect(host.report.error).toBeUndefined();
    expect(host.count('build-enclave')).toBe(0);
    host.run('allocate');
    expect(host.run('run').status).toBe(0);
    expect(host.read('fake/nitro-cli.log')).toContain(`images/${sha256}/enclave.eif`);
  });

  it('of another digest is refused', () => {
    host.write('fake/s3/images/app.eif', `${content}!`);
    expect(build({ dockerImage: undefined, eif: { uri: 's3://images/app.eif', sha256 } })).toBe(65);
    expect(host.report.error).toMatchObject({ class: 'image', code: 'eif' });
    expect(host.run('run').status).toBe(75);
  });

  it('that cannot be read is an image fault', () => {
    host.write('fake/s3/images/app.eif', content);
    host.write('fake/fails.describe-eif', 'E30\n');
    expect(build({ dockerImage: undefined, eif: { uri: 's3://images/app.eif', sha256 } })).toBe(65);
    expect(host.report.error).toMatchObject({ class: 'image', code: 'E30' });
  });
});
