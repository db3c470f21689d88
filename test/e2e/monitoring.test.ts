/** A fleet's story, seen by a real Prometheus: what is scraped, what dashboards show of it, and which alerts fire. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ALERTS } from '../../scripts/monitoring/alerts.ts';
import { type Prometheus, startPrometheus } from '../../src/local/prometheus.ts';
import { createMetrics } from '../../src/reconciler/metrics/index.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { type App, startApp } from '../support/app.ts';
import { cli } from '../support/cli.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';
import { filled, panels } from '../support/panels.ts';
import { ask, describeWithPrometheus } from '../support/prometheus.ts';
import { scaledRules } from '../support/scaled-rules.ts';

const SHIPPED = new URL('../../dashboards/', import.meta.url);
/** An hour is 20 s: for the rules, the cloud, and how long a host may be silent. */
const FACTOR = 180;
const SCRAPE_MS = 500;
const PATIENCE_MS = 90_000;

/** The alerts that the story gives cause for, and what in it does. */
const CAUSES = {
  EnclaveDeletionsHeld: 'the records of enc_gone-1 … 3 vanish at once',
  EnclaveDriftUnhealed: 'the host of enc_watched is stopped, and its policy is to tell, not to repair',
  EnclaveOrphans: 'there is a host of enc_nobody, which has no record',
  EnclaveReadyBudgetBurnsFast: 'enc_failing, one of few, is never ready',
  EnclaveReadyBudgetBurnsSlowly: 'enc_failing, one of few, is never ready',
  EnclaveReportsSilent: 'the host of enc_silent writes no report',
  EnclaveRunsFailing: 'all runs of enc_failing find no capacity',
  EnclaveStalled: 'enc_failing has used up its attempts',
};

const DRIFTED = 'sum(enclave_operator_drift_findings{attribute="host", severity="warning"})';
const GONE = ['enc_gone-1', 'enc_gone-2', 'enc_gone-3'];
const ADOPTED = ['enc_watched', 'enc_silent', ...GONE];

let folder: string;
let app: App;
let prometheus: Prometheus;
let began: number;

/** The shipped folder, on a faster clock. */
function hastened(): URL {
  const config = parse(readFileSync(new URL('prometheus.yml', SHIPPED), 'utf8'));
  config.global = { ...config.global, scrape_interval: `${SCRAPE_MS}ms`, evaluation_interval: `${SCRAPE_MS}ms` };
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  const rules = parse(readFileSync(new URL('alerts.yaml', SHIPPED), 'utf8'));
  writeFileSync(join(folder, 'alerts.yaml'), stringify(scaledRules(rules, FACTOR)));
  return pathToFileURL(`${folder}/`);
}

/** Hosts that run already, each with an agent, as if from before the operator. */
async function adopt(): Promise<void> {
  const at = new Date(Date.now() - 86_400_000).toISOString();
  const record = { status: 'DEPLOYED', createdAt: at, updatedAt: at };
  await app.embedded.sim('adoptable', { enclaveId: 'enc_gone', count: GONE.length, agent: true });
  for (const enclaveId of ['enc_watched', 'enc_silent']) {
    await app.embedded.sim('adoptable', { enclaveId, agent: true });
  }
  for (const id of ADOPTED) {
    await app.post(id, { ...record, ...(id === 'enc_watched' ? { policy: { drift: { mode: 'alert' } } } : {}) });
  }
  for (const id of ADOPTED) await app.untilItem(id, 'adopted', ({ operator }) => operator?.phase === 'ready');
}

/** Prometheus' answer to a query as of now: the labels of each series. */
async function now(query: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const { result } = (await ask(prometheus.url, 'query', { query })) as {
    result: { metric: Record<string, string> }[];
  };
  return result.map(({ metric }) => metric);
}

/** Names of the alerts that have fired since the story began. */
async function fired(): Promise<readonly string[]> {
  const sinceMs = Date.now() - began;
  const firing = await now(`group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[${sinceMs}ms]))`);
  return firing.map(({ alertname = '' }) => alertname).sort();
}

/** All values of each series that a query gave since the start, but for what is no number. */
async function seen(expr: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const query = { query: expr, start: String(began / 1_000), end: String(Date.now() / 1_000), step: '500ms' };
  const { result } = (await ask(prometheus.url, 'query_range', query)) as {
    result: { metric: Record<string, string>; values: [number, string][] }[];
  };
  return new Map(
    result.map(({ metric, values }) => [
      Object.values(metric).join(' '),
      values.map(([, value]) => Number(value)).filter((value) => Number.isFinite(value)),
    ]),
  );
}

