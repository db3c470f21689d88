/** How long `enclavectl validate` takes, as a person waits for it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figures } from './measurement.ts';
import { median } from './statistics.ts';

const ROUNDS = 11;
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The first call fills the compile cache, as the first call after an installation does. */
export async function benchCommand(): Promise<Figures> {
  const cache = mkdtempSync(join(tmpdir(), 'enclave-bench-cache-'));
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const call = () => {
    const began = performance.now();
    const { status, stderr } = spawnSync(
      process.execPath,
      [at('bin/enclavectl.js'), 'validate', '-f', at('examples/service.yaml')],
      { env, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`validate ended with ${status}: ${stderr}`);
    return performance.now() - began;
  };
  try {
    call();
    return { validate_command_ms: Math.round(median(Array.from({ length: ROUNDS }, call))) };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}
