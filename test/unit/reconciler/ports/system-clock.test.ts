import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../../../src/reconciler/ports/system-clock.ts';
import { seededRandom, VirtualClock } from '../../../support/virtual-clock.ts';

describe('the virtual clock', () => {
  it('fires callbacks by due time, and by order of scheduling within one instant', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.schedule(20, () => fired.push(`c@${clock.monotonic()}`));
    clock.schedule(10, () => fired.push(`a@${clock.monotonic()}`));
    clock.schedule(10, () => fired.push(`b@${clock.monotonic()}`));
    await clock.advance(19);
    expect(fired).toEqual(['a@10', 'b@10']);
    await clock.advance(1);
    expect(fired).toEqual(['a@10', 'b@10', 'c@20']);
  });

  it('keeps the order of a thousand timers, cancelled ones left out', async () => {
    const clock = new VirtualClock();
    const random = seededRandom(7);
    const fired: string[] = [];
    const set: { readonly delay: number; readonly name: string }[] = [];
    for (let i = 0; i < 1_000; i++) {
      const delay = Math.floor(random.next() * 50);
      const name = `${delay} ms, timer ${i}`;
      const cancel = clock.schedule(delay, () => fired.push(name));
      if (i % 3 === 0) cancel();
      else set.push({ delay, name });
    }
    expect(clock.pending).toBe(set.length);
    await clock.advance(50);
    // A stable sort: within one instant the order of scheduling stays.
    expect(fired).toEqual(set.sort((a, b) => a.delay - b.delay).map((timer) => timer.name));
    expect(clock.pending).toBe(0);
  });

  it('runs promise chains between instants, so that a loop of sleeps keeps its pace', async () => {
    const clock = new VirtualClock();
    const woke: number[] = [];
    void (async () => {
      for (;;) {
        await clock.sleep(10);
        for (let i = 0; i < 50; i++) await Promise.resolve();
        woke.push(clock.monotonic());
      }
    })();
    await clock.advance(35);
    expect(woke).toEqual([10, 20, 30]);
  });

  it('wakes a sleeper early when the signal aborts, and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    let woke = false;
    void clock.sleep(1_000, abort.signal).then(() => {
      woke = true;
    });
    await clock.advance(5);
    expect(woke).toBe(false);
    abort.abort();
    await clock.flush();
    expect(woke).toBe(true);
    expect(clock.pending).toBe(0);
    expect(clock.monotonic()).toBe(5);
  });

  it('refuses to go back, and refuses a second mover', async () => {
    const clock = new VirtualClock();
    await expect(clock.advance(-1)).rejects.toThrow('does not go back');
    const first = clock.advance(1);
    await expect(clock.advance(1)).rejects.toThrow('one mover');
    await first;
  });

  it('steps the wall clock without touching local time', async () => {
    const clock = new VirtualClock(1_000);
    clock.stepWall(-500);
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
  });

  it('advances until a condition holds, and says what did not', async () => {
    const clock = new VirtualClock();
    let done = false;
    clock.schedule(40, () => {
      done = true;
    });
    await clock.advanceUntil(() => done, 100);
    expect(clock.monotonic()).toBe(40);
    await expect(clock.advanceUntil(() => false, 10, 'rest')).rejects.toThrow('rest did not hold within 10');
  });
});

describe('the seeded random', () => {
  it('repeats itself for one seed, differs for another, and stays in range', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return [random.id(12), ...Array.from({ length: 500 }, () => random.next())];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const numbers = draw(3).slice(1) as number[];
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(490);
  });
});

describe('the system clock', () => {
  it('clamps a delay Node would fire at once', async () => {
    let fired = false;
    const cancel = systemClock.schedule(2 ** 31, () => {
      fired = true;
    });
    await systemClock.sleep(5);
    cancel();
    expect(fired).toBe(false);
  });

  it('ends a sleep at once when the signal is or becomes aborted', async () => {
    await systemClock.sleep(60_000, AbortSignal.abort());
    const abort = new AbortController();
    const slept = systemClock.sleep(60_000, abort.signal);
    abort.abort();
    await slept;
  });

  it('draws ids of lower-case letters and digits', () => {
    expect(systemRandom.id(200)).toMatch(/^[a-z0-9]{200}$/);
  });
});
