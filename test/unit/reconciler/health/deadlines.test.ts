/** Every wait of an operator has a deadline: reconciles, publishes, polls, and runs that do not stop. */
import { describe, expect, it } from 'vitest';
import { isHealthy } from '../../../../src/reconciler/health/health.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import { virtualOperator } from '../../../support/virtual-operator.ts';

const MINUTE = 60_000;

describe('an operator watches itself', () => {
  it('counts a reconcile that hangs, never runs a second one beside it, and goes on when it ends', async () => {
    const v = virtualOperator();
    const { loop, connection } = v.start();
    await v.clock.advance(5_000);
    let reads = 0;
    let release = () => {};
    const hung = new Promise<void>((resolve) => {
      release = resolve;
    });
    connection.faults.before('state.read', ([id]) => {
      if (id !== 'enc_hung') return;
      reads += 1;
      return reads === 1 ? hung : undefined;
    });
    v.post('enc_hung');
    v.post('enc_other');
    await v.until(() => v.status('enc_other') === 'DEPLOYED', 'the other one');
    v.command('enc_hung', 'PENDING_DEPLOY');
    await v.clock.advance(10 * MINUTE);
    expect(loop.overdue).toBe(1);
    expect(reads).toBe(1);
    release();
    await v.until(() => v.status('enc_hung') === 'DEPLOYED', 'the one that hung');
    expect(reads).toBeGreaterThan(1);
  });

  it('has a budget of its own for the write of a record', async () => {
    const v = virtualOperator({ reconcileTimeoutMs: 10 * MINUTE, publishTimeoutMs: 10_000 });
    const { loop, connection } = v.start();
    await v.clock.advance(5_000);
    connection.faults.before('records.publish', () => new Promise(() => {}));
    v.post('enc_1');
    await v.clock.advance(9_000);
    expect(loop.overdue).toBe(0);
    await v.clock.advance(10_000);
    expect(loop.overdue).toBe(1);
    expect(connection.log.lines.some(({ message }) => message.includes('publishTimeoutMs'))).toBe(true);
  });

  it('is unhealthy a minute after the streams went silent, and healthy when they answer', async () => {
    const v = virtualOperator();
    const { loop, connection } = v.start();
    await v.clock.advance(MINUTE);
    expect(isHealthy(loop.view())).toBe(true);
    let silent = true;
    for (const operation of ['page', 'iterator', 'describeTable', 'shards']) {
      for (const table of ['records', 'state', 'history']) {
        connection.faults.before(`streams.${table}.${operation}`, () => {
          if (silent) throw new OperatorError('Transient', 'dynamodbstreams', 'no route to host');
        });
      }
    }
    await v.clock.advance(50_000);
    expect(isHealthy(loop.view())).toBe(true);
    await v.clock.advance(15_000);
    expect(loop.view().pollSilenceMs).toBeGreaterThanOrEqual(MINUTE);
    expect(isHealthy(loop.view())).toBe(false);
    silent = false;
    await v.clock.advance(2 * MINUTE);
    expect(isHealthy(loop.view())).toBe(true);
  });

  it.each([
    { operation: 'hosts.sweep', what: 'a sweep' },
    { operation: 'state.scan', what: 'the list of lifecycles' },
    { operation: 'records.scan', what: 'the list of records' },
  ])('gives up $what that hangs, and begins another', async ({ operation }) => {
    const v = virtualOperator();
    const { connection, loop } = v.start();
    let calls = 0;
    connection.faults.before(operation, () => {
      calls += 1;
      return calls === 1 ? new Promise(() => {}) : undefined;
    });
    v.post('enc_1');
    await v.until(() => v.status('enc_1') === 'DEPLOYED', 'DEPLOYED');
    await v.until(() => loop.controller?.synced === true, 'a full list');
    expect(calls).toBeGreaterThan(1);
  });

  it('ends the execution of a run that passes its deadline and whose task does not stop, as the last resort', async () => {
    const v = virtualOperator({ deployDeadlineMs: 30 * MINUTE, taskStopMs: 2 * MINUTE });
    // ECS takes the call, and nothing comes of it.
    Object.assign(v.world.runs.ecs, { stop: async () => {} });
    let runs = 0;
    v.world.runs.script = () => (runs++ === 0 ? { workMs: 100 * 60 * MINUTE } : {});
    const { connection } = v.start();
    v.post('enc_1');
    await v.clock.advance(33.5 * MINUTE);
    expect(connection.faults.calls('tasks.stop')).toBeGreaterThanOrEqual(2);
    expect(connection.faults.calls('workflows.abort')).toBe(0);
    await v.clock.advance(3 * MINUTE);
    expect(connection.faults.calls('workflows.abort')).toBe(1);
    await v.until(() => v.status('enc_1') === 'DEPLOYED', 'DEPLOYED', 60 * MINUTE);
    const [first] = v.executions('enc_1');
    const item = v.world.tables.history.get('run#enc_1', first!);
    expect(item?.outcome).toMatchObject({ result: 'cancelled', by: 'runner' });
    expect(v.executions('enc_1')).toHaveLength(2);
    expect(v.world.runs.peak.perEnclave).toBe(1);
  });
});
