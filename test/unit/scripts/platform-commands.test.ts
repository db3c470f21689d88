/** The platform's commands where they need neither AWS nor Terraform. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { refuseWhileStanding } from '../../../scripts/platform/destroy.ts';
import { run } from '../../../scripts/platform/program.ts';
import { confirm } from '../../../scripts/platform/terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'enclave-platform-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

async function platform(...args: string[]) {
  let said = '';
  let complained = '';
  const status = await run(args, {
    say: (text) => {
      said += `${text}\n`;
    },
    complain: (text) => {
      complained += text;
    },
    ask: undefined,
  });
  return { status, said, complained };
}

describe('synth', () => {
  it('writes the stack without credentials, given an account', async () => {
    const out = join(folder, 'dev');
    expect(await platform('synth', '--env', 'dev', '--account', '123456789012', '--out', out)).toEqual({
      status: 0,
      said: `wrote ${out}\n`,
      complained: '',
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
  ])('refuses $reason', async ({ args, says }) => {
    // Nothing of the machine's own credentials is found.
    const none = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE'];
    for (const name of none) vi.stubEnv(name, undefined);
    vi.stubEnv('HOME', folder);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    const { status, complained } = await platform('synth', ...args);
    expect(complained).toContain(says);
    expect(status).toBeGreaterThan(0);
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
  const quiet = { say: () => {}, complain: () => {} };
  const answering = (answer: string) => ({ ...quiet, ask: async () => answer });

  it('goes ahead on the very answer alone', async () => {
    await expect(confirm(answering('prod '), 'destroy prod', 'prod', false)).resolves.toBeUndefined();
    await expect(confirm(answering('y'), 'destroy prod', 'prod', false)).rejects.toThrow('nothing was changed');
  });

  it('wants --yes where nobody can answer', async () => {
    const silent = { ...quiet, ask: undefined };
    await expect(confirm(silent, 'destroy prod', 'prod', false)).rejects.toThrow('pass --yes');
    await expect(confirm(silent, 'destroy prod', 'prod', true)).resolves.toBeUndefined();
  });
});
