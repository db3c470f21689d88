/** What the host reports of a failure: the cause in its message, and a class and code that say whether a retry helps. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPermanentHostError } from '../../src/enclave/host-errors.ts';
import { AGENT, FAKES, hostToolsMissing, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
const fixture = (code: string) =>
  readFileSync(fileURLToPath(new URL(`../fixtures/nitro/${code}.txt`, import.meta.url)), 'utf8');

/** One host for all: each test begins with a step that fails, and reads what is reported of it. */
let host: TestHost;
beforeAll(() => {
  if (missing.length > 0) return;
  host = new TestHost();
  for (const code of ['E22', 'E26', 'E29', 'E48']) host.write(`fake/texts/${code}.txt`, fixture(code));
  host.configure(1);
  host.run('follow', '--fetch');
  for (const step of ['allocate', 'image']) host.run(step);
});
afterAll(() => host?.dispose());

/** The error that the host reports after the step, and the status that systemd sees. */
function failing(step: string) {
  const { status } = host.run(step);
  host.run('report');
  return { status, error: host.report.error };
}

describe.skipIf(missing.length > 0)('the report of an enclave that does not start', () => {
  it.each([
    [
      'E26',
      'Insufficient memory requested. User provided `memory` is 1024 MB, but based on the EIF file size, the minimum memory should be 2860 MB',
    ],
    [
      'E22',
      'Insufficient CPUs available in the pool. User provided `cpu-count` is 2, which is more than the configured CPU pool size.',
    ],
    ['E29', 'Ioctl failure. Such error is used as a general ioctl error and appears whenever an ioctl fails.'],
  ])("carries nitro-cli's sentence for %s, as a permanent error", (code, sentence) => {
    host.write('fake/fails.run-enclave', `${code}!\n`);
    const { status, error } = failing('run');
    host.remove('fake/fails.run-enclave');
    expect(error?.message).toContain(`nitro-cli run-enclave: ${sentence}`);
    expect(error?.message).not.toMatch(/For more details|support ticket|E39|Start allocating/);
    expect(error).toMatchObject({ class: 'spec', code, step: 'run', generation: 1 });
    expect([isPermanentHostError(error, 1), isPermanentHostError(error, 2)]).toEqual([true, false]);
    expect(status).toBe(65);
  });
});

