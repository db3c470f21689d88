/** A child process that is started again whenever it ends unasked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock, Log } from '../reconciler/ports/index.ts';

export interface ChildOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly file: string;
  /** Asked at every start. */
  arguments(): readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Gets the child's output; emptied at the start if it is large. */
  readonly logFile: string;
  /** Gets the child's standard output line by line, which then does not go to the log file. */
  onLine?(line: string): void;
  onStart?(pid: number): void;
  /** Called at every end that was not asked for; the child is started again after `restartInMs`. */
  onCrash?(end: string, restartInMs: number): void;
}

export interface Child {
  readonly pid: number | undefined;
  /** A signal as an outsider would send it: the child is started again if it dies of it. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM (or another signal), and SIGKILL after `graceMs`. Resolves when the process is gone, for good. */
  stop(graceMs: number, signal?: NodeJS.Signals): Promise<void>;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A child that lived this long has recovered: the next pause is short again. */
const RECOVERED_AFTER_MS = 30_000;
const LARGEST_LOG = 10_000_000;

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LARGEST_LOG) truncateSync(file);
  return openSync(file, 'a');
}

/** Starts the child. It has a process group of its own, so that Ctrl-C reaches only the supervisor, which stops all in order. */
export function startChild(options: ChildOptions): Child {
  const { clock, log, name } = options;
  let child: ChildProcess | undefined;
  let stopping = false;
  let pauseMs = FIRST_PAUSE_MS;
  let cancelRestart = () => {};

  const crashed = (end: string, livedMs: number) => {
    child = undefined;
    if (stopping) return;
    if (livedMs > RECOVERED_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
    log.warn({ process: name, end, restartInMs: pauseMs, logFile: options.logFile }, `${name} ended unasked`);
    options.onCrash?.(end, pauseMs);
    cancelRestart = clock.schedule(pauseMs, start);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  };

  function start(): void {
    const startedAt = clock.monotonic();
    const output = openLog(options.logFile);
    const started = spawn(options.file, options.arguments(), {
      env: options.env,
      stdio: ['pipe', options.onLine ? 'pipe' : output, output],
      detached: true,
    });
    closeSync(output);
    child = started;
    started.stdin?.on('error', () => undefined);
    if (options.onLine && started.stdout) createInterface(started.stdout).on('line', options.onLine);
    started.once('error', (error) => crashed(error.message, 0));
    started.once('exit', (code, signal) => crashed(signal ?? `exit ${code}`, clock.monotonic() - startedAt));
    if (started.pid !== undefined) options.onStart?.(started.pid);
  }

  start();
  return {
    get pid() {
      return child?.pid;
    },
    kill: (signal) => void child?.kill(signal),
    async stop(graceMs, signal = 'SIGTERM') {
      stopping = true;
      cancelRestart();
      const last = child;
      if (last === undefined || last.exitCode !== null || last.signalCode !== null) return;
      const gone = new Promise((resolve) => last.once('exit', resolve));
      last.kill(signal);
      const cancel = clock.schedule(graceMs, () => last.kill('SIGKILL'));
      await gone;
      cancel();
    },
  };
}
