/** Observe only: everything is seen, and nothing is written to a record, started or stopped. Writes are counted. */
import { describe, expect, it } from 'vitest';
import { risen, scrape } from '../support/scrape.ts';
import { HOUR } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

/** All that changes something, by the names the connection knows them by. */
const WRITES = [
  'records.publish',
  ...['commit', 'dismiss', 'forget', 'release', 'amendControl'].map((name) => `state.${name}`),
  ...['requestCancel', 'settle', 'answer'].map((name) => `history.${name}`),
  ...['start', 'abort'].map((name) => `workflows.${name}`),
  'tasks.stop',
  ...['start', 'stop', 'restartEnclave', 'restartAllocator'].map((name) => `hosts.${name}`),
];

/** Starts an operator, and lists its writes. */
function observed(v: VirtualOperator) {
  const { connection, calls, kill } = v.start();
  const writes: string[] = [];
  for (const name of WRITES) connection.faults.before(name, () => void writes.push(name));
  return { writes, calls, kill };
}

/** Metrics of what was done. */
const OF_DEEDS = ['transitions', 'runs_', 'run_', 'repairs', 'plan_changes', 'time_to_', 'drift_detect', 'drift_heal'];

const LAUNCH = { region: 'us-west-2', state: 'running' as const };

/** A fleet that gives an operator something to do of every kind. */
function troubled(v: VirtualOperator): void {
  v.post('enc_new');
  v.world.hosts.launch({ ...LAUNCH, enclaveId: 'enc_old', reports: false });
  v.post('enc_old', { status: 'DEPLOYED' });
  v.world.hosts.launch({ ...LAUNCH, enclaveId: 'enc_pausing' });
  v.post('enc_pausing', { status: 'PAUSING' });
  v.world.hosts.launch({ ...LAUNCH, enclaveId: 'enc_stopped', state: 'stopped' });
  v.post('enc_stopped', { status: 'DEPLOYED' });
  v.world.hosts.launch({ ...LAUNCH, enclaveId: 'enc_going' });
  v.post('enc_going', { status: 'PENDING_DESTROY' });
  v.world.putRequest('enc_old', 'adopt');
  v.world.putRequest('enc_old', 'drift');
}
const IDS = ['enc_new', 'enc_old', 'enc_pausing', 'enc_stopped', 'enc_going'];

describe('an operator that only observes', () => {
  it('writes nothing and starts nothing, and says what it would have done, once', async () => {
    const v = virtualOperator({ observeOnly: true });
    troubled(v);
    const before = IDS.map((id) => v.world.record(id));
    const { writes, calls } = observed(v);
    await v.clock.advance(3 * HOUR);
    // It consumes no request: to answer one would be to answer it at every reconcile.
    expect(calls('inspector.logGroup')).toBe(0);

    expect(writes).toEqual([]);
    expect(IDS.map((id) => v.world.record(id))).toEqual(before);
    expect(v.world.runs.executions.size).toBe(0);
    expect(IDS.map((id) => v.lifecycle(id))).toEqual(IDS.map(() => undefined));
    expect(v.world.hosts.living('enc_pausing')[0]?.state).toBe('running');
    expect(v.world.hosts.living('enc_stopped')[0]?.state).toBe('stopped');

    for (const [id, says] of [
      ['enc_new', /^would be RunStarted: started e-enc_new-\w+-1-deploy$/],
      ['enc_old', /^would be RunStarted: started e-enc_old-\w+-1-deploy$/],
      ['enc_pausing', /^would be HostStopping: stopping i-/],
      ['enc_stopped', /^would be HostStarting: starting i-/],
      ['enc_going', /^would be RunStarted: started e-enc_going-\w+-1-destroy$/],
    ] as const) {
      const matching = v.events(id).filter(({ message }) => says.test(message));
      expect(
        matching.map(({ message }) => message),
        id,
      ).toHaveLength(1);
      expect(v.events(id).every(({ reason }) => reason === 'ObserveOnly')).toBe(true);
    }
  });

  it('counts no run, no repair and no change of phase: none has been', async () => {
    const v = virtualOperator({ observeOnly: true });
    const { metrics } = v.start();
    const before = await scrape(metrics);
    troubled(v);
    await v.clock.advance(3 * HOUR);
    const after = await scrape(metrics);
    expect(risen(before, after, 'reconcile_total{result="done"}')).not.toEqual({});
    expect(risen(before, after, ...OF_DEEDS)).toEqual({});
  });

  it('does all of it once it may, and counts as one that was never there', async () => {
    const v = virtualOperator({ observeOnly: true });
    troubled(v);
    const first = observed(v);
    await v.clock.advance(HOUR);
    first.kill();

    Object.assign(v.config, { observeOnly: false });
    const { writes } = observed(v);
    await v.until(
      () =>
        ['DEPLOYED', 'DEPLOYED', 'PAUSED', 'DEPLOYED', 'DESTROYED'].every(
          (status, index) => v.status(IDS[index] ?? '') === status,
        ) && v.world.hosts.living('enc_stopped')[0]?.state === 'running',
      'everything in order',
    );
    expect(writes).toEqual(expect.arrayContaining(['records.publish', 'state.commit']));
    expect(writes).toContain('workflows.start');
  });

  it('leaves what an operator before it has begun, and does not cancel it', async () => {
    const v = virtualOperator({}, { runTimings: { workMs: 3 * HOUR } });
    const first = v.start();
    await v.clock.advance(5_000);
    v.post('enc_run');
    await v.until(() => v.world.runs.peak.all > 0, 'Terraform at work');
    first.kill();

    Object.assign(v.config, { observeOnly: true });
    const lifecycle = v.lifecycle('enc_run');
    const { writes } = observed(v);
    await v.clock.advance(HOUR);
    expect(writes).toEqual([]);
    expect(v.lifecycle('enc_run')).toEqual(lifecycle);
    expect(v.events('enc_run').map(({ message }) => message)).toContainEqual(
      expect.stringContaining('would be RunCancelled: cancelling e-enc_run'),
    );
  });
});
