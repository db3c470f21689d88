/** What the simulation found: one scenario for each fault that was in the operator. */
import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import { MINUTE } from '../support/time.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

describe('found by simulation', () => {
  it('keeps the slot of a run whose commit was written although its reply was lost', async () => {
    const v = virtualOperator({ maxRuns: 1 }, { runTimings: { workMs: 5 * MINUTE } });
    const { connection } = v.start();
    await v.clock.advance(5_000);
    const lost = new OperatorError('Transient', 'dynamodb:TransactWriteItems', 'the connection was closed');
    connection.faults.after('state.commit', (args) => {
      const [{ start }] = args as [{ start?: object }];
      if (start !== undefined) throw lost;
    });
    v.post('enc_a');
    v.post('enc_b');
    let most = 0;
    const locks = () => ['enc_a', 'enc_b'].filter((id) => v.world.tables.state.get(`enclave#${id}`, 'lock')).length;
    v.world.tables.state.watch(() => {
      most = Math.max(most, locks());
    });
    await v.until(() => v.status('enc_a') === 'DEPLOYED' && v.status('enc_b') === 'DEPLOYED', 'both DEPLOYED');
    expect(most).toBe(1);
  });

  it('reads the shards that are open, and no day-old ones: DescribeStream allows ten calls a second', async () => {
    const v = virtualOperator();
    for (let n = 0; n < 30; n += 1) v.world.tables.records.stream.rotate();
    const { loop, calls } = v.start();
    await v.clock.advance(5_000);
    expect(loop.controller?.synced).toBe(true);
    expect(calls('streams.records.shards')).toBeLessThan(10);
    expect(calls('streams.records.iterator')).toBeLessThan(10);
  });

  it('begins no run before it has counted those under way, however slow the streams are to open', async () => {
    const v = virtualOperator({ maxRuns: 1 }, { runTimings: { workMs: 10 * MINUTE } });
    const first = v.start();
    await v.clock.advance(5_000);
    v.post('enc_a');
    await v.until(() => v.world.runs.peak.all > 0, 'Terraform at work');
    first.kill();
    const second = v.start();
    second.connection.faults.before('streams.history.describeTable', () => v.clock.sleep(MINUTE));
    await v.until(() => second.loop.view().role === 'leader', 'another leader');
    await v.clock.advance(5_000);
    v.post('enc_b');
    await v.until(() => v.status('enc_a') === 'DEPLOYED' && v.status('enc_b') === 'DEPLOYED', 'both DEPLOYED');
    expect(v.world.runs.peak.all).toBe(1);
  });

  it('stops the host of a paused enclave that no run of ours ever finished, when EC2 shows it late', async () => {
    const v = virtualOperator();
    v.world.runs.script = () => ({ applied: true, fails: { class: 'throttled', message: 'too many calls' } });
    v.world.hosts.lagMs = () => MINUTE;
    v.start();
    await v.clock.advance(5_000);
    v.post('enc_a');
    await v.until(() => v.status('enc_a') === 'DEPLOYING', 'a run');
    v.command('enc_a', 'PAUSING');
    await v.until(() => v.status('enc_a') === 'PAUSED', 'PAUSED');
    await v.until(() => v.world.hosts.living('enc_a')[0]?.state === 'stopped', 'the host stopped');
    expect(v.lifecycle('enc_a')?.observedGeneration).toBe(0);
  });

  it('takes what a failed first run has half made for no whole, of a record that was found FAILED without a host', async () => {
    const v = virtualOperator();
    v.world.runs.script = () => ({ applied: true, fails: { class: 'permission', message: 'not allowed' } });
    v.post('enc_a', { status: 'FAILED' });
    v.start();
    await v.until(() => v.lifecycle('enc_a')?.phase === 'stalled', 'found, and nothing is there');
    v.command('enc_a', 'PENDING_DEPLOY');
    await v.until(() => v.world.hosts.living('enc_a').length === 1, 'a run has half made it');
    await v.clock.advance(30 * MINUTE);
    expect(v.status('enc_a')).toBe('FAILED');
    v.world.runs.script = () => ({});
    v.command('enc_a', 'PENDING_DEPLOY');
    await v.until(() => v.status('enc_a') === 'DEPLOYED', 'DEPLOYED');
    expect(v.lifecycle('enc_a')?.applied).toBeDefined();
  });

  it('dismisses what is requested of an enclave that was never seen, so that no later one of its name gets it', async () => {
    const v = virtualOperator();
    v.world.putRequest('enc_gone', 'adopt');
    v.world.putRequest('enc_gone', 'a verb of a later version');
    const verbs = () => v.world.tables.state.partition('request#enc_gone').map(({ verb }) => verb);
    v.start();
    await v.until(() => verbs().length === 1, 'the request dismissed');
    expect(verbs()).toEqual(['a verb of a later version']);
    expect(v.lifecycle('enc_gone')).toBeUndefined();
  });
});
