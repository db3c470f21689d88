/** Budgets: the family limits of AWS, in line, halved by throttling; on virtual time. */
import { describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { ApiRateLimits, AWS_LIMITS } from '../../../../src/reconciler/limits/api-rate-limits.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import { createMemoryWorld } from '../../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../../support/virtual-clock.ts';

function setUp(overrides: Record<string, unknown> = {}) {
  const clock = new VirtualClock();
  const world = createMemoryWorld({ clock, random: seededRandom(1) });
  const config = ConfigSchema.parse(overrides);
  const budgets = new ApiRateLimits(world.ports, config);
  return { clock, world, budgets, ports: budgets.ports, faults: world.faults };
}

const throttled = () => new OperatorError('Throttled', 'ec2:StartInstances', 'RequestLimitExceeded');

describe('budgets', () => {
  it("hold StartInstances to the operator's part of AWS' limit, region by region", async () => {
    const { clock, ports, faults, budgets } = setUp({ awsBudgetShare: 0.5, awsBudgetWaitMs: 60_000 });
    const starts: Promise<unknown>[] = [];
    for (let n = 0; n < 20; n += 1) starts.push(ports.hosts.start('us-west-2', `i-${n}`).catch(() => {}));
    starts.push(ports.hosts.start('eu-west-1', 'i-far').catch(() => {}));
    await clock.advance(1);
    // Half of 5 a burst and of 2 a second; another region has a limit of its own.
    expect(faults.calls('hosts.start')).toBe(2 + 1);
    await clock.advance(10_000);
    expect(faults.calls('hosts.start')).toBe(2 + 1 + 10);
    expect(budgets.state()).toMatchObject({ waiting: 8, pace: 1, refused: 0 });
    await clock.advance(60_000);
    await Promise.all(starts);
    expect(faults.calls('hosts.start')).toBe(21);
  });

  it('never pass what AWS itself would refuse, whatever the share', async () => {
    const { clock, ports, faults } = setUp({ awsBudgetShare: 1, awsBudgetWaitMs: 600_000 });
    for (let n = 0; n < 1_000; n += 1) void ports.workflows.describe(`run-${n}`, 'deploy');
    await clock.advance(30_000);
    const { burst, perSecond } = AWS_LIMITS['states:DescribeExecution'];
    expect(faults.calls('workflows.describe')).toBeLessThanOrEqual(burst + 30 * perSecond);
    expect(faults.calls('workflows.describe')).toBeGreaterThan(burst + 29 * perSecond);
  });

  it('serve destroys first', async () => {
    const { clock, ports } = setUp({ awsBudgetShare: 0.01 });
    const order: string[] = [];
    const start = (name: string, action: 'deploy' | 'destroy') =>
      void ports.workflows.start(name, action, `enc_${name}`).then(() => order.push(name));
    // A hundredth of 800 at once, then a hundredth of 150 a second.
    for (let n = 0; n < 10; n += 1) start(`deploy-${n}`, 'deploy');
    start('destroy-0', 'destroy');
    await clock.advance(10_000);
    expect(order.slice(8)).toEqual(['destroy-0', 'deploy-8', 'deploy-9']);
  });

  it('give a call up that cannot be made in time: throttled by the operator itself, without slowing down more', async () => {
    const { clock, ports, budgets, faults } = setUp({ awsBudgetShare: 0.01, awsBudgetWaitMs: 5_000 });
    const first = ports.hosts.start('us-west-2', 'i-1').catch(() => {});
    const second = ports.hosts.start('us-west-2', 'i-2').then(
      () => undefined,
      (error: unknown) => error,
    );
    await clock.advance(6_000);
    await first;
    const error = await second;
    expect(error).toBeInstanceOf(OperatorError);
    expect(error).toMatchObject({ class: 'Throttled', operation: 'ec2:StartInstances' });
    expect(faults.calls('hosts.start')).toBe(1);
    expect(budgets.state()).toMatchObject({ pace: 1, throttled: 0, refused: 1, waits: 1, waitedMs: 5_000 });
  });

  it('halve every refill when any port is throttled, once for what was under way together, and recover', async () => {
    const { clock, ports, budgets, faults } = setUp({ awsBudgetShare: 1, awsBudgetWaitMs: 600_000 });
    faults.failNext('records.get', throttled(), 3);
    await Promise.allSettled([ports.records.get('a'), ports.records.get('b'), ports.records.get('c')]);
    expect(budgets.state()).toMatchObject({ pace: 0.5, throttled: 3 });
    for (let n = 0; n < 60; n += 1) void ports.hosts.start('us-west-2', `i-${n}`).catch(() => {});
    await clock.advance(10_000);
    // A burst of 5, then 2 a second, halved: a little more than one a second, for the pace recovers meanwhile.
    expect(faults.calls('hosts.start')).toBeGreaterThanOrEqual(5 + 10);
    expect(faults.calls('hosts.start')).toBeLessThanOrEqual(5 + 11);
    await clock.advance(50_000);
    expect(budgets.state().pace).toBe(1);
  });

  it('count every call of an inspection', async () => {
    const { world, ports, budgets } = setUp({ awsBudgetShare: 1 });
    const { instanceId } = world.hosts.launch({ region: 'us-west-2', state: 'running', enclaveId: 'enc_1' });
    const { signal } = new AbortController();
    const left = () => ['iam:Get', 'ec2:Describe'].map((family) => budgets.tokens().get(family as 'iam:Get'));
    expect(left()).toEqual([10, 100]);
    await ports.inspector.role('enc_1', signal).catch(() => {});
    await ports.inspector.instanceAttributes('us-west-2', instanceId, signal);
    await ports.inspector.rootVolume('us-west-2', instanceId, signal);
    expect(left()).toEqual([6, 97]);
  });

  it('hear a throttled page of a sweep, and pass it on', async () => {
    const { ports, budgets, faults } = setUp();
    faults.failNext('hosts.sweep', throttled());
    const sweep = async () => {
      for await (const _ of ports.hosts.sweep('us-west-2', new AbortController().signal));
    };
    await expect(sweep()).rejects.toMatchObject({ class: 'Throttled' });
    expect(budgets.state().pace).toBe(0.5);
  });

  it('hear LookupEvents throttled, which others of the account may call as they like, and slow that down alone', async () => {
    const { clock, ports, budgets, faults } = setUp({ awsBudgetShare: 1, awsBudgetWaitMs: 600_000 });
    const time = { from: 0, until: 1 };
    const lookUp = async () => {
      for await (const _ of ports.surroundings.attestations('us-west-2', time, new AbortController().signal));
    };
    const error = new OperatorError('Throttled', 'cloudtrail:LookupEvents', 'ThrottlingException');
    faults.failNext('surroundings.attestations', error);
    await expect(lookUp()).rejects.toMatchObject({ class: 'Throttled' });
    expect(budgets.state()).toMatchObject({ pace: 1, throttled: 1 });
    for (let n = 0; n < 60; n += 1) {
      void ports.hosts.start('us-west-2', `i-${n}`).catch(() => {});
      void lookUp().catch(() => {});
    }
    await clock.advance(10_000);
    expect(faults.calls('hosts.start')).toBe(5 + 20);
    // Of 2 a second about half.
    expect(faults.calls('surroundings.attestations')).toBeGreaterThanOrEqual(10);
    expect(faults.calls('surroundings.attestations')).toBeLessThanOrEqual(2 + 12);
  });

  it('keep a rest of the pace however often they are throttled', async () => {
    const { clock, ports, budgets, faults } = setUp();
    faults.failNext('state.read', throttled(), 100);
    for (let n = 0; n < 100; n += 1) {
      await ports.state.read('a').catch(() => {});
      await clock.advance(1_000);
    }
    expect(budgets.state().throttled).toBe(100);
    expect(budgets.state().pace).toBeGreaterThan(0.03);
    expect(budgets.state().pace).toBeLessThan(0.05);
  });

  it('hold nothing back at a share of 0', async () => {
    const { clock, ports, faults } = setUp({ awsBudgetShare: 0 });
    for (let n = 0; n < 500; n += 1) void ports.hosts.start('us-west-2', `i-${n}`).catch(() => {});
    await clock.advance(1);
    expect(faults.calls('hosts.start')).toBe(500);
  });
});
