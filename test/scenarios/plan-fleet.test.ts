/** Ten thousand enclaves and a day: each is planned once, in as few runs as they fit, and no restart plans any early. */
import { describe, expect, it } from 'vitest';
import { planDueAt } from '../../src/reconciler/plan/schedule.ts';
import { aLifecycle } from '../support/conformance-harness.ts';
import { hoursToPlan, type PlannedFleet, plannedFleet } from '../support/planned-fleet.ts';
import { DAY, HOUR } from '../support/time.ts';

const shortestPause = ({ plans }: PlannedFleet) => {
  const pauses = [...plans.values()].flatMap((times) => times.slice(1).map((time, n) => time - times[n]!));
  return pauses.reduce((least, pause) => Math.min(least, pause), Number.POSITIVE_INFINITY);
};

describe('a fleet of 10,000', () => {
  it('is planned within a day of its deployment, within the cap, in full runs', async () => {
    const fleet = plannedFleet(10_000, HOUR);
    await fleet.clock.advance(DAY);
    fleet.stop();
    expect(fleet.plans.size).toBe(10_000);
    expect(shortestPause(fleet)).toBeGreaterThan(0.8 * DAY);
    expect(fleet.peakSlots()).toBeLessThanOrEqual(2);
    expect(fleet.runner.peak).toBeLessThanOrEqual(2);
    const plans = [...fleet.plans.values()].flat().length;
    expect(fleet.runner.executions.size).toBeLessThan(plans / 19);
  });

  it('is planned no sooner and no oftener for leaders that come and go', async () => {
    const fleet = plannedFleet(1_000, HOUR);
    for (let hour = 0; hour < 24; hour += 1) {
      await fleet.clock.advance(HOUR);
      fleet.restart();
    }
    expect(fleet.plans.size).toBe(1_000);
    expect(shortestPause(fleet)).toBeGreaterThan(0.8 * DAY);
    for (const [id, { ranAt, planned }] of fleet.lifecycles) {
      const dueAt = planDueAt(aLifecycle(id, { phase: 'ready', observedGeneration: 1, ranAt }), DAY)!;
      expect(fleet.plans.get(id)![0]).toBeGreaterThan(dueAt);
      expect(planned?.verdict).toBe('Match');
    }
    fleet.stop();
  });

  it('takes what is due in the order it came due', async () => {
    expect(await hoursToPlan(200)).toBeLessThanOrEqual(24);
  });
});

describe('when a plan is due', () => {
  const resting = (changes: Parameters<typeof aLifecycle>[1]) =>
    aLifecycle('enc_1', { phase: 'ready', observedGeneration: 1, ...changes });
  const ranAt = '2030-01-01T00:00:00.000Z';
  const T0 = Date.parse(ranAt);
  const planned = { askedAt: ranAt, at: ranAt, run: 'r', generation: 1, verdict: 'Match' as const, failures: 0 };

  it.each([
    { why: 'is not ready', changes: { phase: 'verifying' as const } },
    { why: 'is paused', changes: { desired: 'Paused' as const } },
    { why: 'has another generation to apply', changes: { generation: 2 } },
    { why: 'was never applied', changes: { observedGeneration: 0 } },
    { why: 'differs already', changes: { drift: { fingerprint: 'host:gone', seen: 1, since: ranAt, observedAt: 0 } } },
    { why: 'was taken over and nothing has prepared it', changes: { adopted: true } },
  ])('is never, of an enclave that $why', ({ changes }) => {
    expect(planDueAt(resting(changes), DAY)).toBeUndefined();
  });

  it('is never where drift runs are off', () => {
    expect(planDueAt(resting({}), 0)).toBeUndefined();
  });

  it('spreads a fleet that was deployed at one instant over most of a day', () => {
    const dues = Array.from({ length: 2_400 }, (_, n) => planDueAt({ ...resting({ ranAt }), id: `enc_${n}` }, DAY)!);
    const hours = Array.from({ length: 24 }, (_, hour) => dues.filter((due) => Math.floor((due - T0) / HOUR) === hour));
    expect(Math.max(...hours.map((each) => each.length))).toBeLessThan(200);
    expect(hours.slice(0, 19).every((each) => each.length > 80)).toBe(true);
    expect(hours.slice(20).every((each) => each.length === 0)).toBe(true);
  });

  it('is a day after the last, a fifth more or less; the same whoever asks', () => {
    const pauses = Array.from(
      { length: 500 },
      (_, n) => planDueAt({ ...resting({ planned }), id: `e${n}` }, DAY)! - T0,
    );
    expect(Math.min(...pauses)).toBeGreaterThan(0.8 * DAY);
    expect(Math.min(...pauses)).toBeLessThan(0.83 * DAY);
    expect(Math.max(...pauses)).toBeLessThan(1.2 * DAY);
    expect(Math.max(...pauses)).toBeGreaterThan(1.17 * DAY);
    expect(planDueAt(resting({ planned }), DAY)).toBe(planDueAt(resting({ planned }), DAY));
  });

  it('begins anew with every run: what was just applied need not be planned', () => {
    const later = new Date(T0 + 10 * HOUR).toISOString();
    expect(planDueAt(resting({ planned, ranAt: later }), DAY)! - T0).toBeGreaterThan(10 * HOUR + 0.8 * DAY);
  });

  it('comes ever later where plans fail, and soon where a run was lost', () => {
    const dueAfter = (failures: number, lost: boolean) =>
      planDueAt(resting({ planned: { ...planned, verdict: 'Unknown', failures, lost } }), DAY)! - T0;
    expect(dueAfter(1, false)).toBeGreaterThan(0.8 * DAY);
    expect(dueAfter(3, false)).toBeGreaterThan(3.2 * DAY);
    expect(dueAfter(20, false)).toBeLessThan(7 * 1.2 * DAY + 1);
    expect(dueAfter(1, true)).toBeLessThan(1.2 * HOUR + 1);
    expect(dueAfter(20, true)).toBeLessThan(1.2 * DAY + 1);
  });
});
