/** From `npm start` on a fresh clone to all examples DEPLOYED. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figures, Keep } from './measurement.ts';
import { rounded } from './statistics.ts';

const LIMIT_MS = 180_000;
const bin = fileURLToPath(new URL('../../bin/enclavectl.js', import.meta.url));

export async function benchStart(keep: Keep): Promise<Figures> {
  const cwd = mkdtempSync(join(tmpdir(), 'enclave-bench-start-'));
  const callers = Object.entries(process.env).filter(([name]) => !/^(AWS_|ENCLAVE_OPERATOR_|NODE_)/.test(name));
  const env = { ...Object.fromEntries(callers), XDG_CACHE_HOME: join(cwd, 'cache') };
  const began = performance.now();
  const child = spawn(process.execPath, [bin, 'local', '--port', '0'], { cwd, env });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await said(child, 'Try, in another terminal:');
    const seconds = (performance.now() - began) / 1_000;
    const { stdout } = spawnSync(process.execPath, [bin, 'get', '-o', 'json'], { cwd, env, encoding: 'utf8' });
    const items: readonly { readonly id: string; readonly status: string }[] = JSON.parse(stdout).items;
    const others = items.filter(({ status }) => status !== 'DEPLOYED');
    if (items.length === 0 || others.length > 0) throw new Error(`at rest, but not deployed: ${stdout}`);
    return keep({ start_to_examples_deployed_seconds: rounded(seconds, 1) });
  } finally {
    child.kill('SIGINT');
    await ended;
    rmSync(cwd, { recursive: true, force: true });
  }
}

function said(child: ReturnType<typeof spawn>, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const heard = (chunk: Buffer) => {
      output += chunk;
      if (output.includes(text)) resolve();
    };
    child.stdout?.on('data', heard);
    child.stderr?.on('data', heard);
    child.once('close', (code) => reject(new Error(`ended with ${code} before it was at rest:\n${output}`)));
    setTimeout(() => reject(new Error(`not at rest after ${LIMIT_MS} ms:\n${output}`)), LIMIT_MS).unref();
  });
}
