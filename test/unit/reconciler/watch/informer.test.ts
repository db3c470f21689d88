import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../../../src/enclave/items/items.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import { PRIORITY } from '../../../../src/reconciler/queue/work-queue.ts';
import { type FeedBench, startFeed } from '../../../support/feed-bench.ts';

const MINUTE = 60_000;
const TRANSIENT = new OperatorError('Transient', 'dynamodb:GetRecords', 'said a test');

const anyId = fc.constantFrom('a', 'b', 'c', 'd');
const anyWrite = fc.oneof(
  fc.record({ do: fc.constant('put' as const), id: anyId }),
  fc.record({ do: fc.constant('update' as const), id: anyId }),
  fc.record({ do: fc.constant('delete' as const), id: anyId }),
);
/** What a stream may do without losing anything. */
const anyNuisance = fc.constantFrom('split', 'repeat', 'failPolls', 'failShards', 'losePage').map((name) => ({
  do: name as 'split' | 'repeat' | 'failPolls' | 'failShards' | 'losePage',
}));
const anyFault = fc
  .constantFrom('trim', 'expire', 'disable', 'enable', 'hide', 'reveal', 'hold', 'deliver', 'dropPages')
  .map((name) => ({
    do: name as 'trim' | 'expire' | 'disable' | 'enable' | 'hide' | 'reveal' | 'hold' | 'deliver' | 'dropPages',
  }));
const aPause = fc.constantFrom(0, 100, 1_000, 3_000, 20_000, 100_000).map((ms) => ({ do: 'advance' as const, ms }));

type Step =
  | (typeof anyWrite extends fc.Arbitrary<infer T> ? T : never)
  | (typeof anyNuisance extends fc.Arbitrary<infer T> ? T : never)
  | (typeof anyFault extends fc.Arbitrary<infer T> ? T : never)
  | (typeof aPause extends fc.Arbitrary<infer T> ? T : never);

/** Lifts what would last; what has happened has happened. */
function calm({ world }: FeedBench): void {
  const { stream } = world.tables.records;
  stream.deliver();
  stream.reveal();
  stream.enable();
}

async function take(step: Step, bench: FeedBench, count: number): Promise<void> {
  const { world, clock } = bench;
  const { stream } = world.tables.records;
  switch (step.do) {
    case 'put':
      return world.putRecord({ id: step.id, status: 'PENDING_DEPLOY', updatedAt: clock.iso(), count });
    case 'update':
      // Somebody's tool may leave updatedAt as it is.
      return world.record(step.id) === undefined ? undefined : world.updateRecord(step.id, { count });
    case 'delete':
      return world.deleteRecord(step.id);
    case 'split':
      return stream.split();
    case 'repeat':
      return stream.repeat(3);
    case 'failPolls':
      bench.failing.page = 3;
      return;
    case 'failShards':
      bench.failing.shards = 2;
      return;
    case 'losePage':
      return world.faults.loseNextReply('streams.records.page', TRANSIENT);
    case 'trim':
      return stream.trim();
    case 'expire':
      return stream.expireIterators();
    case 'disable':
      return stream.disable();
    case 'enable':
      return stream.enable();
    case 'hide':
      return stream.split(true);
    case 'reveal':
      return stream.reveal();
    case 'hold':
      return stream.hold();
    case 'deliver':
      return stream.deliver();
    case 'dropPages':
      // Lost without a trace: what is written meanwhile is in no page.
      stream.disable();
      world.putRecord({ id: 'dropped', count });
      return stream.enable();
    case 'advance':
      return clock.advance(step.ms);
  }
}

describe('the feed, whatever happens', () => {
  it('once faults stop, tells within one relist of every record that is not as it was told of', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(anyWrite, anyNuisance, anyFault, aPause), { maxLength: 30 }),
        fc.nat(),
        async (steps, seed) => {
          const bench = await startFeed({ seed });
          for (const [index, step] of steps.entries()) await take(step, bench, index);
          calm(bench);
          await bench.clock.advance(bench.config.relistMs * 1.1 + 30_000);
          expect(bench.unseen()).toEqual([]);
          // And follows again: what is written now is told without a list.
          bench.world.putRecord({ id: 'after', count: -1 });
          await bench.clock.advance(2 * bench.config.feedIdleMaxMs);
          expect(bench.unseen()).toEqual([]);
          await bench.stop();
        },
      ),
      { numRuns: 200 },
    );
  }, 60_000);

  it('without a gap, tells of every change within the longest pause, and lists repair nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(anyWrite, anyNuisance, aPause), { maxLength: 40 }),
        fc.nat(),
        async (steps, seed) => {
          const bench = await startFeed({ seed });
          for (const [index, step] of steps.entries()) await take(step, bench, index);
          await bench.clock.advance(40_000);
          expect(bench.unseen()).toEqual([]);
          await bench.clock.advance(2 * bench.config.relistMs);
          expect(bench.feed.gaps).toBe(0);
          expect(bench.relists.length).toBeGreaterThan(0);
          expect(bench.relists.filter(({ repaired }) => repaired > 0)).toEqual([]);
          await bench.stop();
        },
      ),
      { numRuns: 200 },
    );
  }, 60_000);
});