describe.skipIf(missing.length > 0)('the report of an image that cannot be built', () => {
  let generation = 1;
  /** Another configuration: what is wrong with one is not retried at once. */
  const configure = (providerConfig: object = {}) => {
    generation += 1;
    host.configure(generation, spec({ environmentVariables: { GENERATION: `${generation}` }, ...providerConfig }));
    host.run('follow', '--fetch');
  };

  const permanent = [
    'Error response from daemon: manifest for ghcr.io/acme/signer:1 not found: manifest unknown: manifest unknown',
    'Error response from daemon: no matching manifest for linux/amd64 in the manifest list entries',
    'Error response from daemon: failed to resolve reference "ghcr.io/acme/signer:1": ghcr.io/acme/signer:1: not found',
    'invalid reference format: repository name (acme/Signer) must be lowercase',
  ];
  const passing: readonly (readonly [string, string, string])[] = [
    [
      'transient',
      'denied',
      'Error response from daemon: pull access denied for acme/signer, repository does not exist',
    ],
    [
      'transient',
      'denied',
      'Head "https://111122223333.dkr.ecr.us-west-2.amazonaws.com/v2/x": no basic auth credentials',
    ],
    ['transient', 'denied', 'unauthorized: authentication required'],
    ['transient', 'pull', 'toomanyrequests: You have reached your pull rate limit.'],
    ['transient', 'pull', 'net/http: TLS handshake timeout'],
    ['transient', 'pull', 'manifest unknown: the cache is cold: Get "https://ghcr.io/v2": context deadline exceeded'],
    [
      'transient',
      'pull',
      'error getting credentials - err: exec: "docker-credential-x": executable file not found in $PATH',
    ],
    ['host', 'pull', 'failed to register layer: write /usr/lib/x: no space left on device'],
  ];

  it('separates permanent from transient pull errors, whatever the name of the image', () => {
    const texts = [...permanent, ...passing.map(([, , text]) => text)];
    const script =
      '. "$1/lib/common.sh"; . "$1/lib/build.sh"; while read -r line; do echo "$line" >"$FAKE/fails.pull"; (pull "$2") || echo "$?" >&2; jq -c . "$boot/error.json"; done';
    const pulled = (reference: string, input: readonly string[]) => {
      const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script, 'pull', AGENT, reference], {
        env: { PATH: `${FAKES}:${process.env.PATH}`, ENCLAVE_ROOT: host.root, FAKE: host.fake },
        input: input.map((line) => `${line}\n`).join(''),
        encoding: 'utf8',
      });
      const errors = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>);
      return errors.map((error, index) => ({ ...error, status: stderr.split('\n')[index] }));
    };
    expect(pulled('ghcr.io/acme/signer:1', texts)).toMatchObject([
      ...permanent.map((text) => ({ class: 'image', code: 'E50', message: `docker pull: ${text}`, status: '65' })),
      ...passing.map(([errorClass, code, text]) => ({
        class: errorClass,
        code,
        message: `docker pull: ${text}`,
        status: '75',
      })),
    ]);
    const named = 'ghcr.io/acme/denied-unauthorized:timeout';
    expect(pulled(named, [`manifest for ${named} not found: manifest unknown`])).toMatchObject([{ code: 'E50' }]);
  });

  it('carries the sentence of docker for a manifest that is unknown', () => {
    configure({ dockerImage: 'ghcr.io/acme/signer:gone' });
    host.write('fake/fails.pull', `${permanent[0]}\n`);
    const { status, error } = failing('image');
    expect(error).toMatchObject({ class: 'image', code: 'E50', message: `docker pull: ${permanent[0]}`, generation });
    expect([isPermanentHostError(error, generation), isPermanentHostError(error, generation + 1)]).toEqual([
      true,
      false,
    ]);
    expect(status).toBe(65);
  });

  it('keeps both ends of a long error, and no signature of a URL', () => {
    configure({ dockerImage: 'ghcr.io/acme/signer:3' });
    const url = `https://layers.s3.us-west-2.amazonaws.com/sha256/1?X-Amz-Security-Token=SECRET${'a'.repeat(900)}`;
    const middle = 'retrying '.repeat(60);
    host.write('fake/fails.pull', `failed to copy: Get "${url}": ${middle}dial tcp 10.0.0.1:443: i/o timeout\n`);
    const { error } = failing('image');
    expect(error?.message).toMatch(
      /^docker pull: failed to copy: Get "https:\/\/layers\.s3\.us-west-2\.amazonaws\.com\/sha256\/1\?\.\.\.": .*i\/o timeout$/,
    );
    expect(error?.message.length).toBeLessThanOrEqual(300);
  });

  it('names the memory that a build lacked, which is no fault of the image', () => {
    configure();
    host.write('fake/fails.build-enclave', 'E48\n');
    const { status, error } = failing('image');
    expect(error).toMatchObject({
      class: 'host',
      code: 'E48',
      message: 'nitro-cli build-enclave: EIF building error: fatal error: runtime: out of memory',
    });
    expect(status).toBe(75);
  });

  it.each([
    [
      'host',
      'the disk is full',
      '#7 ERROR: failed to copy files: write /.enclave/lib/libc.so.6: no space left on device\n------\nDockerfile:2\nERROR: failed to solve: failed to copy files: no space left on device\n',
      'ERROR: failed to solve: failed to copy files: no space left on device',
      75,
    ],
    [
      'image',
      'the image cannot be built',
      `#4 ERROR: process "/bin/sh -c make" did not complete\n${'-'.repeat(400)}\nDockerfile:2\n`,
      '#4 ERROR: process "/bin/sh -c make" did not complete',
      65,
    ],
  ])(
    'the report of a failed docker build has class %s and its error line when %s',
    (errorClass, _, text, cause, expected) => {
      configure();
      host.write('fake/build-broken', text);
      const { status, error } = failing('image');
      host.remove('fake/build-broken');
      expect(error).toMatchObject({ class: errorClass, code: 'E49', message: `docker build: ${cause}` });
      expect(status).toBe(expected);
    },
  );

  it("the report carries docker's message for a failed login, without the password", () => {
    const registryCredentialsArn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:registry-AbCdEf';
    configure({ registryCredentialsArn });
    host.write(
      `fake/secrets/${registryCredentialsArn.replaceAll(/[:/]/g, '_')}`,
      JSON.stringify({ username: 'me', password: 'hush hush' }),
    );
    host.write('fake/login-refused', 'Get "https://ghcr.io/v2/": dial tcp: i/o timeout (hush hush)\n');
    const { status, error } = failing('image');
    host.remove('fake/login-refused');
    expect(error).toMatchObject({
      class: 'transient',
      code: 'registry',
      message: 'the login to ghcr.io failed: Get "https://ghcr.io/v2/": dial tcp: i/o timeout (***)',
    });
    expect(status).toBe(75);
  });

  it('the host retries an image with doubling pauses, and at once on command or new configuration', () => {
    configure({ dockerImage: 'ghcr.io/acme/signer:4' });
    const pulls = () => host.read('fake/docker.log')?.match(/^pull/gm)?.length ?? 0;
    const before = pulls();
    const tries = (): number => {
      host.run('image');
      return pulls() - before;
    };
    host.write('fake/fails.pull', 'net/http: TLS handshake timeout\n'.repeat(9));
    expect([tries(), tries()]).toEqual([1, 1]);
    host.advance(30);
    expect(tries()).toBe(2);
    host.advance(59);
    expect(tries()).toBe(2);
    expect(host.log).toContain('retrying the image in 60 s');
    host.run('follow', '--now');
    expect(tries()).toBe(3);
    configure({ dockerImage: 'ghcr.io/acme/signer:5' });
    expect(tries()).toBe(4);
    host.remove('fake/fails.pull');
  });
});
