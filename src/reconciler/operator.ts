/** The operator: manager, health and metrics in one process. */
import { hostname } from 'node:os';
import type { Config } from './config.ts';
import { serveHealth } from './health/health.ts';
import { Manager } from './manager.ts';
import { type AwsInstruments, collectProcessMetrics, createMetrics } from './metrics/index.ts';
import type { Log, Ports } from './ports/index.ts';

export interface OperatorOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly log: Log;
  /** Aborting it stops the operator cleanly: work ends, streams close, the lease is given up. Runs go on. */
  readonly signal: AbortSignal;
  /** Of the program that runs, for `build_info`. */
  readonly version: string;
  /** Where calls to AWS can be heard. */
  readonly calls?: { listen(instruments: AwsInstruments): void };
  /** Told once health is served. */
  readonly onListening?: (port: number) => void;
}

/**
 * Runs until the signal aborts.
 *
 * *Errors*: rejects if the health port is taken.
 */
export async function runOperator(options: OperatorOptions): Promise<void> {
  const { config, ports, log, signal } = options;
  const metrics = createMetrics({
    version: options.version,
    gauges: {
      queueDepth: () => loop.controller?.queueDepth ?? 0,
      activeWorkers: () => loop.controller?.activeWorkers ?? 0,
      longestRunningSeconds: () => (loop.controller?.longestRunningMs() ?? 0) / 1_000,
      runsInFlight: () => loop.controller?.runsInFlight ?? 0,
      feedLagSeconds: () => {
        const silence = loop.controller?.progress.pollSilenceMs();
        return silence === undefined ? undefined : silence / 1_000;
      },
      budgetTokens: () => loop.budgetTokens(),
    },
  });
  collectProcessMetrics(metrics.registry);
  options.calls?.listen(metrics.aws);
  const holder = `${hostname()}/${process.pid}/${ports.random.id(6)}`;
  const loop = new Manager({ config, ports, metrics, holder, signal });
  const health = await serveHealth({ host: config.httpHost, port: config.httpPort, registry: metrics.registry }, () =>
    loop.view(),
  );
  options.onListening?.(health.port);
  log.info({ port: health.port, environment: config.environment, region: config.region }, 'operator started');
  try {
    await loop.run();
  } finally {
    await health.close();
  }
  log.info({}, 'operator stopped');
}
