/** Children that do not watch their parent, and outlive one that was killed. */
import { readFileSync, rmSync } from 'node:fs';
import type { Clock } from '../reconciler/ports/index.ts';

const PROBE_PAUSE_MS = 20;
const LONGEST_END_MS = 5_000;

/** Ends the process of the file, if it still is one that was started with this argument; resolves when it is gone. */
export async function endLeftOver(pidFile: string, argument: string, clock: Clock): Promise<void> {
  const pid = pidIn(pidFile);
  const deadline = clock.monotonic() + LONGEST_END_MS;
  while (pid !== undefined && kill(pid, argument) && clock.monotonic() < deadline) await clock.sleep(PROBE_PAUSE_MS);
  rmSync(pidFile, { force: true });
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** False where there is none to kill, also of one that has ended without anybody having taken note of it yet. */
function kill(pid: number, argument: string): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument)) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
