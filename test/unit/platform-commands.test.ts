/** The platform's commands where they need neither AWS nor Terraform. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { refuseWhileStanding } from '../../scripts/platform/destroy.ts';
import { confirm } from '../../scripts/platform/terminal.ts';

const MAIN = fileURLToPath(new URL('../../scripts/platform/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'enclave-platform-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Nothing of the machine's own credentials is found. */
const bare = {
  PATH: process.env.PATH,
  HOME: folder,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_REGION: 'us-west-2',
};
const platform = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env: bare, encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('synth', () => {
  it('writes the stack without credentials, given an account', () => {
    const out = join(folder, 'dev');
    expect(platform('synth', '--env', 'dev', '--account', '123456789012', '--out', out)).toEqual({
      status: 0,
      stdout: `wrote ${out}\n`,
      stderr: '',
    });
    const { resource } = JSON.parse(readFileSync(join(out, 'cdk.tf.json'), 'utf8'));
    expect(Object.keys(resource.aws_sfn_state_machine)).toHaveLength(3);
  });

  it.each([
    { reason: 'no account', args: ['--env', 'dev'], says: 'set AWS_PROFILE, or for synth pass --account' },
    { reason: 'no environment', args: [], says: "required option '--env <name>' not specified" },
    { reason: 'an unknown environment', args: ['--env', 'qa'], says: 'Allowed choices are dev, staging, prod' },
    {
      reason: 'a wrong account',
      args: ['--env', 'dev', '--account', '12'],
      says: 'account 12: an AWS account id has 12',
    },
    {
      reason: 'a wrong tag',
      args: ['--env', 'dev', '--account', '123456789012', '--image-tag', 'v1:latest'],
      says: 'images.operator: an image tag',
    },
    {
      reason: 'no number of tasks',
      args: ['--env', 'dev', '--account', '123456789012', '--operator-tasks', 'two'],
      says: 'operator.tasks',
    },
  ])('refuses $reason', ({ args, says }) => {
    const { status, stderr } = platform('synth', ...args);
    expect(stderr).toContain(says);
    expect(status).not.toBe(0);
  });
});

describe('destroy', () => {
  it('names twenty enclaves and counts the rest', () => {
    const standing = [...Array(25)].map((_, n) => ({ id: `enc_${n + 10}`, because: 'lifecycle ready' }));
    const refusal = () => refuseWhileStanding('prod', standing);
    expect(refusal).toThrow('prod still has 25 enclaves');
    expect(refusal).toThrow('enc_29 (lifecycle ready)\n  and 5 more');
    expect(() => refuseWhileStanding('prod', standing.slice(0, 1))).toThrow('prod still has an enclave');
    expect(() => refuseWhileStanding('prod', [])).not.toThrow();
  });
});

describe('a question', () => {
  const said: string[] = [];
  const answering = (answer: string) => ({ say: (text: string) => said.push(text), ask: async () => answer });

  it('goes ahead on the very answer alone', async () => {
    await expect(confirm(answering('prod '), 'destroy prod', 'prod', false)).resolves.toBeUndefined();
    await expect(confirm(answering('y'), 'destroy prod', 'prod', false)).rejects.toThrow('nothing was changed');
  });

  it('wants --yes where nobody can answer', async () => {
    const silent = { say: () => {}, ask: undefined };
    await expect(confirm(silent, 'destroy prod', 'prod', false)).rejects.toThrow('pass --yes');
    await expect(confirm(silent, 'destroy prod', 'prod', true)).resolves.toBeUndefined();
  });
});
