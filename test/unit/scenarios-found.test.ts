/** What the simulation found: one scenario for each fault that was in the operator. */
import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../src/reconciler/ports.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

const MINUTE = 60_000;

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
});
