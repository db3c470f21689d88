/** How much the operator's memory grows with every enclave at rest. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figures } from './measurement.ts';

const FEW = 10_000;
const MANY = 100_000;

/** Each number of enclaves in a process of its own: memory that was once taken is not given back. */
function residentBytes(enclaves: number): number {
  const program = fileURLToPath(new URL('memory-at-rest.ts', import.meta.url));
  const args = ['--disable-warning=ExperimentalWarning', '--expose-gc', program, String(enclaves)];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

export async function benchMemory(): Promise<Figures> {
  return { bytes_per_enclave: Math.round((residentBytes(MANY) - residentBytes(FEW)) / (MANY - FEW)) };
}
