/** `enclavectl operator run`: the operator itself. */

import type { Config } from '../../reconciler/config.ts';
import { createWebhook } from '../../reconciler/notify/webhook.ts';
import type { Channel } from '../../reconciler/ports/index.ts';
import { WEBHOOK_SECRET } from '../config-keys.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { createLog, prettyLines } from '../log.ts';
import { PACKAGE } from '../package.ts';
import { type GlobalOptions, readConfig } from '../target.ts';

/** As many bits as a guess cannot reach, in any spelling. */
const SHORTEST_SECRET = 32;

interface Options extends GlobalOptions {
  readonly observeOnly?: boolean;
}

export async function operatorRun(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const read = readConfig(io, options).config;
  const config = options.observeOnly === true ? { ...read, observeOnly: true } : read;
  const webhooks = webhooksOf(io, config);
  const log = createLog({
    level: config.logLevel,
    ...(io.env.LOG_FORMAT === 'pretty' && { destination: await prettyLines() }),
  });
  process.on('unhandledRejection', (error) => {
    // A promise nobody waited for: the state of this process is not known any more. ECS starts another one.
    log.error({ error }, 'unhandled rejection: the operator ends, to be started afresh');
    process.exit(1);
  });

  const [{ createAwsPorts }, { runOperator }] = await Promise.all([
    import('../../aws/index.ts'),
    import('../../reconciler/operator.ts'),
  ]);
  const aws = createAwsPorts({ config, clock: io.clock, random: io.random, log });
  const ports = { ...aws, channels: [...(aws.channels ?? []), ...webhooks] };
  try {
    await runOperator({ config, ports, log, version: PACKAGE.version, calls: aws.calls, signal: io.signal });
    return EXIT.yes;
  } finally {
    aws.close();
  }
}

/** The receiver of notifications, if one is configured. The operator does not start without the secret it signs with. */
function webhooksOf(io: Io, { notifyWebhookUrl: url }: Config): readonly Channel[] {
  if (url === '') return [];
  const secret = io.env[WEBHOOK_SECRET] ?? '';
  if (secret.length < SHORTEST_SECRET) {
    const length = secret === '' ? 'is not set' : `has ${secret.length} characters`;
    throw new CliError(
      EXIT.usage,
      `${WEBHOOK_SECRET} ${length}: notifyWebhookUrl needs a secret of ${SHORTEST_SECRET} or more, for example of \`openssl rand -hex 32\``,
    );
  }
  return [createWebhook({ url, secret, clock: io.clock })];
}
