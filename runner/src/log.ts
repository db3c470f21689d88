/** Log lines: JSON on standard output, each with the enclave's id, which the application's Logs tab looks for. */
import { scrub } from '../../src/enclave/scrub.ts';

export interface Log {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * The application's Logs tab shows a line that contains one of these words to every tenant. Terraform and AWS may print
 * them.
 */
const SHOWN_TO_EVERY_TENANT: readonly (readonly [word: RegExp, replacement: string])[] = [
  [/Terraform/g, 'terraform'],
  [/={3,}/g, '='],
  [/ENCLAVE_ID/g, 'enclave id'],
];

/** The text without the words for which the application would show it to every tenant. */
export function hideFromOtherTenants(text: string): string {
  return SHOWN_TO_EVERY_TENANT.reduce((rest, [word, replacement]) => rest.replace(word, replacement), text);
}

/**
 * The application shows these lines without authentication, so messages are scrubbed. Fields are the caller's care. The
 * enclave's id stays as it is: by it the owner's tab finds the line.
 */
export function createLog(
  context: { readonly enclaveId: string; readonly run: string },
  now: () => number,
  write: (line: string) => void,
): Log {
  const at =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      const head = JSON.stringify({ time: new Date(now()).toISOString(), level, ...context });
      const rest = hideFromOtherTenants(JSON.stringify({ message: scrub(message), ...fields }));
      write(`${head.slice(0, -1)},${rest.slice(1)}\n`);
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
