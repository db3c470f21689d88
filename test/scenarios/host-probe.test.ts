/** A host is restarted only where two ways to it say that it must be, on virtual time. */
import { beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Illness } from '../support/memory-hosts.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const STUCK: Illness = {
  says: { enclaves: [{ name: 'e', state: 'TERMINATING', cpuCount: 2, memoryMiB: 1024, debug: false }] },
  cure: 'boot',
};

let v: VirtualOperator;
let calls: (operation: string) => number;
let failing: (operation: string, error: Error) => void;

describe('an enclave that does not end', () => {
  beforeEach(async () => {
    v = virtualOperator();
    const process = v.start();
    ({ calls } = process);
    failing = (operation, error) => process.connection.faults.failNext(operation, error, 1_000);
    await v.clock.advance(5_000);
    await v.deploy(ID);
  });

  it('has its host asked, and restarted once the host says so itself', async () => {
    v.world.hosts.ail(v.host(ID), STUCK);
    await v.until(() => calls('hosts.stop') === 1, 'restarted', 10 * MINUTE);
    expect(v.reasons(ID)).toContain('HostAsked');
    expect(v.reasons(ID).indexOf('HostAsked')).toBeLessThan(v.reasons(ID).indexOf('HostStopping'));
    await v.until(() => v.host(ID).state === 'running' && v.lifecycle(ID)?.phase === 'ready', 'ready again');
  });

  it('has its host restarted where SSM does not reach it either', async () => {
    v.world.hosts.ail(v.host(ID), STUCK);
    v.world.hosts.freezeReports(v.host(ID));
    v.host(ID).managed = false;
    await v.until(() => calls('hosts.stop') === 1, 'restarted', 10 * MINUTE);
  });

  it('has its host left alone while SSM reaches it and it says nothing', async () => {
    v.world.hosts.ail(v.host(ID), STUCK);
    v.world.hosts.freezeReports(v.host(ID));
    await v.until(() => calls('hosts.askToReport') > 0, 'asked', 10 * MINUTE);
    await v.clock.advance(5 * MINUTE);
    expect(calls('hosts.stop')).toBe(0);
    // An answer counts for two sweeps, and so does that there is none.
    expect(calls('hosts.askToReport')).toBeLessThanOrEqual(4);
    expect(v.lifecycle(ID)?.message).toMatch(/the host was asked to report before it is restarted/);
  });

  it('has its host left alone where it cannot be asked', async () => {
    const denied = new OperatorError('Blocked', 'ssm:DescribeInstanceInformation', 'not allowed');
    failing('hosts.askToReport', denied);
    v.world.hosts.ail(v.host(ID), STUCK);
    await v.until(() => calls('hosts.askToReport') > 0, 'asked', 10 * MINUTE);
    await v.clock.advance(30 * MINUTE);
    expect(calls('hosts.stop')).toBe(0);
  });
});
