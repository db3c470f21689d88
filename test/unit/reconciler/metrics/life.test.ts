/** What an enclave's life does to the metrics, on virtual time: each number changes when it should, and then only. */
import { describe, expect, it } from 'vitest';
import { keys } from '../../../../src/enclave/items/items.ts';
import type { Report } from '../../../../src/enclave/items/report.ts';
import type { Config } from '../../../../src/reconciler/config.ts';
import type { MemoryHost } from '../../../support/memory-hosts.ts';
import { risen, scrape } from '../../../support/scrape.ts';
import { type VirtualOperator, virtualOperator } from '../../../support/virtual-operator.ts';

const MINUTE = 60_000;
const ID = 'enc_1';
const LIFE = ['transitions_total', 'runs_total', 'repairs_total', 'time_to_', 'drift_heal', 'run_duration'];

/** The host's agent writes this of its enclave, over what it said before. */
function agentSays(v: VirtualOperator, state: string): void {
  const host = v.world.hosts.living(ID)[0] as MemoryHost;
  host.enclaveState = state as MemoryHost['enclaveState'];
  host.sequence += 1;
  const { pk, sk } = keys.report(ID, host.instanceId);
  const report = v.world.tables.state.get(pk, sk) as unknown as Report;
  const enclaves = report.enclaves.map((enclave) => ({ ...enclave, state }));
  v.world.tables.state.put({ ...report, pk, sk, enclaves, sequence: host.sequence });
}

async function deployed(config: Partial<Config> = {}) {
  const v = virtualOperator(config);
  const operator = v.start();
  await v.clock.advance(5_000);
  const before = await scrape(operator.metrics);
  v.post(ID);
  await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'ready');
  await v.clock.advance(MINUTE);
  return { v, operator, before, after: await scrape(operator.metrics) };
}

