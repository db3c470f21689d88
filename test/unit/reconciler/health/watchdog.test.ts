/** Watchdog: what is overdue, a lagging loop, and what /healthz makes of it; on virtual time. */
import { describe, expect, it } from 'vitest';
import { isHealthy } from '../../../../src/reconciler/health/health.ts';
import { InFlightTracker, Watchdog } from '../../../../src/reconciler/health/watchdog.ts';
import { memoryLog } from '../../../support/memory-world.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

describe('watchdog', () => {
  it('tells once what is overdue, and again when it is overdue again', async () => {
    const clock = new VirtualClock();
    const log = memoryLog();
    let overdue: string[] = ['a', 'b'];
    const dog = new Watchdog(clock, log, [{ overdue: () => overdue, message: 'too long' }]);
    dog.start();
    await clock.advance(20_000);
    expect(dog.overdue).toBe(2);
    overdue = ['b'];
    await clock.advance(5_000);
    overdue = ['a', 'b'];
    await clock.advance(5_000);
    expect(dog.overdue).toBe(3);
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ overdue: 'a' }, { overdue: 'b' }, { overdue: 'a' }]);
    dog.stop();
    expect(clock.pending).toBe(0);
  });

  it('measures how late its own timer is, and remembers it for a minute', async () => {
    const clock = new VirtualClock();
    let lateMs = 0;
    const late = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: clock.sleep.bind(clock),
      schedule: (delayMs: number, callback: () => void) => clock.schedule(delayMs + lateMs, callback),
    };
    const log = memoryLog();
    const dog = new Watchdog(late, log, []);
    dog.start();
    await clock.advance(10_000);
    expect(dog.lagMs).toBe(0);
    lateMs = 3_000;
    // The next tick is set late; until it comes, the lag grows.
    await clock.advance(6_000);
    expect(dog.lagMs).toBe(2_000);
    await clock.advance(1_000);
    lateMs = 0;
    expect(dog.lagMs).toBe(3_000);
    expect(log.lines).toHaveLength(1);
    await clock.advance(50_000);
    expect(dog.lagMs).toBe(3_000);
    await clock.advance(30_000);
    expect(dog.lagMs).toBe(0);
  });

  it('times what is under way, and forgets it however it ends', async () => {
    const clock = new VirtualClock();
    const watches = new InFlightTracker(clock);
    const works = watches.time('works', () => clock.sleep(5_000));
    const fails = watches.time('fails', () => clock.sleep(5_000).then(() => Promise.reject(new Error('no'))));
    fails.catch(() => {});
    await clock.advance(3_000);
    expect(watches.longerThan(3_000)).toEqual([]);
    expect(watches.longerThan(2_999)).toEqual(['works', 'fails']);
    await clock.advance(3_000);
    await works;
    expect(watches.longerThan(0)).toEqual([]);
  });

  it.each([
    [0, 0, true],
    [299_999, 59_999, true],
    [300_000, 0, false],
    [0, 60_000, false],
  ])('stuck for %d ms and without a poll for %d ms is healthy: %s', (stuckMs, pollSilenceMs, healthy) => {
    const view = { role: 'leader', synced: true, stuckMs, pollSilenceMs, loopLagMs: 0, epoch: 1 } as const;
    expect(isHealthy(view)).toBe(healthy);
  });
});
