import { describe, expect, it } from 'vitest';
import { virtualOperator } from '../support/virtual-operator.ts';

describe('an enclave from record to reality', () => {
  it('deploys, pauses, resumes and destroys', async () => {
    const v = virtualOperator();
    v.start();
    await v.clock.advance(5_000);
    v.post('enc_1');
    await v.until(() => v.status('enc_1') === 'DEPLOYING', 'DEPLOYING');
    await v.until(() => v.status('enc_1') === 'DEPLOYED', 'DEPLOYED');
    expect(v.executions('enc_1')).toHaveLength(1);
    v.command('enc_1', 'PAUSING');
    await v.until(() => v.status('enc_1') === 'PAUSED', 'PAUSED');
    v.command('enc_1', 'RESUMING');
    await v.until(() => v.status('enc_1') === 'DEPLOYED', 'DEPLOYED again');
    expect(v.executions('enc_1')).toHaveLength(1);
    v.command('enc_1', 'PENDING_DESTROY');
    await v.until(() => v.status('enc_1') === 'DESTROYED', 'DESTROYED');
    expect(v.executions('enc_1')).toHaveLength(2);
    expect(v.world.hosts.living('enc_1')).toHaveLength(0);
  });
});
