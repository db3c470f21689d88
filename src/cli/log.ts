/** Structured logs of the operator: one JSON line an event, secrets cut out. */
import pino from 'pino';
import type { Log } from '../reconciler/ports.ts';

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

/** `pretty` is for people; the default, JSON, is for log stores. */
export function createLog(options: {
  readonly level: string;
  readonly pretty: boolean;
  readonly destination?: pino.DestinationStream;
}): Log {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    messageKey: 'message',
    errorKey: 'error',
    redact: { paths: REDACTED, censor: '[redacted]' },
  };
  if (options.destination !== undefined) return pino(settings, options.destination);
  if (!options.pretty) return pino(settings, pino.destination({ dest: 1, sync: true }));
  // pino does not let a transport see custom level labels.
  delete settings.formatters;
  return pino({
    ...settings,
    transport: { target: 'pino-pretty', options: { messageKey: 'message', errorLikeObjectKeys: ['error'] } },
  });
}