describe('the feed', () => {
  const settled = async (bench: FeedBench) => {
    await bench.clock.advance(10_000);
    bench.enqueued.length = 0;
  };
  const told = (bench: FeedBench, id: string) => bench.enqueued.some((each) => each.id === id);

  it.each([
    { what: 'an expired iterator', fault: (bench: FeedBench) => bench.world.tables.records.stream.expireIterators() },
    {
      what: 'trimmed data',
      fault: (bench: FeedBench) => {
        bench.world.putRecord({ id: 'trimmed' });
        bench.world.tables.records.stream.trim();
      },
    },
    {
      what: 'a shard that is gone',
      fault: (bench: FeedBench) => {
        bench.world.tables.records.stream.split();
        bench.world.tables.records.stream.trim();
      },
    },
  ])('$what: subscribes anew, then lists at once', async ({ fault }) => {
    const bench = await startFeed();
    bench.world.putRecord({ id: 'a' });
    await settled(bench);
    fault(bench);
    bench.world.putRecord({ id: 'b' });
    await bench.clock.advance(15_000);
    expect(bench.feed.gaps).toBe(1);
    expect(told(bench, 'a') && told(bench, 'b')).toBe(true);
    await bench.stop();
  });

  it('reads children from their beginning, however late they are shown', async () => {
    const bench = await startFeed();
    await settled(bench);
    bench.world.tables.records.stream.split(true);
    for (const id of ['a', 'b', 'c', 'd']) bench.world.putRecord({ id });
    await bench.clock.advance(3_000);
    bench.world.tables.records.stream.reveal();
    await bench.clock.advance(3_000);
    expect(['a', 'b', 'c', 'd'].filter((id) => told(bench, id))).toHaveLength(4);
    expect(bench.feed.gaps).toBe(0);
    await bench.stop();
  });

  it('without a stream, finds changes by lists and says so; with one again, follows it', async () => {
    const bench = await startFeed();
    const { stream } = bench.world.tables.records;
    stream.disable();
    await bench.clock.advance(MINUTE);
    expect(bench.world.log.lines.map((line) => line.message)).toContain(
      'the table has no stream: changes are found by lists alone',
    );
    await settled(bench);
    bench.world.putRecord({ id: 'a' });
    await bench.clock.advance(bench.config.relistMs * 1.1 + 10_000);
    expect(told(bench, 'a')).toBe(true);
    expect(bench.relists.at(-1)?.repaired).toBe(1);
    stream.enable();
    await bench.clock.advance(bench.config.relistMs * 1.1 + 10_000);
    await settled(bench);
    bench.world.putRecord({ id: 'b' });
    await bench.clock.advance(3_000);
    expect(told(bench, 'b')).toBe(true);
    await bench.stop();
  });

  it('follows the stream of a table made anew', async () => {
    const bench = await startFeed();
    bench.world.putRecord({ id: 'a' });
    await settled(bench);
    bench.world.tables.records.recreate();
    await bench.clock.advance(bench.config.relistMs * 1.1 + 10_000);
    expect(bench.enqueued).toContainEqual(expect.objectContaining({ id: 'a', priority: PRIORITY.delete }));
    await settled(bench);
    bench.world.putRecord({ id: 'b' });
    await bench.clock.advance(3_000);
    expect(told(bench, 'b')).toBe(true);
    await bench.stop();
  });

  it('asks an idle shard less often, from a quarter of a second down to every two seconds, with jitter', async () => {
    const bench = await startFeed();
    await settled(bench);
    const polls: number[] = [];
    bench.world.faults.before('streams.records.page', () => void polls.push(bench.clock.monotonic()));
    bench.world.putRecord({ id: 'a' });
    await bench.clock.advance(60_000);
    const pauses = polls.slice(1).map((at, index) => at - polls[index]!);
    const nominal = [250, 500, 1_000, 2_000, 2_000];
    for (const [index, pause] of nominal.entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(pause * 0.9);
      expect(pauses[index]).toBeLessThanOrEqual(pause * 1.1);
    }
    expect(new Set(pauses.slice(4)).size).toBeGreaterThan(5);
    await bench.stop();
  });

  it('takes an iterator anew that has told nothing for ten minutes', async () => {
    // Iterators of the first taking no longer work, and do not say so.
    let takings = 0;
    const bench = await startFeed({
      between: (stream) => ({
        ...stream,
        iterator: async (...args) => `${await stream.iterator(...args)}|${takings++}`,
        async page(iterator) {
          if (iterator.endsWith('|0')) return { kind: 'page', changes: [], next: iterator };
          const page = await stream.page(iterator);
          return page.kind === 'page' && page.next !== undefined ? { ...page, next: `${page.next}|1` } : page;
        },
      }),
    });
    await bench.clock.advance(10 * MINUTE);
    expect(takings).toBeGreaterThan(1);
    await settled(bench);
    bench.world.putRecord({ id: 'a' });
    await bench.clock.advance(3_000);
    expect(told(bench, 'a')).toBe(true);
    expect(bench.feed.gaps).toBe(0);
    await bench.stop();
  });

  it('finds a shard with the next list that was shown later than its sibling', async () => {
    let withheld: string | undefined = '';
    const bench = await startFeed({
      between: (stream) => ({
        ...stream,
        async shards(streamArn) {
          const shards = await stream.shards(streamArn);
          if (withheld === '') withheld = shards.at(2)?.shardId ?? '';
          return shards.filter((shard) => shard.shardId !== withheld);
        },
      }),
    });
    bench.world.tables.records.stream.split();
    await settled(bench);
    withheld = undefined;
    await bench.clock.advance(bench.config.relistMs * 1.1);
    await settled(bench);
    for (const id of ['a', 'b', 'c', 'd']) bench.world.putRecord({ id });
    await bench.clock.advance(3_000);
    expect(['a', 'b', 'c', 'd'].filter((id) => told(bench, id))).toHaveLength(4);
    expect(bench.feed.gaps).toBe(0);
    await bench.stop();
  });

  it.each([
    { what: 'late', heldMs: 3_000, repaired: 0 },
    { what: 'never', heldMs: 30_000, repaired: 1 },
  ])('a change that a list finds and the stream tells $what: $repaired repaired', async ({ heldMs, repaired }) => {
    const bench = await startFeed();
    await settled(bench);
    const { stream } = bench.world.tables.records;
    stream.hold();
    bench.world.putRecord({ id: 'a' });
    await bench.clock.advanceUntil(() => told(bench, 'a'), bench.config.relistMs * 1.1, 'the next list');
    await bench.clock.advance(heldMs);
    stream.deliver();
    await bench.clock.advance(30_000);
    expect(bench.relists.map((relist) => relist.repaired)).toEqual([repaired]);
    await bench.stop();
  });

  it('does not answer the echo of its own publish, but the next change with the same time', async () => {
    const bench = await startFeed();
    await settled(bench);
    const updatedAt = bench.clock.iso();
    bench.feed.published('a', updatedAt);
    bench.world.putRecord({ id: 'a', updatedAt });
    await bench.clock.advance(3_000);
    expect(bench.enqueued).toEqual([]);
    bench.world.updateRecord('a', { status: 'PENDING_DESTROY' });
    await bench.clock.advance(3_000);
    expect(bench.enqueued).toMatchObject([{ id: 'a', priority: PRIORITY.delete }]);
    await bench.stop();
  });

  it.each([
    { what: 'a request', table: 'state', item: { ...keys.request('x', 'k'), v: 1 }, priority: PRIORITY.command },
    { what: 'a plan result', table: 'state', item: keys.planResult('x', 'drift-1-1'), priority: PRIORITY.drift },
    { what: 'a report', table: 'state', item: { pk: keys.reports('x'), sk: 'i-1' }, priority: PRIORITY.drift },
    { what: 'an outcome', table: 'history', item: { ...keys.run('x', 'r'), outcome: {} }, priority: PRIORITY.change },
  ] as const)('$what enqueues its enclave', async ({ table, item, priority }) => {
    const bench = await startFeed();
    await settled(bench);
    bench.world.tables[table].put(item);
    await bench.clock.advance(3_000);
    expect(bench.enqueued).toMatchObject([{ id: 'x', priority }]);
    await bench.stop();
  });

  it('lastPollAt is that of the shard that was polled longest ago', async () => {
    const bench = await startFeed();
    await settled(bench);
    bench.world.faults.before('streams.history.page', () => {
      throw TRANSIENT;
    });
    const before = bench.clock.monotonic();
    await bench.clock.advance(MINUTE);
    expect(bench.feed.lastPollAt()).toBeLessThanOrEqual(before);
    await bench.stop();
  });

  it('lists although a stream cannot be opened', async () => {
    let refused = true;
    const bench = await startFeed({
      prepare: (world) => {
        world.putRecord({ id: 'a' });
        world.faults.before('streams.state.describeTable', () => {
          if (refused) throw new OperatorError('Blocked', 'dynamodb:DescribeTable', 'said a test');
        });
      },
    });
    expect(told(bench, 'a')).toBe(true);
    await settled(bench);
    // What was written before the stream could be followed, a list finds as soon as it is.
    refused = false;
    await bench.clock.advance(MINUTE);
    expect(told(bench, 'a')).toBe(true);
    expect(bench.feed.gaps).toBe(1);
    await bench.stop();
  });
});
