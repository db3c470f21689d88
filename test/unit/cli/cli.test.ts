/** enclavectl's command line: help, exit codes, where it goes, what it refuses. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asEnvironment } from '../../../src/cli/commands/local.ts';
import { loadConfig } from '../../../src/cli/config.ts';
import { findLocalStack, pointsElsewhere } from '../../../src/cli/target.ts';
import { cli, emptyFolder } from '../../support/cli.ts';

const VERBS = [
  ...['apply', 'get', 'describe', 'delete', 'pause', 'resume', 'retry', 'adopt', 'events', 'logs', 'validate'],
  ...['explain', 'diff', 'config', 'operator run', 'local', 'completion'],
];

/** A folder with the endpoint file of a local stack whose process is `pid`. */
function stackFolder(pid: number, dynamodb = 'http://127.0.0.1:9'): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, '.local', 'logs'), { recursive: true });
  const names = { region: 'eu-west-1', environment: 'x', prefix: 'p', cluster: 'c' };
  const tables = { enclavesTable: 'te', stateTable: 'ts', historyTable: 'th' };
  const endpoint = { pid, aws: 'http://127.0.0.1:1', dynamodb, operator: '', ...names, ...tables };
  writeFileSync(join(folder, '.local', 'endpoint.json'), JSON.stringify(endpoint));
  return folder;
}

