/** A feed over the tables in memory, and who is told. */
import { type Config, ConfigSchema } from '../../src/reconciler/config.ts';
import { type ChangeStream, OperatorError, type Ports } from '../../src/reconciler/ports/index.ts';
import { Informer } from '../../src/reconciler/watch/informer.ts';
import { createMemoryWorld, type MemoryWorld } from './memory-world.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

export interface FeedBench {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly config: Config;
  readonly feed: Informer;
  /** Every enqueued key, in order. */
  readonly enqueued: { readonly id: string; readonly priority: number; readonly at: number }[];
  /** What each list repaired. */
  readonly relists: { readonly repaired: number; readonly at: number }[];
  /** How many calls of the records' stream fail from now on. */
  readonly failing: { page: number; shards: number };
  /** Ids whose record is another than at the time they were enqueued last. */
  unseen(): readonly string[];
  stop(): Promise<void>;
}

/** Lists take a while, a record a page, so that writes fall between the pages. */
const PAGE_MS = 40;

export interface FeedBenchOptions {
  readonly seed?: number;
  /** Before the feed starts. */
  readonly prepare?: (world: MemoryWorld) => void;
  /** Comes between the feed and the stream of the records. */
  readonly between?: (stream: ChangeStream) => ChangeStream;
}

export async function startFeed(options: FeedBenchOptions = {}): Promise<FeedBench> {
  const { seed = 1, prepare = () => {}, between = (stream) => stream } = options;
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const world = createMemoryWorld({ clock, random });
  prepare(world);
  const config = ConfigSchema.parse({});
  const ports: Ports = {
    ...world.ports,
    streams: { ...world.ports.streams, records: between(world.ports.streams.records) },
    records: {
      ...world.ports.records,
      async *scan(signal) {
        for await (const page of world.ports.records.scan(signal)) {
          for (const record of page) {
            await clock.sleep(PAGE_MS, signal);
            const now = world.record(record.id);
            if (now !== undefined) yield [now];
          }
        }
      },
    },
  };
  const failing = { page: 0, shards: 0 };
  for (const method of ['page', 'shards'] as const) {
    world.faults.before(`streams.records.${method}`, () => {
      if (failing[method]-- > 0) throw new OperatorError('Transient', `dynamodb:${method}`, 'said a test');
    });
  }
  const enqueued: FeedBench['enqueued'] = [];
  const relists: FeedBench['relists'] = [];
  const seen = new Map<string, string>();
  const digest = (id: string) => JSON.stringify(world.record(id)) ?? '';
  const feed = new Informer({
    ports,
    config,
    enqueue: (id, priority) => {
      enqueued.push({ id, priority, at: clock.monotonic() });
      seen.set(id, digest(id));
    },
    lifecycles: { onUpsert: () => {} },
    onRecord: () => {},
    onRelist: (repaired) => relists.push({ repaired, at: clock.monotonic() }),
    onTable: () => {},
    onListed: () => {},
    onFleetRun: () => {},
    onRequested: () => {},
    onControl: () => {},
  });
  const stopping = new AbortController();
  const running = feed.run(stopping.signal);
  await clock.advanceUntil(() => feed.synced, 60_000, 'the first list');
  return {
    clock,
    world,
    config,
    feed,
    enqueued,
    relists,
    failing,
    unseen() {
      const ids = new Set([...seen.keys(), ...[...world.tables.records.items()].map((item) => String(item.id))]);
      return [...ids].filter((id) => digest(id) !== (seen.get(id) ?? ''));
    },
    async stop() {
      stopping.abort();
      await clock.advance(60_000);
      await running;
    },
  };
}
