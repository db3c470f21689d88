/** The AWS CLI against an emulator: a second pair of eyes on what Terraform has made. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Emulator } from './emulator.ts';

const run = promisify(execFile);

// biome-ignore lint/suspicious/noExplicitAny: the answers of a hundred operations
export type AwsCli = (...commandLine: readonly string[]) => Promise<any>;

/** Answers what the command prints, parsed; undefined where it prints nothing. Rejects with what it complained of. */
export function awsCli({ env }: Pick<Emulator, 'env'>): AwsCli {
  return async (...commandLine) => {
    const { stdout } = await run('aws', [...commandLine, '--output', 'json'], { env: { ...process.env, ...env } });
    return stdout.trim() === '' ? undefined : JSON.parse(stdout);
  };
}

/** True where the command says that there is no such thing. */
export async function isMissing(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return false;
  } catch (error) {
    if (/NoSuch|NotFound|not found|404/i.test(String(error))) return true;
    throw error;
  }
}
