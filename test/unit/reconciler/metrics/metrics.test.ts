/** Metrics: declared once, in closed sets, at 0 from the start; the fleet told by who leads. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PHASES } from '../../../../src/enclave/items/lifecycle.ts';
import { FleetStatistics } from '../../../../src/reconciler/fleet/statistics.ts';
import { AWS_OPERATIONS } from '../../../../src/reconciler/metrics/aws.ts';
import { collectProcessMetrics, createMetrics, type FleetSource } from '../../../../src/reconciler/metrics/index.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { risen, scrape } from '../../../support/scrape.ts';

const FLEET = [
  ...['enclaves{', 'conditions{', 'oldest_in_phase_seconds{', 'drift_findings{'],
  ...['breaker_open', 'orphans', 'enclaves_conflicting', 'deletions_held'],
];
const NOW = Date.parse('2026-01-02T00:00:00.000Z');

function leading(tally: FleetStatistics, over: Partial<FleetSource> = {}) {
  const metrics = createMetrics();
  metrics.leading(7);
  metrics.fleet.source({
    now: () => NOW,
    survey: () => tally.survey(),
    info: () => tally.some(0),
    openBreakers: () => 0,
    orphans: () => 0,
    conflicting: () => 0,
    deletionsHeld: () => 0,
    ...over,
  });
  return metrics;
}

describe('what is declared', () => {
  const { described } = createMetrics();

  it('has the prefix, a meaning and a unit, once each', () => {
    const names = described.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, help, unit } of described) {
      expect(name).toMatch(/^enclave_operator_[a-z_]+$/);
      expect(help).toMatch(/\.$/);
      expect(unit).not.toBe('');
    }
  });

  it('says in its name what it is', () => {
    for (const { name, type, unit } of described) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      if (unit === 'seconds') expect(name).toMatch(/_seconds$/);
    }
  });

  it('is all that is served, and nothing but it', async () => {
    const metrics = createMetrics();
    const served = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    expect(served.sort()).toEqual(metrics.described.map(({ name }) => name).sort());
  });

  it.each(described.map(({ name }) => name))('%s is in the reference', (name) => {
    expect(readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8')).toContain(`## ${name}\n`);
  });
});

describe('cardinality', () => {
  it('does not grow with the fleet, and names neither enclave nor wallet', async () => {
    const sizes: number[] = [];
    for (const size of [1, 500]) {
      const tally = new FleetStatistics();
      for (let n = 0; n < size; n += 1) tally.onUpsert(`enc_${n}`, aLifecycle(`enc_${n}`));
      const metrics = leading(tally);
      collectProcessMetrics(metrics.registry);
      const text = await metrics.registry.metrics();
      expect(text).not.toMatch(/enc_\d|0x[0-9a-f]/i);
      sizes.push((await scrape(metrics)).size);
    }
    // Node tells of one series more or less a resource that is open.
    expect(Math.abs((sizes[1] ?? 0) - (sizes[0] ?? 0))).toBeLessThan(20);
    expect(Math.max(...sizes)).toBeLessThan(2_000);
  });

  it('stays as declared whatever an operation of AWS is called', async () => {
    const metrics = createMetrics();
    const before = await scrape(metrics);
    for (let n = 0; n < 100; n += 1) metrics.aws.called('ec2', `Operation${n}`, 'ok', 0.1);
    metrics.aws.called('ec2', 'GetItem', 'ok', 0.1);
    const after = await scrape(metrics);
    expect(after.size).toBe(before.size);
    expect(risen(before, after, 'aws_requests_total')).toEqual({
      'aws_requests_total{service="ec2",operation="other",code="ok"}': 101,
    });
  });

  it('knows each operation that an adapter calls, and no other', () => {
    const folder = new URL('../../../../src/aws/', import.meta.url);
    const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const adapters = all.filter((file) => file.endsWith('.ts'));
    const source = adapters.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('');
    const called = [...source.matchAll(/new (\w+)Command\(/g)].map(([, operation]) => operation);
    expect(called.length).toBeGreaterThan(20);
    expect([...new Set(called)].sort()).toEqual([...new Set(Object.values(AWS_OPERATIONS).flat())].sort());
  });

  it('is capped where enclaves are named', async () => {
    const tally = new FleetStatistics();
    for (let n = 0; n < 10; n += 1) tally.onUpsert(`enc_${n}`, aLifecycle(`enc_${n}`));
    const metrics = leading(tally, { info: () => tally.some(3) });
    const named = async () => [...(await scrape(metrics)).keys()].filter((name) => name.startsWith('enclave_info'));
    expect(await named()).toHaveLength(3);
    tally.onDelete('enc_0');
    // Made anew at each scrape: of an enclave that is gone nothing is left.
    expect((await named()).join()).not.toContain('enc_0');
    expect(await named()).toHaveLength(3);
  });
});

describe('from the start', () => {
  it('has every counter and histogram at 0, in every combination that occurs', async () => {
    const series = await scrape(createMetrics());
    expect(series.get('reconcile_total{result="error"}')).toBe(0);
    expect(series.get('runs_total{action="deploy",outcome="failed",class="capacity"}')).toBe(0);
    expect(series.has('runs_total{action="deploy",outcome="succeeded",class="capacity"}')).toBe(false);
    expect(series.get('runs_total{action="drift",outcome="succeeded",class="none"}')).toBe(0);
    expect(series.get('runs_total{action="drift",outcome="failed",class="permission"}')).toBe(0);
    expect(series.get('repairs_total{rung="restartEnclave",outcome="healed"}')).toBe(0);
    expect(series.get('transitions_total{from="none",to="pending"}')).toBe(0);
    expect(series.has('transitions_total{from="ready",to="ready"}')).toBe(false);
    expect(series.get('run_duration_seconds_count{action="drift"}')).toBe(0);
    expect(series.get('time_to_ready_seconds_count')).toBe(0);
  });
});

describe('the fleet', () => {
  const ofFleet = (series: ReadonlyMap<string, number>) =>
    [...series.keys()].filter((name) => FLEET.some((one) => name.startsWith(one)));

  it('is counted by phase, condition and drift', async () => {
    const tally = new FleetStatistics();
    const since = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();
    const condition = (type: 'InSync' | 'Secure', status: 'True' | 'False') => ({
      ...{ type, status, message: '', observedGeneration: 1, lastTransitionTime: since(0) },
      reason: 'Running' as const,
    });
    tally.onUpsert('a', { ...aLifecycle('a'), phase: 'ready', phaseSince: since(60), conditions: [] });
    tally.onUpsert('b', {
      ...aLifecycle('b'),
      phase: 'ready',
      phaseSince: since(90),
      conditions: [condition('InSync', 'False'), condition('Secure', 'False')],
      drift: { fingerprint: 'host:HostStopped', seen: 2, since: since(5), observedAt: 1 },
    });
    tally.onUpsert('c', { ...aLifecycle('c'), phase: 'stalled', phaseSince: since(10) });
    tally.onUpsert('c', { ...aLifecycle('c'), phase: 'destroying', phaseSince: since(3) });
    const series = await scrape(leading(tally, { openBreakers: () => 1, orphans: () => 4, deletionsHeld: () => 3 }));
    expect(series.get('enclaves{phase="ready"}')).toBe(2);
    expect(series.get('enclaves{phase="stalled"}')).toBe(0);
    expect(series.get('enclaves{phase="destroying"}')).toBe(1);
    expect(series.get('oldest_in_phase_seconds{phase="ready"}')).toBe(90);
    expect(series.get('oldest_in_phase_seconds{phase="stalled"}')).toBe(0);
    expect(series.get('conditions{type="InSync",status="False"}')).toBe(1);
    expect(series.get('conditions{type="InSync",status="True"}')).toBe(0);
    expect(series.get('drift_findings{attribute="host",severity="warning"}')).toBe(1);
    expect(series.get('drift_findings{attribute="secure",severity="security"}')).toBe(1);
    expect(series.get('breaker_open')).toBe(1);
    expect(series.get('orphans')).toBe(4);
    expect(series.get('deletions_held')).toBe(3);
    tally.onDelete('b');
    const next = await scrape(leading(tally));
    expect(next.get('enclaves{phase="ready"}')).toBe(1);
    expect(next.get('conditions{type="Secure",status="False"}')).toBe(0);
  });

  const insecure = (reason: string) => ({
    ...{ type: 'Secure', status: 'False' as const, reason, message: '' },
    ...{ observedGeneration: 1, lastTransitionTime: new Date(NOW).toISOString() },
  });
  const drift = { fingerprint: 'host:gone', seen: 2, since: new Date(NOW).toISOString(), observedAt: 1 };
  const empty = { doneAt: new Date(NOW).toISOString(), emptySeen: 1, observedAt: 1 };

  it.each([
    ['a destroyed enclave', { phase: 'destroyed' as const }],
    ['an enclave of which a destroy run has left nothing', { phase: 'destroying' as const, teardown: empty }],
  ])('%s counts in its phase and in no condition or finding', async (_, gone) => {
    const tally = new FleetStatistics();
    tally.onUpsert('a', { ...aLifecycle('a'), conditions: [insecure('DebugEnclave')], drift, ...gone });
    const series = await scrape(leading(tally));
    expect(series.get(`enclaves{phase="${gone.phase}"}`)).toBe(1);
    const counted = [...series].filter(([name, value]) => /^(conditions|drift_findings)\{/.test(name) && value > 0);
    expect(counted).toEqual([]);
  });

  it('counts requested debug mode as a low finding, not a security finding', async () => {
    const tally = new FleetStatistics();
    tally.onUpsert('a', { ...aLifecycle('a'), phase: 'ready', conditions: [insecure('DebugRequested')] });
    tally.onUpsert('b', { ...aLifecycle('b'), phase: 'ready', conditions: [insecure('DebugEnclave')] });
    tally.onUpsert('c', { ...aLifecycle('c'), phase: 'destroying', conditions: [insecure('DebugEnclave')] });
    const series = await scrape(leading(tally));
    expect(series.get('drift_findings{attribute="secure",severity="low"}')).toBe(1);
    expect(series.get('drift_findings{attribute="secure",severity="security"}')).toBe(2);
  });

  it('is told by the leader alone, and no longer once it does not lead', async () => {
    const metrics = leading(new FleetStatistics());
    expect(ofFleet(await scrape(metrics)).length).toBeGreaterThan(2 * PHASES.length);
    expect((await scrape(metrics)).get('lease_epoch')).toBe(7);
    metrics.fleet.source(undefined);
    metrics.leading(undefined);
    const standby = await scrape(metrics);
    expect(ofFleet(standby)).toEqual([]);
    expect(standby.has('lease_epoch')).toBe(false);
    expect(standby.get('leader')).toBe(0);
    expect(standby.get('lease_transitions_total{to="leader"}')).toBe(1);
    expect(standby.get('lease_transitions_total{to="standby"}')).toBe(1);
  });

  it('is not told before all of it was listed', async () => {
    const series = await scrape(
      leading(new FleetStatistics(), { survey: () => undefined, deletionsHeld: () => undefined }),
    );
    expect([...series.keys()].filter((name) => /^(enclaves{|deletions_held)/.test(name))).toEqual([]);
  });
});
