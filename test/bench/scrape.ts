/** How long a scrape takes, and how many series it has, with a large fleet. */
import type { ListedLifecycle } from '../../src/enclave/items/lifecycle.ts';
import { PHASES } from '../../src/enclave/items/lifecycle.ts';
import { FleetStatistics } from '../../src/reconciler/fleet/statistics.ts';
import { collectProcessMetrics, createMetrics } from '../../src/reconciler/metrics/index.ts';
import { enclaveAtRest } from './at-rest.ts';
import type { Figures } from './measurement.ts';
import { median } from './statistics.ts';

const ENCLAVES = 100_000;
const ROUNDS = 11;

/** Something has changed before each scrape, so that none is answered from what the last one counted. */
export async function benchScrape(): Promise<Figures> {
  const template = await enclaveAtRest();
  const tally = new FleetStatistics();
  const metrics = createMetrics();
  const lifecycleOf = (n: number) => {
    const id = `enc_1755986905612_${n}`;
    return template.lifecycle(id, `i-${String(n).padStart(17, '0')}`) as unknown as ListedLifecycle;
  };
  for (let n = 0; n < ENCLAVES; n += 1) {
    const lifecycle = lifecycleOf(n);
    tally.onUpsert(lifecycle.id, { ...lifecycle, phase: PHASES[n % PHASES.length] ?? 'ready' });
  }
  collectProcessMetrics(metrics.registry);
  metrics.leading(1);
  metrics.fleet.source({
    now: () => Date.now(),
    survey: () => tally.survey(),
    info: () => tally.some(0),
    openBreakers: () => 0,
    orphans: () => 0,
    conflicting: () => 0,
    deletionsHeld: () => 0,
  });
  const times: number[] = [];
  let text = '';
  for (let round = 0; round < ROUNDS; round += 1) {
    const lifecycle = lifecycleOf(round);
    tally.onUpsert(lifecycle.id, lifecycle);
    const began = performance.now();
    text = await metrics.registry.metrics();
    times.push(performance.now() - began);
  }
  const ready = Number(/enclaves\{phase="ready"\} (\d+)/.exec(text)?.[1]);
  if (!(ready > ENCLAVES / PHASES.length)) throw new Error(`the scrape tells of ${ready} that are ready`);
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  return { scrape_ms: Math.round(median(times) * 10) / 10, scrape_series: series };
}
