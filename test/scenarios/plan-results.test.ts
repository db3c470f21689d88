/** Plan results: items that a run's end writes and an enclave's reconcile consumes, whatever dies in between. */
import { describe, expect, it } from 'vitest';
import type { PlanResult } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { type Config, ConfigSchema } from '../../src/reconciler/config.ts';
import type { ReconcileContext } from '../../src/reconciler/reconcile/context.ts';
import { driftSubject } from '../../src/reconciler/reconcile/plan-request.ts';
import { aLifecycle } from '../support/conformance-harness.ts';
import { DRIFTED, deployReady, planLedger, quietOperator } from '../support/quiet-operator.ts';
import { scrape } from '../support/scrape.ts';
import { HOUR } from '../support/time.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

const waiting = (v: VirtualOperator, id = ID) =>
  v.world.tables.state.partition(keys.planResults(id)) as unknown as readonly PlanResult[];
const planned = (v: VirtualOperator, id = ID) => v.lifecycle(id)?.planned;
const found = (v: VirtualOperator, id = ID) =>
  v
    .events(id)
    .filter(({ reason }) => reason === 'PlanFoundDrift')
    .reduce((sum, { count }) => sum + Number(count), 0);
const runsOf = (v: VirtualOperator) => v.world.tables.history.partition(keys.fleetRuns);

/** Deployed, and planned for the first time within four hours: every plan finds drift. */
async function deployed(ids: readonly string[] = [ID], config: Partial<Config> = {}) {
  const v = quietOperator({ driftEveryMs: 4 * HOUR, ...config });
  v.world.runs.fleet.plan = () => DRIFTED;
  const operator = v.start();
  await deployReady(v, ids);
  return { v, ...operator };
}

