/** What runs in the enclave: the init in a root of its own, with everything it was built with, on a vsock of files. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asRoot, hostToolsMissing, runAsRoot, spec, TestHost } from '../support/host.ts';

const missing = hostToolsMissing();
const privileged = asRoot();

const AGENT = fileURLToPath(new URL('../../infra/host/agent', import.meta.url));
let host: TestHost;
let root: string;
beforeEach(() => {
  host = new TestHost();
  root = join(host.root, 'enclave');
});
afterEach(() => host.dispose());

function put(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content, { mode });
}

const out = (name: string) =>
  existsSync(join(root, 'out', name)) ? readFileSync(join(root, 'out', name), 'utf8') : undefined;

/** A program with its libraries, at the paths it has here: the workload's image has its own. */
function install(program: string): void {
  const path = spawnSync('bash', ['--norc', '-c', `readlink -f "$(command -v ${program})"`], {
    encoding: 'utf8',
  }).stdout.trim();
  const linked = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout.match(/\/\S+(?= \()/g) ?? [];
  for (const file of linked) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(path, join(root, 'bin', program));
}

/** Builds the composite image of a configuration, lays it over an image with bash, and runs its init to the end. */
function run(image: object, workload: string, providerConfig: object = {}): number | null {
  host.image(image);
  host.configure(1, spec(providerConfig));
  host.run('follow', '--fetch');
  expect(host.run('image').status).toBe(0);
  host.copyContext(join(root, '.enclave'));
  const collect = '. "$1/lib/common.sh"; . "$1/lib/build.sh"; tools "$2"';
  const tools = spawnSync('bash', ['--norc', '-c', collect, 'collect', AGENT, join(root, '.enclave')], {
    env: { ENCLAVE_ROOT: host.root, PATH: process.env.PATH },
  });
  expect(tools.stderr.toString()).toBe('');
  for (const program of ['bash', 'cat', 'id', 'env']) install(program);
  // The real loader and the real programs, but for those that need the enclave's kernel.
  renameSync(join(root, '.enclave/ld'), join(root, '.enclave/real-ld'));
  put(
    '.enclave/ld',
    '#!/bin/bash\ncase ${3##*/} in socat | ip) exec "/fake/${3##*/}" "${@:4}" ;; *) exec /.enclave/real-ld "$@" ;; esac\n',
    0o755,
  );
  put(
    'fake/socat',
    '#!/bin/bash\ncase ${*: -1} in\n  VSOCK-CONNECT:3:9001) [ "$1" = -u ] && cat >>/out/log ;;\n  VSOCK-CONNECT:3:9002) cat >/out/status ;;\n  *) echo "$*" >>/out/listeners ;;\nesac\n',
    0o755,
  );
  put('fake/ip', '#!/bin/bash\necho "$*" >>/out/network\n', 0o755);
  put('out/network', '');
  put('etc/passwd', 'root:x:0:0::/:/bin/sh\nsigner:x:1234:99::/:/bin/sh\n');
  put('etc/group', 'root:x:0:\nstaff:x:4321:\n');
  put('app/signer', `#!/bin/bash\n${workload}\n`, 0o755);
  mkdirSync(join(root, 'dev'));
  runAsRoot(['mknod', '-m', '666', join(root, 'dev/null'), 'c', '1', '3']);
  chmodSync(join(root, 'out'), 0o777);
  const entry = JSON.parse(
    /^ENTRYPOINT (.*)$/m.exec(host.read('fake/context/Dockerfile') ?? '')?.[1] ?? '[]',
  ) as string[];
  // The first word is the loader; what it loads here is the image's own bash, through the stand-in.
  const { status, stderr } = runAsRoot(['chroot', root, ...entry]);
  expect(stderr).toBe('');
  return status;
}

describe.skipIf(missing.length > 0 || privileged === undefined)('the init', () => {
  it('gives the workload its arguments and environment to the letter, and brings output and status to the host', () => {
    const hostile = '$(id) "x" \'y\' \\ ${HOME}\nsecond line';
    const status = run(
      {
        Entrypoint: ['/app/signer', 'a b', "it's", ''],
        Cmd: ['$(id)', 'c\nd'],
        WorkingDir: '/app',
        Env: ['FROM_IMAGE=x=y'],
      },
      'printf "<%s>" "$@" >/out/arguments; printf "%s" "$HOSTILE" >/out/hostile; printf "%s %s" "$FROM_IMAGE" "$PWD" >/out/rest; env >/out/env; echo to stdout; echo to stderr >&2; exit 7',
      { environmentVariables: { HOSTILE: hostile } },
    );
    expect(status).toBe(7);
    expect(out('arguments')).toBe("<a b><it's><><$(id)><c\nd>");
    expect(out('hostile')).toBe(hostile);
    expect(out('rest')).toBe('x=y /app');
    expect(out('env')).toContain('AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9003/credentials');
    expect(out('log')).toBe('to stdout\nto stderr\n');
    expect(out('status')).toBe('7\n');
  });

  it('brings up loopback, names and ways out, and listens for the ports that lead in', () => {
    run({ Entrypoint: ['/app/signer'] }, 'cat /etc/hosts >/out/hosts', {
      awsServices: ['kms'],
      egress: { allow: ['api.example.com', 'api.example.com:8443', '10.1.2.3:5432'] },
    });
    expect(out('network')).toContain('address add 127.0.0.1/8 dev lo\nlink set dev lo up\n');
    expect(out('network')).toContain('address add 10.1.2.3/32 dev lo\n');
    const hosts = out('hosts') ?? '';
    const address = (name: string) => new RegExp(`^(127\\.1\\.0\\.\\d+) ${name}$`, 'm').exec(hosts)?.[1];
    const listeners = (out('listeners') ?? '').trim().split('\n');
    expect(listeners).toEqual(
      expect.arrayContaining([
        `TCP-LISTEN:443,bind=${address('kms.us-west-2.amazonaws.com')},reuseaddr,fork VSOCK-CONNECT:3:8000`,
        'TCP-LISTEN:5432,bind=10.1.2.3,reuseaddr,fork VSOCK-CONNECT:3:8001',
        `TCP-LISTEN:443,bind=${address('api.example.com')},reuseaddr,fork VSOCK-CONNECT:3:8002`,
        `TCP-LISTEN:8443,bind=${address('api.example.com')},reuseaddr,fork VSOCK-CONNECT:3:8003`,
        'TCP-LISTEN:9003,bind=127.0.0.1,reuseaddr,fork VSOCK-CONNECT:3:9003',
      ]),
    );
    expect(listeners.some((line) => line.startsWith('-u VSOCK-LISTEN:9100,'))).toBe(true);
    expect(out('status')).toBe('0\n');
  });

  it.each([
    ['signer', '1234 99'],
    ['signer:staff', '1234 4321'],
    ['5:6', '5 6'],
    ['', '0 0'],
  ])('runs the workload as the image says: %j', (User, expected) => {
    run({ Entrypoint: ['/app/signer'], User }, 'echo "$(id -u) $(id -g)"');
    expect(out('log')).toBe(`${expected}\n`);
  });

  it('tells of a command that is not there', () => {
    expect(run({ Entrypoint: ['/app/gone'] }, '')).toBe(127);
    expect(out('status')).toBe('127\n');
    expect(out('log')).toContain('/app/gone');
  });

  it('opens the ports it is told, and takes nothing else for one', () => {
    run({ Entrypoint: ['/app/signer'] }, '');
    const { status } = runAsRoot(
      ['chroot', root, '/bin/bash', '-c', '. /.enclave/inbound; wait'],
      '8080\n$(id)\n8080 x\n0\n99999999\n9090\n',
    );
    expect(status).toBe(0);
    const opened = (out('listeners') ?? '').match(/VSOCK-LISTEN:\d+,reuseaddr,fork TCP:127\.0\.0\.1:\d+/g);
    expect(opened?.sort()).toEqual([
      'VSOCK-LISTEN:8080,reuseaddr,fork TCP:127.0.0.1:8080',
      'VSOCK-LISTEN:9090,reuseaddr,fork TCP:127.0.0.1:9090',
    ]);
  });
});
