/** The folder a stack lives in: one supervisor at a time, and where others find its endpoints. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const EndpointsSchema = z.object({
  /** Of the supervisor: the file counts only while this process lives. */
  pid: z.number().int(),
  aws: z.string(),
  dynamodb: z.string(),
  /** Health and metrics; empty without an operator. */
  operator: z.string(),
  region: z.string(),
  environment: z.string(),
  prefix: z.string(),
  enclavesTable: z.string(),
  stateTable: z.string(),
  historyTable: z.string(),
  cluster: z.string(),
});
export type Endpoints = z.infer<typeof EndpointsSchema>;

const LOCK = 'supervisor.pid';

export interface DataDir {
  /** Removes all but the lock. */
  reset(): void;
  announce(endpoints: Endpoints): void;
  release(): void;
}

/** When a process started, in the kernel's own count: tells it from a later one with its number. Empty: unknown. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')')).split(' ')[20] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return start === startOf(pid);
}

/** Takes the folder, creating it. Throws with one clear line where another supervisor has it. */
export function takeDataDir(folder: string): DataDir {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, LOCK);
  const endpointFile = join(folder, 'endpoint.json');
  for (;;) {
    try {
      writeFileSync(lock, `${process.pid} ${startOf(process.pid)}`, { flag: 'wx' });
      break;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const [pid = '', start = ''] = readFileSync(lock, 'utf8').split(' ');
      if (isAlive(Number(pid), start)) {
        throw new Error(`${folder} is in use by process ${pid}: stop it first, or name another folder`);
      }
      rmSync(lock, { force: true });
    }
  }
  rmSync(endpointFile, { force: true });
  return {
    reset() {
      for (const name of readdirSync(folder)) {
        if (name !== LOCK) rmSync(join(folder, name), { recursive: true, force: true });
      }
    },
    announce(endpoints) {
      writeFileSync(`${endpointFile}.new`, `${JSON.stringify(endpoints, null, 2)}\n`);
      renameSync(`${endpointFile}.new`, endpointFile);
    },
    release() {
      rmSync(endpointFile, { force: true });
      rmSync(lock, { force: true });
    },
  };
}
