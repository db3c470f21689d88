/** What a decision takes of shared limits: nothing before it, and nothing after a commit that is refused. */
import { describe, expect, it } from 'vitest';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import type { Assessment } from '../../../../src/machines/index.ts';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { NameCollisions } from '../../../../src/reconciler/fleet/name-collisions.ts';
import { RunSlots } from '../../../../src/reconciler/limits/run-slots.ts';
import { WalletQuota } from '../../../../src/reconciler/limits/wallet-quota.ts';
import type { SharedLimits } from '../../../../src/reconciler/reconcile/context.ts';
import { reserve } from '../../../../src/reconciler/reconcile/reservations.ts';
import { RepairBudget, repairLimitsOf } from '../../../../src/reconciler/repair/budget.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const REGION = 'us-west-2';

function setUp() {
  const clock = new VirtualClock();
  const woken: string[] = [];
  const wake = (id: string) => woken.push(id);
  const limits: SharedLimits = {
    slots: new RunSlots({ clock, max: 1, maxPerOwner: 0, createsPerSecond: 0, wake }),
    repairs: new RepairBudget({
      // One repair at a time; one host may be started at once, and one a second after it; the breaker opens for two.
      limits: {
        ...repairLimitsOf(ConfigSchema.parse({ breakerMin: 2, breakerPercent: 1, repairCapPercent: 1 })),
        starts: { burst: 1, perSecond: 1 },
      },
      defaultRegion: REGION,
      clock,
      wake,
      onBreaker: () => {},
    }),
    quota: new WalletQuota(1, wake),
    names: new NameCollisions(),
  };
  limits.slots.allListed();
  return { clock, woken, limits };
}

const granted = { admission: { ok: true }, repair: { ok: true } } as Assessment;
const request = { kind: 'create', owner: 'wallet' } as const;

function withRun(id: string): Lifecycle {
  return aLifecycle(id, {
    run: {
      name: `${id}-run`,
      seq: 1,
      action: 'deploy',
      reason: 'deploy',
      generation: 1,
      startedAt: '2030-01-01T00:00:00.000Z',
      deadlineAt: '2030-01-01T01:00:00.000Z',
    },
  });
}

function startingHost(id: string, clock: VirtualClock): Lifecycle {
  return aLifecycle(id, {
    phase: 'repairing',
    drift: { fingerprint: 'host:stopped', seen: 2, since: clock.iso(), observedAt: clock.now() },
    direct: { effect: 'startHost', at: clock.iso(), count: 1 },
    attempts: { key: 'drift:host:stopped', count: 1 },
  });
}

const drifted = (id: string, clock: VirtualClock) =>
  aLifecycle(id, {
    phase: 'ready',
    drift: { fingerprint: 'host:stopped', seen: 2, since: clock.iso(), observedAt: clock.now() },
  });

