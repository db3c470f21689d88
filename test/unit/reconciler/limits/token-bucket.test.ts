/** Token bucket: burst, refill, order, bounded waits; on virtual time. */
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../../src/reconciler/limits/token-bucket.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

/** Takes in the background; tells when each was admitted, in s, or that it was refused. */
function taker(clock: VirtualClock, bucket: TokenBucket) {
  const log: string[] = [];
  const take = (name: string, options: { urgent?: boolean; maxWaitMs?: number } = {}) => {
    void bucket.take(options.maxWaitMs ?? 60_000, options.urgent).then((admitted) => {
      log.push(`${name} ${admitted ? 'at' : 'refused at'} ${(clock.monotonic() / 1_000).toFixed(1)}`);
    });
  };
  return { log, take };
}

describe('token bucket', () => {
  it('admits a burst at once, then the refill', async () => {
    const clock = new VirtualClock();
    const { log, take } = taker(clock, new TokenBucket(clock, { burst: 2, perSecond: 4 }));
    for (const name of ['a', 'b', 'c', 'd']) take(name);
    await clock.advance(0);
    expect(log).toEqual(['a at 0.0', 'b at 0.0']);
    await clock.advance(10_000);
    expect(log.slice(2)).toEqual(['c at 0.3', 'd at 0.5']);
    expect(clock.pending).toBe(0);
  });

  it('never saves up more than a burst, and never admits more than burst and refill together', async () => {
    const clock = new VirtualClock();
    const bucket = new TokenBucket(clock, { burst: 5, perSecond: 2 });
    await clock.advance(3_600_000);
    const { log, take } = taker(clock, bucket);
    for (let n = 0; n < 100; n += 1) take('x');
    await clock.advance(10_000);
    expect(log).toHaveLength(5 + 10 * 2);
  });

  it('serves the urgent first, equals in order', async () => {
    const clock = new VirtualClock();
    const { log, take } = taker(clock, new TokenBucket(clock, { burst: 1, perSecond: 1 }));
    take('first');
    take('a');
    take('b');
    take('urgent', { urgent: true });
    await clock.advance(4_000);
    expect(log).toEqual(['first at 0.0', 'urgent at 1.0', 'a at 2.0', 'b at 3.0']);
  });

  it('lets nobody pass who came later while somebody waits', async () => {
    const clock = new VirtualClock();
    const { log, take } = taker(clock, new TokenBucket(clock, { burst: 1, perSecond: 1 }));
    // Set first, it fires first: the token is there, and the bucket has not looked yet.
    clock.schedule(1_000, () => take('late'));
    take('first');
    take('waits');
    await clock.advance(5_000);
    expect(log.map((line) => line.split(' ')[0])).toEqual(['first', 'waits', 'late']);
  });

  it('refuses who cannot be served in time, and keeps the token for the next', async () => {
    const clock = new VirtualClock();
    const bucket = new TokenBucket(clock, { burst: 1, perSecond: 0.1 });
    const { log, take } = taker(clock, bucket);
    take('first');
    take('hasty', { maxWaitMs: 3_000 });
    take('patient');
    await clock.advance(30_000);
    expect(log).toEqual(['first at 0.0', 'hasty refused at 3.0', 'patient at 10.0']);
    expect(bucket.waiting).toBe(0);
  });

  it('refills at its pace', async () => {
    const clock = new VirtualClock();
    let pace = 0.5;
    const bucket = new TokenBucket(clock, { burst: 1, perSecond: 1 }, () => pace);
    const { log, take } = taker(clock, bucket);
    for (const name of ['a', 'b', 'c']) take(name);
    await clock.advance(3_000);
    expect(log).toEqual(['a at 0.0', 'b at 2.0']);
    bucket.refill();
    pace = 0.1;
    bucket.refill();
    await clock.advance(20_000);
    // Half a token came at the old pace, the other half takes five seconds.
    expect(log.slice(2)).toEqual(['c at 8.0']);
  });
});
