/** The plan scheduler on virtual time: when enclaves are planned, in which runs, and what follows from a result. */
import { describe, expect, it } from 'vitest';
import type { FleetRunItem } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { RawRecord } from '../../src/reconciler/ports/index.ts';
import { DRIFTED, deployReady, planLedger, quietOperator } from '../support/quiet-operator.ts';
import { scrape } from '../support/scrape.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

const items = (v: VirtualOperator) =>
  v.world.tables.history.partition(keys.fleetRuns) as unknown as readonly FleetRunItem[];
const planned = (v: VirtualOperator, id = ID) => v.lifecycle(id)?.planned;

const DRIFT_SUCCEEDED = 'runs_total{action="drift",outcome="succeeded",class="none"}';
const DRIFT_FAILED = 'runs_total{action="drift",outcome="failed",class="unknown"}';

describe('drift runs', () => {
  it('plans an enclave within a day of its deployment, then a day later, give or take a fifth', async () => {
    const v = quietOperator();
    const summary = { create: 0, update: 3, replace: 0, delete: 0 };
    v.world.runs.fleet.plan = () => ({ drifted: false, planDigest: 'none', summary });
    const { metrics } = v.start();
    await deployReady(v, [ID]);
    const readyAt = v.clock.now();
    await v.until(() => planned(v) !== undefined, 'a first plan', 24 * HOUR);
    expect(planned(v)).toMatchObject({ verdict: 'Match', generation: 1, failures: 0 });
    const first = Date.parse(planned(v)!.at);
    expect(first - readyAt).toBeLessThan(24 * HOUR);
    await v.until(() => planned(v)!.run !== 'drift-1-1', 'a second plan', 36 * HOUR);
    const pauseMs = Date.parse(planned(v)!.askedAt) - first;
    expect(pauseMs).toBeGreaterThan(0.8 * 24 * HOUR);
    expect(pauseMs).toBeLessThan(1.2 * 24 * HOUR + 1.1 * HOUR);
    await v.until(() => planLedger(v)?.runs.length === 0, 'the ledger empty');
    const told = await scrape(metrics);
    expect(told.get(DRIFT_SUCCEEDED)).toBe(2);
    expect(told.get('plans_total{verdict="match",class="none"}')).toBe(2);
    expect(told.get('plan_changes_total{kind="update"}')).toBe(6);
  });

  it('plans what is wanted of many in runs of twenty, never more at once than the cap', async () => {
    const v = quietOperator({ maxRuns: 50, runInstancesPerSecond: 0, maxDriftRuns: 2, driftRunSize: 20 });
    const ids = Array.from({ length: 90 }, (_, n) => `enc_${n}`);
    v.start();
    await deployReady(v, ids);
    await v.until(() => ids.every((id) => planned(v, id) !== undefined), 'all planned', 24 * HOUR);
    const sizes = items(v).map(({ enclaves }) => enclaves.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
    const all = items(v).flatMap(({ enclaves }) => enclaves.map(({ id }) => id));
    expect(new Set(all).size).toBe(all.length);
    expect(v.world.runs.fleet.peak).toBeLessThanOrEqual(2);
  });

  it('holds a slot of the run cap, and leaves the last one to whoever waits', async () => {
    const v = quietOperator({ maxRuns: 1, maxDriftRuns: 5, driftEveryMs: HOUR });
    v.world.runs.fleet.planMs = 20 * MINUTE;
    v.start();
    await deployReady(v, [ID]);
    await v.until(() => v.world.runs.fleet.executions.size === 1, 'a drift run', 2 * HOUR);
    v.post('enc_2');
    await v.clock.advance(10 * MINUTE);
    expect(v.executions('enc_2')).toEqual([]);
    await v.until(() => v.status('enc_2') === 'DEPLOYED', 'deployed once the run was over');
  });

  it('begins none while all slots are taken, however long a plan is due', async () => {
    const v = quietOperator({ maxRuns: 1, driftEveryMs: HOUR, deployDeadlineMs: 10 * HOUR });
    v.world.runs.script = ({ id }) => (id === 'enc_2' ? { workMs: 4 * HOUR } : {});
    v.start();
    await deployReady(v, [ID]);
    v.post('enc_2');
    await v.until(() => v.world.runs.executions.size === 2, 'at work');
    await v.clock.advance(3.5 * HOUR);
    expect(v.world.runs.fleet.executions.size).toBe(0);
    await v.until(() => planned(v) !== undefined, 'planned once a slot was free', 2 * HOUR);
  });

  it.each([
    { why: 'drift is off', policy: { drift: { mode: 'off' } } },
    { why: 'it is suspended', policy: { suspend: { reason: 'a test' } } },
  ])('plans none where $why', async ({ policy }) => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.start();
    await deployReady(v, [ID]);
    v.world.updateRecord(ID, { policy });
    await v.clock.advance(12 * HOUR);
    expect(items(v)).toEqual([]);
  });

  it('plans none of an adopted host that nothing has prepared, and none that is paused', async () => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.start();
    v.world.hosts.launch({
      enclaveId: ID,
      region: 'us-west-2',
      generation: 1,
      enclave: { name: 'enclave', cpuCount: 2, memoryMiB: 1_024, debug: false },
      launchedBy: 'the incumbent',
      reports: false,
    });
    v.post(ID, { status: 'DEPLOYED' });
    await deployReady(v, ['enc_2']);
    v.command('enc_2', 'PAUSING');
    await v.until(() => v.status('enc_2') === 'PAUSED', 'paused');
    expect(v.lifecycle(ID)?.adopted).toBe(true);
    await v.clock.advance(12 * HOUR);
    expect(items(v)).toEqual([]);
  });

  it('starts none while the fleet is frozen, and catches up afterwards', async () => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.start();
    await deployReady(v, [ID]);
    v.freeze();
    await v.clock.advance(8 * HOUR);
    expect(items(v)).toEqual([]);
    v.unfreeze();
    await v.until(() => planned(v) !== undefined, 'planned');
  });

  it('remembers what differs, shows it in InSync, and tells it once', async () => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.world.runs.fleet.plan = () => DRIFTED;
    v.start();
    await deployReady(v, [ID]);
    await v.until(() => planned(v) !== undefined, 'planned', 4 * HOUR);
    expect(planned(v)).toMatchObject({ verdict: 'Drift', digest: 'd1', differences: DRIFTED.differences });
    const inSync = v.condition(ID, 'InSync');
    expect(inSync).toMatchObject({ status: 'False', message: expect.stringContaining('role.policies') });
    const { run } = planned(v)!;
    await v.until(() => planned(v)!.run !== run, 'planned again', 6 * HOUR);
    expect(v.reasons(ID).filter((reason) => reason === 'PlanFoundDrift')).toHaveLength(1);
  });

  it('drops what another run has overtaken, and plans anew', async () => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.world.runs.fleet.planMs = 30 * MINUTE;
    v.world.runs.fleet.plan = () => DRIFTED;
    v.start();
    await deployReady(v, [ID]);
    await v.until(() => v.world.runs.fleet.executions.size === 1, 'a drift run', 4 * HOUR);
    v.world.runs.fleet.plan = () => ({ drifted: false, differences: [], planDigest: 'none' });
    const record = v.world.record(ID) as RawRecord;
    const providerConfig = { ...(record.providerConfig as object), dockerImage: 'nginx:1.28' };
    v.world.updateRecord(ID, { providerConfig, updatedAt: v.clock.iso() });
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2, 'updated');
    v.world.runs.fleet.plan = () => DRIFTED;
    await v.until(() => [...v.world.runs.fleet.executions.values()].every(({ state }) => state !== 'running'), 'over');
    await v.until(() => planLedger(v)?.runs.length === 0, 'the ledger empty');
    expect(planned(v)).toBeUndefined();
    await v.until(() => planned(v) !== undefined, 'planned anew', 6 * HOUR);
    expect(planned(v)).toMatchObject({ generation: 2 });
  });

  it('takes a failed plan for no drift, tells it, and tries again ever later', async () => {
    const v = quietOperator({ driftEveryMs: 2 * HOUR });
    v.world.runs.fleet.plan = () => ({ failure: { class: 'throttled', message: 'slow down' } });
    v.start();
    await deployReady(v, [ID]);
    const asked: number[] = [];
    for (let n = 1; n <= 4; n += 1) {
      await v.until(() => planned(v)?.failures === n, `failure ${n}`, 24 * HOUR);
      asked.push(Date.parse(planned(v)!.askedAt));
    }
    expect(planned(v)).toMatchObject({ verdict: 'Unknown', failure: { class: 'throttled' } });
    const inSync = v.condition(ID, 'InSync');
    expect(inSync).toMatchObject({ status: 'True', message: expect.stringContaining('no full plan could be made') });
    expect(asked[3]! - asked[2]!).toBeGreaterThan(1.5 * (asked[2]! - asked[1]!));
    v.world.runs.fleet.plan = () => ({ drifted: false, planDigest: 'none' });
    await v.until(() => planned(v)?.verdict === 'Match', 'a plan', 48 * HOUR);
    expect(planned(v)?.failures).toBe(0);
    expect(v.reasons(ID)).toContain('PlanFailed');
  });

  it('settles a run that is lost, and its enclaves come due again', async () => {
    const v = quietOperator({ driftEveryMs: 4 * HOUR });
    v.world.runs.fleet.dies = (name) => name.endsWith('-1');
    const { metrics } = v.start();
    await deployReady(v, [ID]);
    await v.until(() => planned(v) !== undefined, 'the loss is noticed', 6 * HOUR);
    expect(planned(v)).toMatchObject({ verdict: 'Unknown', lost: true, failures: 1 });
    expect(items(v)[0]?.outcome).toMatchObject({ result: 'failed', by: 'operator' });
    await v.until(() => planned(v)?.verdict === 'Match', 'planned again, soon', 2 * HOUR);
    await v.until(() => planLedger(v)?.runs.length === 0, 'the ledger empty');
    const told = await scrape(metrics);
    expect(told.get(DRIFT_FAILED)).toBe(1);
    expect(told.get('plans_total{verdict="unknown",class="unknown"}')).toBe(1);
  });

  it('gives up a run that passes its deadline', async () => {
    const v = quietOperator({ driftEveryMs: 4 * HOUR });
    v.world.runs.fleet.planMs = 10 * HOUR;
    v.start();
    await deployReady(v, [ID]);
    await v.until(() => planned(v) !== undefined, 'given up', 7 * HOUR);
    expect([...v.world.runs.fleet.executions.values()][0]).toMatchObject({ state: 'failed' });
    expect(planned(v)).toMatchObject({ verdict: 'Unknown', lost: true });
  });

  it('a restart plans nothing early, and starts nothing twice', async () => {
    const v = quietOperator({ maxRuns: 50, runInstancesPerSecond: 0, driftEveryMs: 8 * HOUR });
    const ids = Array.from({ length: 30 }, (_, n) => `enc_${n}`);
    let operator = v.start();
    await deployReady(v, ids);
    for (let restarts = 0; restarts < 14; restarts += 1) {
      operator.connection.kill();
      operator = v.start();
      await v.clock.advance(25 * MINUTE);
    }
    const plannedOf = items(v).flatMap(({ enclaves }) => enclaves.map(({ id }) => id));
    expect(new Set(plannedOf).size).toBe(plannedOf.length);
  });
});
