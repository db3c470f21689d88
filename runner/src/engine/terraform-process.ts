/** Terraform's processes: one command at a time, its output line by line, at most one SIGTERM. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { atExit } from '../at-exit.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Terraform {
  /** Resolves when the process is gone and its output read, whatever its exit code. */
  run(commandLine: readonly string[], onLine?: (line: string) => void): Promise<Ended>;
  /**
   * One SIGTERM to Terraform's own process: not to its group, or its plugins would hear it too; and never a second
   * one, at which Terraform gives up without saving its state.
   */
  interrupt(): void;
}

/** Errors at the end of a text are what matters; more than this is not kept. */
const LONGEST_STDERR = 100_000;

export function terraformIn(options: {
  readonly binary: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}): Terraform {
  let atWork: ChildProcess | undefined;
  let interrupted = false;

  return {
    interrupt() {
      if (interrupted) return;
      interrupted = true;
      atWork?.kill('SIGTERM');
    },
    async run(commandLine, onLine) {
      const child = spawn(options.binary, [...commandLine], {
        cwd: options.folder,
        env: options.environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      atWork = child;
      // Where this process ends by itself, Terraform must not go on alone.
      const released = atExit(() => child.kill('SIGKILL'));
      const lines: string[] = [];
      let stderr = '';
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines.push(line);
        onLine?.(line);
      });
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        stderr = (stderr + chunk).slice(-LONGEST_STDERR);
      });
      try {
        // `close` comes after `exit` and the end of both streams; a program that is missing rejects with `error`.
        const [code] = (await once(child, 'close')) as [number | null];
        return { code, stdout: lines.join('\n'), stderr };
      } finally {
        atWork = undefined;
        released();
      }
    },
  };
}
