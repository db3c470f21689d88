/** Terraform's process, played by a small program: signals, environment, output that breaks off. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { terraformIn } from '../../../runner/src/engine/terraform-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'enclave-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Terraform, as this program plays it. */
function played(name: string, program: string) {
  const binary = join(folder, name);
  writeFileSync(binary, `#!${process.execPath}\n${program}`);
  chmodSync(binary, 0o755);
  return terraformIn({ binary, folder, environment: { ONLY: 'this' } });
}

describe("Terraform's process", () => {
  it('hears one SIGTERM, however often it is interrupted, and its end is waited for', async () => {
    const heard = join(folder, 'heard');
    const asked = join(folder, 'asked');
    const terraform = played(
      'signalled',
      `const fs = require('node:fs');
       let signals = 0;
       process.on('SIGTERM', () => {
         signals += 1;
         fs.writeFileSync(${JSON.stringify(heard)}, String(signals));
         if (signals === 1) console.log('saving the state');
       });
       console.log('at work');
       // Whatever was sent before the file was written has been heard a few turns later.
       let turns = 0;
       setInterval(() => {
         if (fs.existsSync(${JSON.stringify(asked)})) turns += 1;
         if (turns > 5) process.exit(1);
       }, 5);`,
    );
    const lines: string[] = [];
    const ended = await terraform.run(['apply'], (line) => {
      lines.push(line);
      terraform.interrupt();
      if (line === 'saving the state') writeFileSync(asked, '');
    });
    expect(ended.code).toBe(1);
    expect(lines).toEqual(['at work', 'saving the state']);
    expect(readFileSync(heard, 'utf8')).toBe('1');
  });

  it('is told nothing of a stop that came between two commands', async () => {
    const terraform = played('idle', 'process.exit(0)');
    terraform.interrupt();
    expect((await terraform.run(['output', '-json'])).code).toBe(0);
  });

  it('has the environment it was given and no other', async () => {
    const terraform = played('environment', 'console.log(JSON.stringify(process.env))');
    const { ONLY, ...rest } = JSON.parse((await terraform.run([])).stdout);
    expect(ONLY).toBe('this');
    expect(Object.keys(rest).filter((name) => !name.startsWith('__'))).toEqual([]);
  });

  it('gives its arguments as they are, and its last line without an end', async () => {
    const terraform = played(
      'arguments',
      'process.stdout.write(process.argv.slice(2).join("\\n")); process.exitCode = 3',
    );
    expect(await terraform.run(['a b', '$(id)', '${x}'])).toEqual({ code: 3, stdout: 'a b\n$(id)\n${x}', stderr: '' });
  });

  it('fails where there is no such program', async () => {
    const missing = terraformIn({ binary: join(folder, 'missing'), folder, environment: {} });
    await expect(missing.run([])).rejects.toThrow('ENOENT');
  });
});
