/** What it costs a runner to make an enclave's Terraform folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figures, Keep } from './measurement.ts';
import { median } from './statistics.ts';

const ROUNDS = 5;
const MIB = 2 ** 20;

export async function benchSynth(keep: Keep): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'enclave-bench-synth-'));
  const program = fileURLToPath(new URL('synth-once.ts', import.meta.url));
  const once = (): { ms: number; bytes: number } =>
    JSON.parse(
      execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', program, folder], { encoding: 'utf8' }),
    );
  try {
    const rounds = Array.from({ length: ROUNDS }, once);
    return keep({
      synth_enclave_ms: Math.round(median(rounds.map(({ ms }) => ms))),
      synth_enclave_rss_mib: Math.round(median(rounds.map(({ bytes }) => bytes)) / MIB),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
