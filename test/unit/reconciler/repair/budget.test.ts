/** The repair governor by itself: whose host may be started when, and what counts as a repair in vain. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import { omit } from '../../../../src/enclave/omit.ts';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { RepairBudget, repairLimitsOf } from '../../../../src/reconciler/repair/budget.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const REGION = 'us-west-2';
const ids = Array.from({ length: 100 }, (_, n) => `enc_${n}`);

let clock: VirtualClock;
let woken: string[];
let told: string[];
let governor: RepairBudget;

const differs = (id: string, changes: Partial<Lifecycle> = {}): Lifecycle =>
  aLifecycle(id, {
    phase: 'ready',
    drift: { fingerprint: 'host:stopped', seen: 2, since: clock.iso(), observedAt: clock.now() },
    ...changes,
  });
const started = (id: string) =>
  differs(id, {
    phase: 'repairing',
    direct: { effect: 'startHost', at: clock.iso(), count: 1 },
    attempts: { key: 'drift:host:stopped', count: 1 },
  });
/** As a reconcile does. */
function tryToStart(id: string): string | undefined {
  const refusal = governor.ask(id, REGION, 'startHost');
  if (refusal === undefined) governor.onUpsert(id, started(id), 'written');
  else governor.wait(id, aLifecycle(id, { phase: 'ready' }));
  return refusal?.message;
}

beforeEach(() => {
  clock = new VirtualClock();
  woken = [];
  told = [];
  const config = ConfigSchema.parse({});
  governor = new RepairBudget({
    // EC2 lets two be started at once, and one a second after them.
    limits: { ...repairLimitsOf(config), starts: { burst: 2, perSecond: 1 } },
    defaultRegion: REGION,
    clock,
    wake: (id) => woken.push(id),
    onBreaker: ({ message }) => told.push(message),
  });
  for (const id of ids) governor.onUpsert(id, aLifecycle(id, { phase: 'ready' }), 'written');
});

describe('starts of hosts', () => {
  it('are begun as fast as EC2 lets through, in line, and by each who is woken', async () => {
    const line = ids.slice(0, 6);
    const refusals = line.map((id) => tryToStart(id));
    const held = 'as many hosts are being started as AWS lets through';
    expect(refusals).toEqual([undefined, undefined, held, held, held, held]);
    const at: number[] = [];
    while (woken.length < 4 && clock.monotonic() < 10_000) {
      const before = woken.length;
      await clock.advance(100);
      for (const id of woken.slice(before)) {
        at.push(Math.round(clock.monotonic() / 1_000));
        expect(tryToStart(id)).toBeUndefined();
      }
    }
    expect(woken).toEqual(line.slice(2));
    expect(at).toEqual([1, 2, 3, 4]);
    expect(clock.pending).toBe(0);
  });

  it('that were begun long ago take no token of now, as a new leader hears of them', () => {
    const long = { effect: 'startHost' as const, at: new Date(clock.now() - 3_600_000).toISOString(), count: 1 };
    for (const id of ids.slice(50, 60))
      governor.onUpsert(id, aLifecycle(id, { phase: 'ready', direct: long }), 'written');
    expect([tryToStart('enc_0'), tryToStart('enc_1')]).toEqual([undefined, undefined]);
  });

  it('hold up no repair that starts none', () => {
    for (const id of ids.slice(0, 4)) tryToStart(id);
    expect(governor.ask('enc_9', REGION)).toBeUndefined();
  });

  it('wake nobody once it is closed', async () => {
    for (const id of ids.slice(0, 4)) tryToStart(id);
    governor.close();
    tryToStart('enc_9');
    await clock.advance(60_000);
    expect(woken).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('repairs in vain', () => {
  const attempts = (fingerprint: string, count: number) => ({ attempts: { key: `drift:${fingerprint}`, count } });

  it('open the breaker, three in a row', () => {
    for (const id of ids.slice(0, 2)) governor.onUpsert(id, differs(id, attempts('host:stopped', 2)), 'written');
    expect(governor.openRegions).toEqual([]);
    governor.onUpsert('enc_2', differs('enc_2', attempts('host:stopped', 2)), 'written');
    expect(told).toEqual(['3 repairs in us-west-2 did not heal what they were to heal']);
  });

  it('are those that stalled after the first as well', () => {
    for (const id of ids.slice(0, 3)) {
      governor.onUpsert(id, differs(id), 'written');
      const stalled = omit(differs(id, { phase: 'stalled', ...attempts('host:stopped', 1) }), 'drift');
      governor.onUpsert(id, stalled, 'written');
    }
    expect(governor.openRegions).toEqual([REGION]);
  });

  it('are not those at another difference, which has healed since', () => {
    for (const id of ids.slice(0, 3)) governor.onUpsert(id, differs(id, attempts('apply:tags', 2)), 'written');
    expect(governor.openRegions).toEqual([]);
  });

  it('are history where they are listed: a new leader begins with a closed breaker', () => {
    const id = (n: number) => `old_${n}`;
    for (let n = 0; n < 5; n += 1) {
      const stalled = omit(differs(id(n), { phase: 'stalled', ...attempts('host:stopped', 1) }), 'drift');
      governor.onUpsert(id(n), stalled, 'listed');
    }
    expect(governor.openRegions).toEqual([]);
  });

  it('are not made good by what is over without a repair', () => {
    for (const id of ids.slice(0, 3)) {
      governor.onUpsert(id, differs(id, attempts('host:stopped', 2)), 'written');
      governor.onUpsert('enc_9', differs('enc_9'), 'written');
      governor.onUpsert('enc_9', aLifecycle('enc_9', { phase: 'ready' }), 'written');
    }
    expect(governor.openRegions).toEqual([REGION]);
  });

  it('count once, however often they are told of', () => {
    for (let time = 0; time < 5; time += 1)
      governor.onUpsert('enc_0', differs('enc_0', attempts('host:stopped', 2)), 'written');
    expect(governor.openRegions).toEqual([]);
  });
});
