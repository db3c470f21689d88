/** Log lines: JSON on standard output, each with the enclave's id, which the application's Logs tab looks for. */
import { scrub } from './scrub.ts';

export interface Log {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The application shows these lines without authentication, so messages are scrubbed. Fields are the caller's care. */
export function createLog(
  context: { readonly enclaveId: string; readonly run: string },
  now: () => number,
  write: (line: string) => void,
): Log {
  const at =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      write(
        `${JSON.stringify({ time: new Date(now()).toISOString(), level, ...context, message: scrub(message), ...fields })}\n`,
      );
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