describe('an assessment', () => {
  it('stands in no line and sets no timer, however often it asks', async () => {
    const { clock, limits, woken } = setUp();
    limits.repairs.onUpsert('x', startingHost('x', clock), 'written');
    limits.slots.hold('x', request);
    limits.quota.onUpsert('x', aLifecycle('x', { touched: true }));
    for (const id of ['a', 'b', 'c']) {
      expect(limits.repairs.ask(id, REGION, 'startHost')?.reason).toBe('RepairCapped');
      expect(limits.slots.estimatedWait(id, request)).toBeDefined();
      expect(limits.quota.refusal(aLifecycle(id, { touched: false }))?.reason).toBe('QuotaExceeded');
    }
    limits.slots.release('x');
    limits.quota.onDelete('x');
    limits.repairs.onUpsert('x', aLifecycle('x', { phase: 'ready' }), 'written');
    await clock.advance(60_000);
    expect(woken).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('begins nothing: while an open breaker rests no more, each of several enclaves may be the one', async () => {
    const { clock, limits } = setUp();
    for (const id of ['a', 'b', 'c']) limits.repairs.onUpsert(id, drifted(id, clock), 'written');
    await clock.advance(ConfigSchema.parse({}).breakerRestMs + 1);
    for (const id of ['a', 'b', 'c']) expect(limits.repairs.ask(id, REGION)).toBeUndefined();
    expect(limits.repairs.openRegions).toEqual([REGION]);
  });
});

describe('a reservation for a commit that is refused', () => {
  it('gives back the run slot, the place in the quota and the names', () => {
    const { limits, woken } = setUp();
    const long = 'prod-signing-service-for-customer-acme-00001';
    const lifecycle = withRun(long);
    const other = aLifecycle(long.toUpperCase(), { touched: false });
    const reservations = reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits);
    expect(limits.slots.inFlight).toBe(1);
    expect(limits.quota.refusal(other)?.reason).toBe('QuotaExceeded');
    expect(limits.names.refusal(other)?.code).toBe('NAME_COLLISION');
    limits.quota.wait(other);
    reservations.cancel();
    expect(limits.slots.inFlight).toBe(0);
    expect(limits.quota.refusal(other)).toBeUndefined();
    expect(limits.names.refusal(other)).toBeUndefined();
    expect(woken).toEqual([other.id]);
  });

  it('gives back the repair budget and the start of the host', () => {
    const { clock, limits, woken } = setUp();
    for (const id of ['a', 'b']) limits.repairs.onUpsert(id, aLifecycle(id, { phase: 'ready' }), 'written');
    const lifecycle = startingHost('a', clock);
    const reservations = reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits);
    expect(limits.repairs.ask('b', REGION)?.reason).toBe('RepairCapped');
    limits.repairs.wait('b', aLifecycle('b'));
    reservations.cancel();
    expect(woken).toEqual(['b']);
    expect(limits.repairs.ask('b', REGION, 'startHost')).toBeUndefined();
  });

  it('leaves an open breaker open: the next enclave may be the one that is tried alone', async () => {
    const { clock, limits } = setUp();
    for (const id of ['a', 'b', 'c']) limits.repairs.onUpsert(id, drifted(id, clock), 'written');
    expect(limits.repairs.ask('a', REGION)?.reason).toBe('BreakerOpen');
    await clock.advance(ConfigSchema.parse({}).breakerRestMs + 1);
    const lifecycle = startingHost('a', clock);
    const reservations = reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits);
    expect(limits.repairs.ask('b', REGION)?.reason).toBe('BreakerOpen');
    reservations.cancel();
    expect(limits.repairs.ask('b', REGION)).toBeUndefined();
  });

  it('does not disturb what a committed lifecycle holds', () => {
    const { limits } = setUp();
    const lifecycle = withRun('a');
    for (const part of [limits.slots, limits.quota, limits.names]) part.onUpsert('a', lifecycle);
    reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits).cancel();
    expect(limits.slots.inFlight).toBe(1);
    expect(limits.quota.refusal(aLifecycle('b', { touched: false }))?.reason).toBe('QuotaExceeded');
  });
});

describe('a reservation that is confirmed', () => {
  it('releases the slot of a run that is over, and not before', () => {
    const { limits } = setUp();
    limits.slots.hold('a', request);
    const lifecycle = aLifecycle('a');
    const reservations = reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits);
    expect(limits.slots.inFlight).toBe(1);
    reservations.confirm();
    expect(limits.slots.inFlight).toBe(0);
  });

  it('takes the token of a host that is started once', async () => {
    const { clock, limits } = setUp();
    const lifecycle = startingHost('a', clock);
    const reservations = reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits);
    limits.repairs.onUpsert('a', lifecycle, 'written');
    reservations.confirm();
    limits.repairs.onUpsert('a', aLifecycle('a', { phase: 'ready', direct: lifecycle.direct }), 'written');
    expect(limits.repairs.ask('b', REGION, 'startHost')?.reason).toBe('RepairCapped');
    await clock.advance(1_000);
    expect(limits.repairs.ask('b', REGION, 'startHost')).toBeUndefined();
  });
});

describe('a decision that found no room', () => {
  it('stands in the line of each limit that refused it', () => {
    const { clock, limits, woken } = setUp();
    limits.slots.hold('a', request);
    const refused = { ok: false, message: '' } as const;
    const assessment = {
      admission: { ...refused, reason: 'QuotaExceeded' },
      repair: { ...refused, reason: 'RepairCapped' },
    } as Assessment;
    limits.repairs.onUpsert('x', startingHost('x', clock), 'written');
    limits.quota.onUpsert('x', aLifecycle('x', { touched: true }));
    reserve({ lifecycle: aLifecycle('b', { touched: false }), assessment, request, waitsForSlot: true }, limits);
    expect(limits.slots.waiting).toBe(1);
    limits.slots.release('a');
    limits.quota.onDelete('x');
    limits.repairs.onUpsert('x', aLifecycle('x', { phase: 'ready' }), 'written');
    expect(woken).toEqual(['b', 'b', 'b']);
  });

  it('cannot begin a run', () => {
    const { limits } = setUp();
    limits.slots.hold('a', request);
    const lifecycle = withRun('b');
    expect(() => reserve({ lifecycle, assessment: granted, request, waitsForSlot: false }, limits)).toThrow(
      'a run of b was decided upon without a run slot',
    );
    expect(limits.quota.refusal(aLifecycle('c', { touched: false }))).toBeUndefined();
  });
});