describe('help', () => {
  it.each(VERBS)('of %s has an example and the exit codes, and succeeds', async (verb) => {
    const { code, out } = await cli([...verb.split(' '), '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`enclavectl ${verb}`);
    expect(out).toMatch(/Examples:\n {2}enclavectl /);
    expect(out).toContain('4  refused');
  });

  it('lists every verb', async () => {
    const { out } = await cli(['--help']);
    for (const verb of VERBS) expect(out).toContain(`  ${verb.split(' ')[0]} `);
  });
});

describe('the secret of the webhook', () => {
  const URL_SET = { ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL: 'https://hooks.example.com/x' };

  it.each([
    ['', 'is not set'],
    ['too short to be one', 'has 19 characters'],
  ])('%j: the operator does not start, and says why', async (secret, reason) => {
    const env = { ...URL_SET, ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET: secret };
    const { code, err } = await cli(['operator', 'run'], { env });
    expect(code).toBe(2);
    expect(err).toContain(`ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET ${reason}`);
    if (secret !== '') expect(err).not.toContain(secret);
  });

  it.each(['table', 'json'])('is not in the %s of `enclavectl config`', async (format) => {
    const secret = '0123456789abcdef0123456789abcdef';
    const env = { ...URL_SET, ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET: secret };
    const { code, out, err } = await cli(['config', '-o', format], { env });
    expect(code).toBe(0);
    expect(out).toContain('notifyWebhookUrl');
    expect(out + err).not.toContain(secret);
    expect(out + err).not.toContain('WEBHOOK_SECRET');
  });
});

describe('wrong usage ends with 2, and one clear line', () => {
  it.each([
    [[], 'Usage:'],
    [['gett'], "unknown command 'gett'"],
    [['get', '--nope'], "unknown option '--nope'"],
    [['get', '-o', 'xml'], 'Allowed choices'],
    [['describe'], "missing required argument 'id'"],
    [['describe'], '(enclavectl describe --help says how)'],
    [['apply'], 'required option'],
    [['completion', 'tcsh'], 'Allowed choices'],
    [['logs', '../../etc/passwd'], 'is not the name of a run'],
    [['local', '--port', '70000'], '--port 70000: it takes a whole number from 0 to 65535'],
    [['local', '--speed', 'fast'], '--speed fast: it takes a number'],
    [['local', '--aws-endpoint', 'moto'], '--aws-endpoint moto: it takes the URL of an AWS endpoint'],
    [['get', '--endpoint', 'nowhere'], '--endpoint nowhere is not a URL'],
    [['get', '--config', 'missing.yaml'], 'cannot read the configuration missing.yaml'],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await cli(argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n {4}at /);
    expect(out).toBe('');
  });

  it('names every wrong variable at once', async () => {
    const { code, err } = await cli(['config'], {
      env: { ENCLAVE_OPERATOR_WORKER: '3', ENCLAVE_OPERATOR_MAX_RUNS: 'x' },
    });
    expect(code).toBe(2);
    expect(err).toContain('did you mean ENCLAVE_OPERATOR_WORKERS?');
    expect(err).toContain('maxRuns (ENCLAVE_OPERATOR_MAX_RUNS)');
  });

  it('suggests no variable for nothing but the common prefix', async () => {
    const { code, err } = await cli(['config'], { env: { ENCLAVE_OPERATOR_FOO: '1' } });
    expect(code).toBe(2);
    expect(err).not.toContain('did you mean');
  });
});

describe('enclavectl config', () => {
  it('shows value and source, as a table and as JSON', async () => {
    const env = { ENCLAVE_OPERATOR_MAX_RUNS: '3' };
    expect((await cli(['config'], { env })).out).toMatch(/^maxRuns +3 +ENCLAVE_OPERATOR_MAX_RUNS$/m);
    const settings = JSON.parse((await cli(['config', '-o', 'json'], { env })).out);
    expect(settings).toContainEqual({ key: 'maxRuns', value: 3, source: 'ENCLAVE_OPERATOR_MAX_RUNS' });
    expect(settings).toContainEqual({ key: 'workers', value: 32, source: 'default' });
  });
});

describe('the local stack', () => {
  it('gets what flags, file and variables say, and not the region of the AWS environment', () => {
    const loaded = loadConfig({
      env: { AWS_REGION: 'eu-west-1', ENCLAVE_OPERATOR_MAX_RUNS: '3' },
      file: { name: 'f', text: 'regions: [us-west-2, eu-west-1]' },
      flags: { prefix: 'mine' },
    });
    expect(loaded.ok && asEnvironment(loaded.settings)).toEqual({
      ENCLAVE_OPERATOR_PREFIX: 'mine',
      ENCLAVE_OPERATOR_ROLE_PATH: '/mine-enclaves/',
      ENCLAVE_OPERATOR_STATE_TABLE: 'mine-operator-state',
      ENCLAVE_OPERATOR_HISTORY_TABLE: 'mine-operator-history',
      ENCLAVE_OPERATOR_CLUSTER: 'mine-infrastructure',
      ENCLAVE_OPERATOR_MAX_RUNS: '3',
      ENCLAVE_OPERATOR_REGIONS: 'us-west-2,eu-west-1',
    });
  });
});

describe('where a command goes', () => {
  it('is the local stack while its process lives, and it says so on stderr', async () => {
    const { code, err, out } = await cli(['get'], { cwd: stackFolder(process.pid) });
    expect(code).toBe(3);
    expect(out).toBe('');
    expect(err).toContain(`using the local stack (process ${process.pid}, http://127.0.0.1:9)`);
    expect(err).toContain('cannot reach http://127.0.0.1:9 (ECONNREFUSED)');
    expect(err).toContain('npm start');
  });

  it('is found from a folder below as well', () => {
    const folder = stackFolder(process.pid);
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    expect(findLocalStack(join(folder, 'a', 'b'))?.folder).toBe(join(folder, '.local'));
  });

  it('is not a stack whose process is gone, nor a file that is none', () => {
    // The largest process id of Linux is 2^22.
    expect(findLocalStack(stackFolder(5_000_000))).toBeUndefined();
    const folder = stackFolder(process.pid);
    writeFileSync(join(folder, '.local', 'endpoint.json'), '{');
    expect(findLocalStack(folder)).toBeUndefined();
  });

  it.each([
    [{ AWS_REGION: 'eu-west-1' }, {}, 'AWS_REGION'],
    [{ AWS_ENDPOINT_URL_DYNAMODB: 'http://x' }, {}, 'AWS_ENDPOINT_URL_DYNAMODB'],
    [{ ENCLAVE_OPERATOR_PREFIX: 'x' }, {}, 'ENCLAVE_OPERATOR_PREFIX'],
    [{}, { endpoint: 'http://x' }, '--endpoint'],
    [{}, { prefix: 'x' }, '--prefix'],
    [{ AWS_REGION: '' }, {}, undefined],
    [{ HOME: '/' }, {}, undefined],
  ])('%j and %j point to %s', (env, options, expected) => {
    expect(pointsElsewhere({ env }, options)).toBe(expected);
  });

  it('with --local is the local stack in spite of the environment, or nothing', async () => {
    const env = { AWS_REGION: 'eu-west-1' };
    expect((await cli(['get', '--local'], { env, cwd: stackFolder(process.pid) })).err).toContain(
      'using the local stack',
    );
    expect(await cli(['get', '--local'], { env })).toMatchObject({
      code: 3,
      err: expect.stringContaining('no local stack is running here'),
    });
  });

  it('gives up on an endpoint that closes the connection, with 3', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { code, err } = await cli(['get', '--endpoint', `http://127.0.0.1:${port}`]);
    server.close();
    expect(code).toBe(3);
    expect(err).toContain(`cannot reach http://127.0.0.1:${port}`);
  });
});

describe('destructive verbs', () => {
  it('are refused without a terminal and without --yes, before anything is asked of AWS', async () => {
    const { code, err } = await cli(['delete', 'enc_1', '--endpoint', 'http://127.0.0.1:9']);
    expect(code).toBe(4);
    expect(err).toContain('add --yes');
  });

  it.each(['', 'n', 'yesterday'])('are refused where the answer is %j', async (answer) => {
    const argv = ['delete', 'enc_1', '--endpoint', 'http://127.0.0.1:9'];
    const { code, err } = await cli(argv, { interactive: true, answer });
    expect(code).toBe(4);
    expect(err).toContain('Destroy enc_1 (table treza-enclaves-dev, us-west-2)');
  });

  it('go on where the answer is yes', async () => {
    const argv = ['delete', 'enc_1', '--endpoint', 'http://127.0.0.1:9'];
    expect((await cli(argv, { interactive: true, answer: 'Y' })).code).toBe(3);
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s knows every verb and the choices of -o', async (shell) => {
    const { code, out } = await cli(['completion', shell]);
    expect(code).toBe(0);
    for (const verb of VERBS) expect(out).toContain(verb.split(' ')[0]);
    expect(out).toContain('table wide json yaml');
  });
});

describe("bash's completion", () => {
  const complete = async (...words: readonly string[]) => {
    const { out } = await cli(['completion', 'bash']);
    const set = `COMP_WORDS=(enclavectl ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`;
    const script = `${out}${set}; _enclavectl; printf '%s\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  };

  it.each<[string, string[], string]>([
    ['a verb', ['op'], 'operator'],
    ['a choice', ['get', '-o', 'w'], 'wide'],
    ['an option of the verb', ['local', '--sp'], '--speed'],
    ['an option of the verb after a value of a global one', ['--region', 'eu-west-1', 'local', '--sp'], '--speed'],
  ])('finds %s', async (_what, words, answer) => {
    expect(await complete(...words)).toEqual([answer]);
  });
});

describe('logs', () => {
  const run = 'e-enc_1-abc123-1-deploy';
  it('prints the file of a run of the local stack', async () => {
    const cwd = stackFolder(process.pid);
    writeFileSync(join(cwd, '.local', 'logs', `${run}.log`), 'apply complete\n');
    expect(await cli(['logs', run], { cwd })).toMatchObject({ code: 0, out: 'apply complete\n' });
    expect(await cli(['logs', 'e-enc_1-abc123-2-deploy'], { cwd })).toMatchObject({ code: 1, out: '' });
  });

  it('prints structured lines for people, or as they are', async () => {
    const cwd = stackFolder(process.pid);
    const said = { time: 'T1', level: 'info', enclaveId: 'enc_1', run, message: 'plan made', plan: { create: 7 } };
    const failed = { time: 'T2', level: 'error', enclaveId: 'enc_1', run, message: 'no \u001b[2J' };
    const text = `${JSON.stringify(said)}\n${JSON.stringify(failed)}\n`;
    writeFileSync(join(cwd, '.local', 'logs', `${run}.log`), text);
    expect((await cli(['logs', run], { cwd })).out).toBe('T1  plan made {"plan":{"create":7}}\nT2  error: no  [2J\n');
    expect((await cli(['logs', run, '-o', 'json'], { cwd })).out).toBe(text);
  });
});

describe('explain', () => {
  it('tells type, range, default and what a change does', async () => {
    const { code, out } = await cli(['explain', 'providerConfig.memoryMiB']);
    expect(code).toBe(0);
    expect(out).toMatch(/^TYPE +integer, MiB$/m);
    expect(out).toMatch(/^DEFAULT +1024$/m);
    expect(out).toMatch(/^CHANGE +enclaveRestart: /m);
  });

  it('lists the fields of a map, and of the record', async () => {
    expect((await cli(['explain', 'providerConfig.healthCheck'])).out).toContain('timeoutSeconds <integer>');
    expect((await cli(['explain'])).out).toContain('walletAddress <text, required>');
  });

  it('knows what was meant', async () => {
    expect(await cli(['explain', 'memroyMiB'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('did you mean providerConfig.memoryMiB?'),
    });
  });
});
