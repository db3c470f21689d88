/** Stream subscription: all shards of one stream, old and new. */
import type { Config } from '../config.ts';
import type { ChangeStream } from '../ports/index.ts';
import { Gap, ShardReader, type ShardReaderOptions } from './shard-reader.ts';

export interface StreamSubscriptionOptions extends ShardReaderOptions {
  readonly stream: ChangeStream;
  readonly streamArn: string;
  readonly tableId: string;
  readonly config: ShardReaderOptions['config'] & Pick<Config, 'relistMs'>;
}

const CHILD_ATTEMPTS = 10;
const CHILD_RETRY_MS = 50;
const LONGEST_CHILD_RETRY_MS = 1_000;
/** An iterator that has told nothing for this long is taken anew: one that no longer works may not say so. */
const QUIET_DEADLINE_MS = 10 * 60_000;
/** Lists come up to a tenth later than their interval. */
const LATE = 1.1;

/**
 * Reads every shard from LATEST, and the shards they are split into from TRIM_HORIZON: what was written before such a
 * shard was found is not lost.
 */
export class StreamSubscription {
  readonly #options: StreamSubscriptionOptions;
  readonly #known = new Set<string>();
  readonly #readers = new Map<string, ShardReader>();
  readonly #stop = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  readonly #following = new Set<Promise<void>>();

  private constructor(options: StreamSubscriptionOptions) {
    this.#options = options;
    // Whoever stops a subscription need not hear of what fails afterwards.
    this.#failed.promise.catch(() => {});
  }

  /** Takes the iterators: from here on, every change is told once `run` is called. */
  static async open(options: StreamSubscriptionOptions): Promise<StreamSubscription> {
    const { stream, streamArn } = options;
    const subscription = new StreamSubscription(options);
    const shards = await stream.shards(streamArn);
    if (shards.length === 0) throw new Gap('the stream has no shards yet');
    for (const { shardId } of shards) subscription.#known.add(shardId);
    // A shard with children has ended: nothing lies behind its LATEST, and a stream lists a day of such shards. To read
    // each to its end would be to look for its children again, all at once, past DescribeStream's ten calls a second.
    const parents = new Set(shards.map((shard) => shard.parentShardId));
    const leaves = shards.filter((shard) => !parents.has(shard.shardId));
    const iterators = await Promise.all(leaves.map((shard) => stream.iterator(streamArn, shard.shardId, 'LATEST')));
    leaves.forEach(({ shardId }, index) => {
      const iterator = iterators[index];
      // Gone since it was listed, so trimmed, so ended long ago: its children are in the list.
      if (iterator !== undefined) subscription.#readers.set(shardId, new ShardReader(options, iterator));
    });
    return subscription;
  }

  pollsByShard(): ReadonlyMap<string, number> {
    return new Map([...this.#readers].map(([shardId, reader]) => [shardId, reader.lastSuccessfulPollAt]));
  }

  /** Resolves when the signal aborts and the last poll has ended; throws {@link Gap}, or what made polling impossible. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stop.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const stopped = new Promise<void>((resolve) => {
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    try {
      for (const [shardId, reader] of this.#readers) this.#follow(shardId, reader);
      await Promise.race([this.#failed.promise, stopped]);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
      await Promise.all(this.#following);
    }
  }

  /**
   * Looks for another stream, for shards nobody told of, and for iterators that have been quiet for long. A list must
   * follow: it covers what such an iterator may have kept to itself.
   */
  async refresh(): Promise<void> {
    const { stream, streamArn, tableId, config } = this.#options;
    const table = await stream.describeTable();
    if (table.streamArn !== streamArn || table.tableId !== tableId) {
      return this.#failed.reject(new Gap('the table has another stream'));
    }
    for (const { shardId, parentShardId } of await stream.shards(streamArn)) {
      // A parent that is still read leads to its children at its end.
      const found = parentShardId !== undefined && this.#readers.has(parentShardId);
      if (!this.#known.has(shardId) && !found) await this.#followNew(shardId);
    }
    for (const [shardId, reader] of this.#readers) {
      if (reader.quietMs + config.relistMs * LATE < QUIET_DEADLINE_MS) continue;
      const iterator = await stream.iterator(streamArn, shardId, 'LATEST');
      if (iterator !== undefined) reader.renew(iterator);
    }
  }

  /** Reads a shard to its end, then its children. */
  #follow(shardId: string, reader: ShardReader): void {
    const read = async () => {
      await reader.run(this.#stop.signal);
      this.#readers.delete(shardId);
      if (!this.#stop.signal.aborted) for (const child of await this.#children(shardId)) await this.#followNew(child);
    };
    const following = read()
      .catch((error: unknown) => this.#failed.reject(error))
      .finally(() => this.#following.delete(following));
    this.#following.add(following);
  }

  async #followNew(shardId: string): Promise<void> {
    const { stream, streamArn } = this.#options;
    if (this.#known.has(shardId)) return;
    this.#known.add(shardId);
    const iterator = await stream.iterator(streamArn, shardId, 'TRIM_HORIZON').catch((error: unknown) => {
      this.#known.delete(shardId);
      throw error;
    });
    if (iterator === undefined) return this.#failed.reject(new Gap(`shard ${shardId} is gone before it was read`));
    if (this.#stop.signal.aborted) return;
    const reader = new ShardReader(this.#options, iterator);
    this.#readers.set(shardId, reader);
    this.#follow(shardId, reader);
  }

  /** The shards a shard was split into; none at all means that the stream has ended, or that they are not shown yet. */
  async #children(parent: string): Promise<readonly string[]> {
    const { stream, streamArn, ports, name } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 0; attempt < CHILD_ATTEMPTS && !signal.aborted; attempt += 1) {
      const shards = await stream.shards(streamArn).catch((error: unknown) => {
        ports.log.debug({ feed: name, shard: parent, error: String(error) }, 'shards not listed; trying again');
        return [];
      });
      const children = shards.filter((shard) => shard.parentShardId === parent);
      if (children.length > 0) return children.map((child) => child.shardId);
      const pauseMs = Math.min(LONGEST_CHILD_RETRY_MS, CHILD_RETRY_MS * 2 ** attempt);
      await ports.clock.sleep(pauseMs * (0.8 + 0.4 * ports.random.next()), signal);
    }
    throw new Gap(`no child of shard ${parent} was found`);
  }
}
