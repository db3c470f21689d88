/** The operator's process, exactly as in production but for its endpoints. */
import { join } from 'node:path';
import type { Clock, Log } from '../reconciler/ports/index.ts';
import { type Child, startChild } from './child.ts';
import { guarded, OPERATOR_PROGRAM } from './engine/programs.ts';
import { claimPort } from './port.ts';

export interface OperatorProcessOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDir: string;
  /** 0: any free one, chosen at the first start and kept. */
  readonly port: number;
  readonly callerEnv: Readonly<Record<string, string | undefined>>;
  /** Endpoints and names. */
  readonly env: Readonly<Record<string, string>>;
}

export interface OperatorProcess {
  /** Health and metrics; empty before the first start. */
  readonly url: string;
  readonly pid: number | undefined;
  /** Starts it and resolves when its health endpoint answers, whatever it says. */
  start(extraEnv?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends it for good, until {@link start}. */
  stop(graceMs: number, signal?: NodeJS.Signals): Promise<void>;
  /** Told of every end nobody asked for, and after how long it is started again. */
  onCrash(listener: (end: string, restartInMs: number) => void): void;
}

const START_TIMEOUT_MS = 60_000;
const PROBE_PAUSE_MS = 100;

/** Of the caller's environment only this reaches the operator: a profile or region of the caller's must not. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'];

function inherited(callerEnv: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(callerEnv)) {
    if (value !== undefined && (INHERITED.includes(name) || name.startsWith('ENCLAVE_OPERATOR_'))) env[name] = value;
  }
  return env;
}

export function operatorProcess(options: OperatorProcessOptions): OperatorProcess {
  const { clock, dataDir } = options;
  const listeners: ((end: string, restartInMs: number) => void)[] = [];
  const logFile = join(dataDir, 'logs', 'operator.log');
  let child: Child | undefined;
  let port = options.port;
  let url = '';

  return {
    get url() {
      return url;
    },
    get pid() {
      return child?.pid;
    },
    onCrash: (listener) => void listeners.push(listener),
    async start(extraEnv = {}) {
      port = await claimPort(port, '--port');
      url = `http://127.0.0.1:${port}`;
      child = startChild({
        name: 'operator',
        clock,
        log: options.log,
        file: process.execPath,
        arguments: () => guarded(OPERATOR_PROGRAM, 'operator', 'run'),
        env: {
          ...inherited(options.callerEnv),
          NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
          ...options.env,
          ENCLAVE_OPERATOR_HTTP_HOST: '127.0.0.1',
          ENCLAVE_OPERATOR_HTTP_PORT: String(port),
          ...extraEnv,
        },
        logFile,
        onCrash: (end, restartInMs) => {
          for (const listener of listeners) listener(end, restartInMs);
        },
      });
      const deadline = clock.monotonic() + START_TIMEOUT_MS;
      for (;;) {
        const answered = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
        await answered?.body?.cancel();
        if (answered) return;
        if (clock.monotonic() > deadline) throw new Error(`the operator does not start: see ${logFile}`);
        await clock.sleep(PROBE_PAUSE_MS);
      }
    },
    async stop(graceMs, signal) {
      await child?.stop(graceMs, signal);
      child = undefined;
    },
  };
}
