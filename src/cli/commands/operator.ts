/** `enclavectl operator run`: the operator itself. */
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { createLog, prettyLines } from '../log.ts';
import { type GlobalOptions, readConfig } from '../target.ts';

export async function operatorRun(io: Io, _args: readonly string[], options: GlobalOptions): Promise<ExitCode> {
  const { config } = readConfig(io, options);
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
  const ports = createAwsPorts({ config, clock: io.clock, random: io.random, log });
  try {
    await runOperator({ config, ports, log, signal: io.signal });
    return EXIT.yes;
  } finally {
    ports.close();
  }
}