describe('a plan result', () => {
  it('is consumed with the commit that takes it into the lifecycle, and the run leaves the ledger', async () => {
    const { v } = await deployed();
    await v.until(() => waiting(v).length === 1, 'delivered', 5 * HOUR);
    expect(waiting(v)[0]).toMatchObject({ id: ID, run: 'drift-1-1', lost: false, drifted: true, planDigest: 'd1' });
    await v.until(() => planned(v) !== undefined, 'consumed');
    expect(waiting(v)).toEqual([]);
    expect(planned(v)).toMatchObject({ run: 'drift-1-1', verdict: 'Drift' });
    expect(planLedger(v)?.runs).toEqual([]);
    expect(found(v)).toBe(1);
  });

  it('is delivered again where the leader dies before the run is off the ledger, and counts once', async () => {
    const { v, connection } = await deployed();
    connection.faults.crashAfter('fleetRuns.deliver');
    await v.until(() => waiting(v).length === 1, 'delivered', 5 * HOUR);
    expect(planLedger(v)?.runs).toHaveLength(1);
    const { metrics } = v.start();
    await v.until(() => planned(v) !== undefined, 'consumed by the next leader', HOUR);
    await v.until(() => planLedger(v)?.runs.length === 0, 'off the ledger', HOUR);
    await v.until(() => waiting(v).length === 0, 'what was delivered twice is consumed twice', HOUR);
    expect(planned(v)).toMatchObject({ run: 'drift-1-1', failures: 0 });
    expect(found(v)).toBe(1);
    expect((await scrape(metrics)).get('plans_total{verdict="drift",class="none"}')).toBe(1);
  });

  it.each([
    { operation: 'fleetRuns.deliver', why: 'before any is written' },
    { operation: 'state.commit', why: 'before it is consumed' },
  ])('is not lost where the leader dies at $operation, $why', async ({ operation }) => {
    const { v, connection } = await deployed();
    await v.until(() => v.world.runs.fleet.executions.size === 1, 'a plan run', 5 * HOUR);
    connection.faults.crashBefore(operation);
    await v.until(() => connection.faults.killed, 'dead', HOUR);
    expect(planned(v)).toBeUndefined();
    v.start();
    await v.until(() => planned(v) !== undefined, 'consumed by the next leader', HOUR);
    await v.until(() => waiting(v).length === 0, 'consumed', HOUR);
    expect(planned(v)?.run).toBe('drift-1-1');
    expect(runsOf(v)).toHaveLength(1);
    expect(found(v)).toBe(1);
  });

  it('is written, and taken in, where writes fail for a while', async () => {
    const { v, connection } = await deployed([ID], { runBackstopMs: 5 * HOUR });
    await v.until(() => v.world.runs.fleet.executions.size === 1, 'a plan run', 5 * HOUR);
    connection.faults.failNext('fleetRuns.deliver', new Error('said a test'), 3);
    connection.faults.loseNextReply('fleetRuns.commit', new Error('said a test'), 1);
    await v.until(() => planned(v) !== undefined, 'consumed', HOUR);
    await v.until(() => planLedger(v)?.runs.length === 0 && waiting(v).length === 0, 'off the ledger', HOUR);
    expect(planned(v)).toMatchObject({ run: 'drift-1-1', verdict: 'Drift' });
    expect(found(v)).toBe(1);
  });

  it('keeps its enclave out of the next run until it is consumed', async () => {
    const { v, connection } = await deployed();
    await v.until(() => v.world.runs.fleet.executions.size === 1, 'a plan run', 5 * HOUR);
    const heal = connection.faults.before('state.commit', () => {
      throw new Error('said a test');
    });
    await v.until(() => planLedger(v)?.runs.length === 0, 'delivered', HOUR);
    expect(waiting(v)).toHaveLength(1);
    await v.clock.advance(3 * HOUR);
    expect(runsOf(v)).toHaveLength(1);
    heal();
    await v.until(() => planned(v) !== undefined, 'consumed', HOUR);
    await v.until(() => runsOf(v).length === 2, 'planned again', 6 * HOUR);
  });

  it('is consumed and ignored where another run has ended since', async () => {
    const { v } = await deployed();
    const lifecycle = v.lifecycle(ID)!;
    const stale: PlanResult = {
      ...{ v: 1, minReader: 1, id: ID, generation: lifecycle.generation, startedAt: lifecycle.commandAt },
      ...{ at: lifecycle.commandAt, askedAt: lifecycle.commandAt, run: 'drift-0-1', lost: false, ...DRIFTED },
    };
    v.world.tables.state.put({ ...stale, ...keys.planResult(ID, stale.run) });
    await v.until(() => waiting(v).length === 0, 'consumed');
    expect(planned(v)).toBeUndefined();
    expect(found(v)).toBe(0);
  });

  it('is discarded where its enclave is gone, and says nothing of a later enclave of that id', async () => {
    const { v, stop } = await deployed();
    const first = v.lifecycle(ID)!;
    await stop();
    const late = (run: string): PlanResult => ({
      ...{ v: 1, minReader: 1, id: ID, generation: 1, startedAt: v.clock.iso(), at: v.clock.iso(), run },
      ...{ askedAt: '2999-01-01T00:00:00.000Z', lost: false, incarnation: first.incarnation, ...DRIFTED },
    });
    v.start();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'destroyed');
    v.world.deleteRecord(ID);
    await v.until(() => v.lifecycle(ID) === undefined, 'forgotten', 4 * HOUR);
    v.world.tables.state.put({ ...late('drift-1-8'), ...keys.planResult(ID, 'drift-1-8') });
    await v.until(() => waiting(v).length === 0, 'discarded');
    expect(v.lifecycle(ID)).toBeUndefined();
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'deployed anew');
    v.world.tables.state.put({ ...late('drift-1-9'), ...keys.planResult(ID, 'drift-1-9') });
    await v.until(() => waiting(v).length === 0, 'consumed');
    expect(planned(v)).toBeUndefined();
  });

  it('of a newer version is left where it is', async () => {
    const { v } = await deployed();
    v.world.tables.state.put({ minReader: 99, shape: 'unknown', ...keys.planResult(ID, 'drift-9-1') });
    v.world.tables.state.put({ ...newer(v), ...keys.planResult(ID, 'drift-9-2') });
    await v.clock.advance(HOUR);
    expect(waiting(v)).toHaveLength(2);
    expect(planned(v)).toBeUndefined();
  });

  it('is made of a run that an earlier version started and left on the ledger when it was over', async () => {
    const { v, stop } = await deployed();
    await stop();
    const lifecycle = v.lifecycle(ID)!;
    const name = 'drift-1-7';
    const startedAt = v.clock.iso();
    const variables = lifecycle.snapshot!;
    const result = { id: ID, generation: 1, startedAt, at: startedAt, ...DRIFTED };
    v.world.tables.history.put({
      ...{ v: 1, minReader: 1, name, action: 'drift', requestedAt: startedAt },
      ...{ enclaves: [{ id: ID, generation: 1, variables }], results: { [ID]: result } },
      ...{ outcome: { result: 'succeeded', at: startedAt, by: 'runner' }, ...keys.fleetRun(name) },
    });
    const run = { name, startedAt, deadlineAt: startedAt, enclaves: [ID] };
    v.world.tables.state.put({ v: 1, minReader: 1, runs: [run], revision: 1, epoch: 1, ...keys.fleetLedger });
    v.start();
    await v.until(() => planned(v) !== undefined, 'consumed', HOUR);
    expect(planned(v)).toMatchObject({ run: name, verdict: 'Drift' });
    expect(planLedger(v)?.runs).toEqual([]);
  });
});

it('does not plan an enclave whose result is consumed while the scheduler reads what is stored of it', async () => {
  const clock = new VirtualClock();
  const at = new Date(clock.now()).toISOString();
  const before = new Date(clock.now() - 100 * HOUR).toISOString();
  const due = aLifecycle(ID, { phase: 'ready', observedGeneration: 1, ranAt: before, applied: { cpuCount: 2 } });
  const known = { ...{ askedAt: at, at, run: 'drift-1-1', generation: 1, verdict: 'Match' as const }, failures: 0 };
  let isConsumed = false;
  const state = {
    read: async () => ({ lifecycle: isConsumed ? { ...due, planned: known } : due, fromTheFuture: false }),
    planResults: async () => {
      isConsumed = true;
      return [];
    },
  };
  const context = { ports: { clock, state }, config: ConfigSchema.parse({}) } as unknown as ReconcileContext;
  expect(await driftSubject(ID, context)).toEqual({ kind: 'notNow' });
  state.planResults = async () => [];
  isConsumed = false;
  expect(await driftSubject(ID, context)).toMatchObject({ kind: 'subject', subject: { incarnation: due.incarnation } });
});

const newer = (v: VirtualOperator) => ({
  ...{ v: 9, minReader: 9, id: ID, generation: 1, startedAt: v.clock.iso(), at: v.clock.iso(), run: 'drift-9-2' },
  ...{ askedAt: v.clock.iso(), lost: false, ...DRIFTED },
});
