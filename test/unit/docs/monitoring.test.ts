/** Dashboards, alerts and runbooks: they parse, name only what there is, and each alert is proved and explained. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { metricUses } from '../../../scripts/metric-uses.ts';
import { createMetrics } from '../../../src/reconciler/metrics/index.ts';
import { filled, panels } from '../../support/panels.ts';
import { describeWithPrometheus } from '../../support/prometheus.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDER = join(ROOT, 'dashboards');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
interface Case {
  readonly name: string;
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[];
}

const rules: readonly Rule[] = parse(readFileSync(join(FOLDER, 'alerts.yaml'), 'utf8')).groups.flatMap(
  ({ rules: some }: { rules: readonly Rule[] }) => some,
);
const cases: readonly Case[] = parse(readFileSync(join(FOLDER, 'alerts.test.yaml'), 'utf8')).tests;

const folder = mkdtempSync(join(tmpdir(), 'monitoring-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(rules.map((rule) => [rule.alert, rule] as const))('%s', (name, { labels, annotations }) => {
  it('has a severity, says what it means, and has a runbook', () => {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations).toMatchObject({ summary: expect.stringMatching(/./), description: expect.stringMatching(/./) });
    const page = join(ROOT, annotations.runbook_url ?? 'missing');
    expect(existsSync(page), page).toBe(true);
    expect(readFileSync(page, 'utf8').match(/^## .*/gm)).toEqual([
      '## Meaning',
      '## Impact',
      '## How to look',
      '## How to fix',
      '## How to prevent',
    ]);
  });

  it('has a case in which it fires and one in which it stays silent', () => {
    const own = cases.flatMap((each) => each.alert_rule_test.filter(({ alertname }) => alertname === name));
    expect(own.map(({ exp_alerts: expected }) => expected.length).sort()).toEqual([0, 1]);
  });
});

it.each(panels)('%s says what it shows, in which unit, and what it means to be empty', (_, panel) => {
  expect(panel.description).toMatch(/./);
  expect(panel.fieldConfig.defaults).toMatchObject({ unit: expect.any(String), noValue: expect.any(String) });
  expect(panel.targets.length).toBeGreaterThan(0);
});

it('asks only for metrics that are declared', () => {
  const known = new Set(
    createMetrics().described.flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  const queries = [
    ...rules.map(({ expr }) => expr),
    ...panels.flatMap(([, panel]) => panel.targets.map((t) => t.expr)),
  ];
  const named = queries.flatMap((expr) => expr.match(/enclave_operator_[a-z0-9_]+/g) ?? []);
  expect(named.length).toBeGreaterThan(queries.length / 2);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

it('uses every metric, but for those that say why not', () => {
  const { described } = createMetrics();
  const used = new Set(metricUses(described.map(({ name }) => name)).map(({ metric }) => metric));
  const unused = described.filter(({ name }) => !used.has(name));
  expect(unused.filter(({ unusedBecause = '' }) => unusedBecause === '').map(({ name }) => name)).toEqual([]);
  const needless = described.filter(({ name, unusedBecause }) => unusedBecause !== undefined && used.has(name));
  expect(needless).toEqual([]);
});

describeWithPrometheus('with promtool', () => {
  it('the alerts fire and stay silent as they should', () => {
    expect(promtool('test', 'rules', join(FOLDER, 'alerts.test.yaml'))).toBe(0);
  });

  it('the configuration is one that Prometheus takes', () => {
    expect(promtool('check', 'config', join(FOLDER, 'prometheus.yml'))).toBe(0);
  });

  it('the queries of all panels parse', () => {
    const records = panels.flatMap(([, panel]) => panel.targets.map(({ expr }) => filled(expr, '1m')));
    const file = join(folder, 'panels.yaml');
    const group = { name: 'panels', rules: records.map((expr, index) => ({ record: `panel_${index}`, expr })) };
    writeFileSync(file, stringify({ groups: [group] }));
    expect(promtool('check', 'rules', file)).toBe(0);
  });

  it('a query that is none is found', () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, stringify({ groups: [{ name: 'wrong', rules: [{ record: 'wrong', expr: 'sum by (' }] }] }));
    expect(promtool('check', 'rules', file)).not.toBe(0);
  });
});

function promtool(...args: readonly string[]): number | null {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (status !== 0) console.log(stdout, stderr);
  return status;
}