describe('an enclave', () => {
  it('that is deployed is one run, one way to ready', async () => {
    const { operator, before, after } = await deployed();
    expect(risen(before, after, ...LIFE)).toMatchObject({
      'runs_total{action="deploy",outcome="succeeded",class="none"}': 1,
      'run_duration_seconds_count{action="deploy"}': 1,
      time_to_ready_seconds_count: 1,
      'transitions_total{from="verifying",to="ready"}': 1,
    });
    // What does not exist yet is no drift.
    expect(risen(before, after, 'drift_', 'repairs_total')).toEqual({});
    expect(after.get('enclaves{phase="ready"}')).toBe(1);
    expect(after.get('leader')).toBe(1);
    await operator.stop();
    expect((await scrape(operator.metrics)).has('enclaves{phase="ready"}')).toBe(false);
  });

  it('that rests changes nothing but what counts looks', async () => {
    const { v, operator, after } = await deployed();
    await v.clock.advance(30 * MINUTE);
    const later = await scrape(operator.metrics);
    expect(risen(after, later, ...LIFE)).toEqual({});
    expect(risen(after, later, 'relist_repaired', 'feed_gaps', 'workqueue_retries')).toEqual({});
    expect(risen(after, later, 'reconcile_total')).toEqual({ 'reconcile_total{result="done"}': expect.any(Number) });
    for (const name of ['feed_polls_total{feed="records"}', 'relist_duration_seconds_count', 'workqueue_adds_total']) {
      expect(risen(after, later, name)[name], name).toBeGreaterThan(0);
    }
    await operator.stop();
  });

  it('whose host was stopped is one repair begun and one healed', async () => {
    const { v, operator, after } = await deployed();
    const [host] = v.world.hosts.living(ID);
    await v.world.hosts.stop('us-west-2', host?.instanceId ?? '');
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen');
    const seen = await scrape(operator.metrics);
    expect(seen.get('drift_findings{attribute="host",severity="warning"}')).toBe(1);
    await v.until(() => v.lifecycle(ID)?.drift === undefined && v.lifecycle(ID)?.phase === 'ready', 'healed');
    await v.clock.advance(5 * MINUTE);
    const later = await scrape(operator.metrics);
    expect(risen(after, later, 'repairs_total', 'drift_', 'time_to_')).toEqual({
      'repairs_total{rung="startHost",outcome="begun"}': 1,
      'repairs_total{rung="startHost",outcome="healed"}': 1,
      drift_detect_seconds_count: 1,
      drift_heal_seconds_count: 1,
    });
    const detected = later.get('drift_detect_seconds_sum');
    expect(detected).toBeGreaterThan(0);
    expect(detected).toBeLessThanOrEqual((2 * v.config.sweepMs) / 1_000);
    expect(later.get('drift_findings{attribute="host",severity="warning"}')).toBe(0);
    await operator.stop();
  });

  it('whose host was changed is a finding of the host and of security, one repair begun and one healed', async () => {
    const { v, operator, after } = await deployed();
    const [host] = v.world.hosts.living(ID);
    if (host === undefined) throw new Error('no host');
    v.world.hosts.alter(host, { metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } });
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen');
    const seen = await scrape(operator.metrics);
    expect(seen.get('drift_findings{attribute="host",severity="warning"}')).toBe(1);
    expect(seen.get('drift_findings{attribute="secure",severity="security"}')).toBe(1);
    await v.until(() => v.lifecycle(ID)?.drift === undefined && v.lifecycle(ID)?.phase === 'ready', 'healed');
    await v.clock.advance(5 * MINUTE);
    const later = await scrape(operator.metrics);
    expect(risen(after, later, 'repairs_total', 'drift_')).toEqual({
      'repairs_total{rung="apply",outcome="begun"}': 1,
      'repairs_total{rung="apply",outcome="healed"}': 1,
      drift_detect_seconds_count: 1,
      drift_heal_seconds_count: 1,
    });
    expect(later.get('drift_findings{attribute="secure",severity="security"}')).toBe(0);
    await operator.stop();
  });

  it('whose host had to be restarted is one repair of that rung, though it is stopped and started', async () => {
    const { v, operator, after } = await deployed();
    agentSays(v, 'TERMINATING');
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen');
    await v.until(() => v.lifecycle(ID)?.drift === undefined && v.lifecycle(ID)?.phase === 'ready', 'healed');
    expect(risen(after, await scrape(operator.metrics), 'repairs_total', 'drift_')).toEqual({
      'repairs_total{rung="restartHost",outcome="begun"}': 1,
      'repairs_total{rung="restartHost",outcome="healed"}': 1,
      drift_heal_seconds_count: 1,
    });
    await operator.stop();
  });

  it('that only a run healed is healed by that rung, and not by the one that was tried before', async () => {
    const { v, operator, after } = await deployed({ repairAttempts: 1 });
    operator.connection.faults.before('hosts.start', () => {
      v.world.hosts.terminate(v.world.hosts.living(ID)[0] as MemoryHost);
    });
    await v.world.hosts.stop('us-west-2', v.world.hosts.living(ID)[0]?.instanceId ?? '');
    await v.until(() => v.executions(ID).length === 2, 'a run that repairs');
    await v.until(() => v.lifecycle(ID)?.drift === undefined && v.lifecycle(ID)?.phase === 'ready', 'healed');
    expect(risen(after, await scrape(operator.metrics), 'repairs_total')).toEqual({
      'repairs_total{rung="startHost",outcome="begun"}': 1,
      'repairs_total{rung="apply",outcome="begun"}': 1,
      'repairs_total{rung="apply",outcome="healed"}': 1,
    });
    await operator.stop();
  });

  it('whose next difference ends by itself is not healed by the repair of the last', async () => {
    const { v, operator } = await deployed();
    const instanceId = v.world.hosts.living(ID)[0]?.instanceId ?? '';
    await v.world.hosts.stop('us-west-2', instanceId);
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen');
    await v.until(() => v.lifecycle(ID)?.drift === undefined && v.lifecycle(ID)?.phase === 'ready', 'healed');
    const healed = await scrape(operator.metrics);
    agentSays(v, 'TERMINATING');
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen');
    agentSays(v, 'RUNNING');
    await v.until(() => v.lifecycle(ID)?.drift === undefined, 'gone');
    expect(risen(healed, await scrape(operator.metrics), 'repairs_total', 'drift_heal')).toEqual({
      drift_heal_seconds_count: 1,
    });
    await operator.stop();
  });

  it('that is destroyed is one run, and one end', async () => {
    const { v, operator, after } = await deployed();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'gone');
    const later = await scrape(operator.metrics);
    expect(risen(after, later, 'runs_total', 'time_to_')).toEqual({
      'runs_total{action="destroy",outcome="succeeded",class="none"}': 1,
      time_to_destroy_seconds_count: 1,
    });
    await operator.stop();
  });
});

describe('a standby', () => {
  it('tells nothing of the fleet', async () => {
    const { v, operator } = await deployed();
    const standby = v.start();
    await v.clock.advance(MINUTE);
    const series = await scrape(standby.metrics);
    expect(series.get('leader')).toBe(0);
    expect(
      [...series.keys()].filter((name) => /^(enclaves|conditions|oldest_in_phase|drift_findings)/.test(name)),
    ).toEqual([]);
    operator.connection.kill();
    await v.clock.advance(MINUTE);
    expect((await scrape(standby.metrics)).get('enclaves{phase="ready"}')).toBe(1);
    await standby.stop();
  });
});
