/** Structured logs of the operator: one JSON line an event, secrets cut out. */
import pino from 'pino';
import type { Log } from '../reconciler/ports/index.ts';

/** Members that may hold a secret, at the depths at which fields are logged. */
const SECRET_NAMES = [
  'accessToken',
  'authorization',
  'credentials',
  'environmentVariables',
  'githubConnection',
  'password',
  'privateKey',
  'secret',
  'secretAccessKey',
  'sessionToken',
  'token',
];
const REDACTED = SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]);

/** Lines for people. In this thread: a worker would look for its program among files that a bundle does not have. */
export async function prettyLines(): Promise<pino.DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ messageKey: 'message', errorLikeObjectKeys: ['error'], destination: 1, sync: true });
}

/** Writes to standard output, as JSON for log stores, unless told otherwise. */
export function createLog(options: { readonly level: string; readonly destination?: pino.DestinationStream }): Log {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    messageKey: 'message',
    errorKey: 'error',
    redact: { paths: REDACTED, censor: '[redacted]' },
  };
  return pino(settings, options.destination ?? pino.destination({ dest: 1, sync: true }));
}
