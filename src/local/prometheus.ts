/** A Prometheus beside the local stack, on the configuration and the alerts that are shipped. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Clock, Log } from '../reconciler/ports.ts';
import { type Child, startChild } from './child.ts';

export interface PrometheusOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDir: string;
  /** The folder with `prometheus.yml` and `alerts.yaml`. */
  readonly shipped: URL;
  /** URL of the operator's health and metrics. */
  readonly operator: string;
  /** Where it listens, as `127.0.0.1:9090`. */
  readonly address: string;
}

export const prometheusIsInstalled = (): boolean => spawnSync('prometheus', ['--version']).status === 0;

/** Its state and its log are in `dataDir`. Where the address is taken it says so in its log, and is tried again. */
export function startPrometheus({ clock, log, dataDir, shipped, operator, address }: PrometheusOptions): Child {
  const folder = join(dataDir, 'prometheus');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'prometheus.yml');
  const config = parse(readFileSync(new URL('prometheus.yml', shipped), 'utf8'));
  config.rule_files = [fileURLToPath(new URL('alerts.yaml', shipped))];
  config.scrape_configs[0].static_configs[0].targets = [new URL(operator).host];
  writeFileSync(file, stringify(config));
  return startChild({
    name: 'prometheus',
    clock,
    log,
    file: 'prometheus',
    arguments: () => [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'series')}`,
      `--web.listen-address=${address}`,
    ],
    env: { PATH: process.env.PATH ?? '' },
    logFile: join(dataDir, 'logs', 'prometheus.log'),
  });
}
