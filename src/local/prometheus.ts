/** A Prometheus beside the local stack, on the configuration and the alerts that are shipped. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Clock, Log } from '../reconciler/ports/index.ts';
import { startChild } from './child.ts';
import { endLeftOver } from './left-over.ts';
import { claimPort } from './port.ts';

export interface PrometheusOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDir: string;
  /** The folder with `prometheus.yml` and `alerts.yaml`. */
  readonly shipped: URL;
  /** URL of the operator's health and metrics. */
  readonly operator: string;
  /** Of its pages; 0: any free one. */
  readonly port: number;
}

export interface Prometheus {
  /** Of its pages. */
  readonly url: string;
  /** SIGTERM, and SIGKILL after a bounded wait. */
  stop(): Promise<void>;
}

const GRACE_MS = 5_000;

export const prometheusIsInstalled = (): boolean => spawnSync('prometheus', ['--version']).status === 0;

/**
 * Its state and its log are in `dataDir`, which must be the caller's alone.
 *
 * *Errors*: rejects where the port is taken, and names the flag that chooses another.
 */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const { clock, log, dataDir, shipped, operator } = options;
  const folder = join(dataDir, 'prometheus');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'prometheus.yml');
  const fileFlag = `--config.file=${file}`;
  const pidFile = join(dataDir, 'prometheus.pid');
  // One left over would hold the port.
  await endLeftOver(pidFile, fileFlag, clock);
  const address = `127.0.0.1:${await claimPort(options.port, '--prometheus PORT')}`;

  const config = parse(readFileSync(new URL('prometheus.yml', shipped), 'utf8'));
  config.rule_files = [fileURLToPath(new URL('alerts.yaml', shipped))];
  config.scrape_configs[0].static_configs[0].targets = [new URL(operator).host];
  writeFileSync(file, stringify(config));
  const child = startChild({
    name: 'prometheus',
    clock,
    log,
    file: 'prometheus',
    arguments: () => [fileFlag, `--storage.tsdb.path=${join(folder, 'series')}`, `--web.listen-address=${address}`],
    env: { PATH: process.env.PATH ?? '' },
    logFile: join(dataDir, 'logs', 'prometheus.log'),
    onStart: (pid) => writeFileSync(pidFile, String(pid)),
  });
  return {
    url: `http://${address}`,
    async stop() {
      await child.stop(GRACE_MS);
      rmSync(pidFile, { force: true });
    },
  };
}