describeWithPrometheus('a fleet that is deployed, drifts, is repaired, fails and is destroyed', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'enclave-monitoring-'));
    app = await startApp({
      speed: FACTOR,
      operatorEnv: {
        ENCLAVE_OPERATOR_REPORT_SILENCE_MS: String(900_000 / FACTOR),
        ENCLAVE_OPERATOR_RELIST_MS: '5000',
        ENCLAVE_OPERATOR_ENCLAVE_INFO_MAX: '100',
      },
    });
    await eventually('a leader', async () => (await fetch(`${app.embedded.stack.operator.url}/readyz`)).ok);
    prometheus = await startPrometheus({
      clock: systemClock,
      log: { debug() {}, info() {}, warn: console.warn, error: console.error },
      dataDir: folder,
      shipped: hastened(),
      operator: app.embedded.stack.operator.url,
      port: 0,
    });
    // Before the first scrape no operator is up, and that is told: the story begins after it.
    await eventually('a scrape, and no alert', async () => {
      const up = await now('up == 1').catch(() => []);
      return up.length === 1 && (await now('ALERTS')).length === 0;
    });
    began = Date.now();
  });
  beforeEach(() => printLogsOnFailure(app.embedded));
  afterAll(async () => {
    await prometheus?.stop();
    await app?.embedded.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('goes all its way', async () => {
    const { sim } = app.embedded;
    await adopt();
    await app.post('enc_plain');
    await app.until('enc_plain', 'DEPLOYED');

    // A repair takes less than the time between two scrapes: it begins when its cause was scraped.
    expect((await cli(['freeze', '--reason', 'until it was scraped'], { env: app.embedded.env })).code).toBe(0);
    await sim('stopHost', { enclaveId: 'enc_watched' });
    await sim('stopHost', { enclaveId: 'enc_plain' });
    await app.untilItem('enc_plain', 'drifted', (item) => app.condition(item, 'InSync') === 'False');
    await eventually('both are scraped', async () => (await now(`${DRIFTED} >= 2`)).length > 0);
    expect((await cli(['unfreeze'], { env: app.embedded.env })).code).toBe(0);
    await app.untilItem('enc_plain', 'repaired', (item) => app.condition(item, 'InSync') === 'True');

    await sim('freezeReports', { enclaveId: 'enc_silent' });
    await sim('orphan', { enclaveId: 'enc_nobody', ageMs: 3_600_000 });
    await sim('failRuns', { enclaveId: 'enc_failing', times: 5, class: 'capacity' });
    await app.post('enc_failing');
    await app.post('enc_invalid', { providerConfig: { dockerImage: 'nginx:1.27', cpuCount: '64' } });
    for (const id of GONE) await app.delete(id);

    await eventually('held deletions told', async () => (await fired()).includes('EnclaveDeletionsHeld'));
    expect((await cli(['confirm-deletions', '--yes'], { env: app.embedded.env })).code).toBe(0);
    await app.patch('enc_plain', 'PENDING_DESTROY');
    await app.until('enc_plain', 'DESTROYED');
    await app.untilItem('enc_failing', 'stalled', ({ operator }) => operator?.phase === 'stalled');
    for (const id of GONE) await eventually(`${id} is destroyed`, async () => (await app.inventory(id)).length === 0);
  });

  it('gives every alert that it gives cause for, and no other', async () => {
    const due = Object.keys(CAUSES);
    let known: readonly string[] = [];
    await eventually(
      'every alert that is due',
      async () => {
        known = await fired();
        return due.every((name) => known.includes(name));
      },
      PATIENCE_MS,
    ).catch(() => undefined);
    expect(known).toEqual(due);
  });

  it('is scraped in every metric that there is', async () => {
    const names = new Set((await ask(prometheus.url, 'label/__name__/values')) as readonly string[]);
    const unseen = createMetrics()
      .described.map(({ name, type }) => (type === 'histogram' ? `${name}_bucket` : name))
      .filter((name) => !names.has(name));
    expect(unseen).toEqual([]);
  });

  it.each(panels)('has something to show in %s', async (_, { targets }) => {
    for (const { expr } of targets) {
      // What stands in for no series at all would hide that there is none.
      const asked = filled(expr, '5s').replace(/ or vector\(\d\)$/, '');
      const values = [...(await seen(asked)).values()].flat();
      expect(values.length, expr).toBeGreaterThan(0);
    }
  });

  it.each(ALERTS)('has the series that $name asks for', async ({ expr }) => {
    const selectors = expr.match(/\b(enclave_operator_\w+|up\b)(\{[^}]*\})?/g) ?? [];
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) expect((await seen(selector)).size, selector).toBeGreaterThan(0);
  });

  it.each([
    ['Fleet: Enclaves by phase', 'ready', 6],
    ['Fleet: Drift now', 'host warning', 2],
    ['Fleet: Repairs', 'healed startHost', 1],
    ['Fleet: Orphans', '', 1],
    ['Fleet: Deletions held', '', 3],
    ['Operator: Leaders', '', 1],
    ['Runs: Failures by class', 'capacity', 3],
    ['Runs: Ended', 'destroy succeeded', 4],
  ])('is told in %s, of %s at least %d', async (title, series, least) => {
    const [, panel] = panels.find(([name]) => name === title) ?? [];
    const values = (await seen(filled(panel?.targets[0]?.expr ?? '', '5s'))).get(series) ?? [];
    expect(Math.max(...values)).toBeGreaterThanOrEqual(least);
  });
});
