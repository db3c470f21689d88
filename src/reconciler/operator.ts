/** The operator: competes, leads, hands over. */
import { hostname } from 'node:os';
import type { Config } from './config.ts';
import { Controller } from './controller.ts';
import { type HealthView, serveHealth } from './health.ts';
import { acquireLease, type Term } from './leader.ts';
import { createMetrics } from './metrics.ts';
import type { Log, Ports } from './ports.ts';

export interface OperatorOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly log: Log;
  /** Aborting it stops the operator cleanly: work ends, streams close, the lease is given up. Runs go on. */
  readonly signal: AbortSignal;
  /** Told once health is served. */
  readonly onListening?: (port: number) => void;
}

/**
 * Runs until the signal aborts.
 *
 * *Errors*: rejects if the health port is taken, or if the tables cannot be reached at all at the start.
 */
export async function runOperator(options: OperatorOptions): Promise<void> {
  const { config, ports, log, signal } = options;
  let controller: Controller | undefined;
  let term: Term | undefined;
  let role: HealthView['role'] = 'starting';
  const metrics = createMetrics({
    queueDepth: () => controller?.queueDepth ?? 0,
    runsInFlight: () => controller?.runsInFlight ?? 0,
  });
  const health = await serveHealth(
    { host: config.httpHost, port: config.httpPort, registry: metrics.registry },
    () => ({ role, synced: controller?.synced ?? false, stuckMs: controller?.stuckMs() ?? 0, epoch: term?.epoch }),
  );
  options.onListening?.(health.port);
  log.info({ port: health.port, environment: config.environment, region: config.region }, 'operator started');
  const holder = `${hostname()}/${process.pid}/${ports.random.id(6)}`;
  try {
    while (!signal.aborted) {
      role = 'standby';
      term = await acquireLease(holder, ports, config, signal);
      if (term === undefined) break;
      controller = await begin(term, options, metrics);
      if (controller === undefined) continue;
      role = 'leader';
      metrics.leading(true);
      await either(signal, term.lost);
      role = 'stopping';
      metrics.leading(false);
      await controller.stop();
      controller = undefined;
      await term.release();
    }
  } finally {
    await health.close();
  }
  log.info({}, 'operator stopped');
}

/** Starts a term's controller; a table that cannot be read gives the lease back and is tried again. */
async function begin(
  term: Term,
  { config, ports, log }: OperatorOptions,
  metrics: ReturnType<typeof createMetrics>,
): Promise<Controller | undefined> {
  try {
    await ports.state.install({ v: 1, minReader: 1, installedAt: new Date(ports.clock.now()).toISOString() });
    const control = await ports.state.control();
    if (control === undefined) throw new Error('fleet/control vanished right after it was written');
    const controller = new Controller({ ports, config, control, term, metrics });
    controller.start();
    return controller;
  } catch (error) {
    log.error({ error: String(error) }, 'the state table cannot be used; trying again');
    await term.release();
    await ports.clock.sleep(config.leaseRetryMs);
    return undefined;
  }
}

function either(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}
