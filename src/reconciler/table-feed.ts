/** Table feed: the changes of one table, from its stream. */
import type { Config } from './config.ts';
import type { ChangeStream, Ports, TableChange } from './ports.ts';

type Needs = Pick<Ports, 'clock' | 'random' | 'log'>;

/** Where a feed stands, and what comes next. */
export type FeedState =
  /** Nothing is subscribed: open next. */
  | { readonly kind: 'unsynced' }
  /** Iterators are being taken: then follow. */
  | { readonly kind: 'opening' }
  /** Every shard is polled; a gap leads back to unsynced, and asks for a list. */
  | { readonly kind: 'following'; readonly streamArn: string; readonly shards: number }
  /** The table has no stream: only lists find changes; looked at again with every list. */
  | { readonly kind: 'streamless' };

export interface TableFeedOptions {
  readonly name: string;
  readonly stream: ChangeStream;
  readonly ports: Needs;
  readonly config: Pick<Config, 'feedIdleMinMs' | 'feedIdleMaxMs'>;
  readonly onChange: (change: TableChange) => void;
  /** The table that is followed, told each time its stream is looked for, before the first change. */
  readonly onTable?: ((tableId: string) => void) | undefined;
  /** Changes may have been missed: the table must be listed. */
  readonly onGap: (reason: string) => void;
}

const OPEN_RETRY_MS = 1_000;
const CHILD_ATTEMPTS = 10;
const CHILD_RETRY_MS = 50;
const STREAMLESS_RETRY_MS = 30_000;

class Gap extends Error {}

/**
 * Follows one table's stream without checkpoints.
 *
 * *Guarantees*: after `opened`, every change is told, or `onGap` is called. Shards found later are read from
 * TRIM_HORIZON, so that what was written before they were found is not lost. *Caveats*: order between shards is not
 * kept: whoever is told reads the item anew.
 */
export class TableFeed {
  readonly #options: TableFeedOptions;
  #state: FeedState = { kind: 'unsynced' };
  #markOpened: () => void = () => {};
  /** Resolves when the first subscription stands (or there is no stream to subscribe to). */
  readonly opened: Promise<void>;
  #lastPollAt: number | undefined;

  constructor(options: TableFeedOptions) {
    this.#options = options;
    this.opened = new Promise((resolve) => {
      this.#markOpened = resolve;
    });
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Local time of the last poll that succeeded. */
  get lastPollAt(): number | undefined {
    return this.#lastPollAt;
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options.ports;
    let first = true;
    while (!signal.aborted) {
      try {
        await this.#openAndFollow(signal, first);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ feed: this.#options.name, error: String(error) }, 'the stream is opened anew');
        if (!(error instanceof Gap)) await clock.sleep(OPEN_RETRY_MS, signal);
      }
      this.#state = { kind: 'unsynced' };
      first = false;
    }
  }

  async #openAndFollow(signal: AbortSignal, first: boolean): Promise<void> {
    const { stream, ports, onGap, name } = this.#options;
    this.#state = { kind: 'opening' };
    const { tableId, streamArn } = await stream.describeTable();
    this.#options.onTable?.(tableId);
    if (streamArn === undefined) {
      if (first) ports.log.warn({ feed: name }, 'the table has no stream: changes are found by lists alone');
      this.#state = { kind: 'streamless' };
      this.#markOpened();
      await ports.clock.sleep(STREAMLESS_RETRY_MS, signal);
      return;
    }
    const shards = await stream.shards(streamArn);
    const known = new Set(shards.map((shard) => shard.shardId));
    const iterators = await Promise.all(
      shards.map((shard) => stream.iterator(streamArn, shard.shardId, 'LATEST').then((at) => ({ shard, at }))),
    );
    this.#state = { kind: 'following', streamArn, shards: iterators.length };
    // What changed between the last poll of the old subscription and this one is in no stream page of ours.
    if (!first) onGap('reopened');
    this.#markOpened();
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const follow = async (shardId: string, iterator: string | undefined): Promise<void> => {
      await this.#followShard(iterator, both);
      if (both.aborted) return;
      const children = await this.#children(streamArn, shardId, known, both);
      await Promise.all(
        children.map(async (child) => follow(child, await stream.iterator(streamArn, child, 'TRIM_HORIZON'))),
      );
    };
    try {
      await Promise.all(iterators.map(({ shard, at }) => follow(shard.shardId, at)));
      // Every shard ended and none was born: the stream was disabled.
      if (!signal.aborted) throw new Gap('the stream has ended');
    } finally {
      stop.abort();
    }
  }

  /** Polls one shard to its end. */
  async #followShard(from: string | undefined, signal: AbortSignal): Promise<void> {
    const { stream, ports, config, onChange } = this.#options;
    let iterator = from;
    let idleMs = config.feedIdleMinMs;
    let failures = 0;
    while (iterator !== undefined && !signal.aborted) {
      try {
        const page = await stream.page(iterator);
        failures = 0;
        if (page.kind === 'gap') throw new Gap(page.reason);
        this.#lastPollAt = ports.clock.monotonic();
        for (const change of page.changes) onChange(change);
        iterator = page.next;
        idleMs = page.changes.length > 0 ? config.feedIdleMinMs : Math.min(config.feedIdleMaxMs, idleMs * 2);
      } catch (error) {
        if (error instanceof Gap) throw error;
        // The iterator stays valid for 15 minutes: the same page is asked for again.
        if (failures++ >= 30) throw error;
        ports.log.debug({ feed: this.#options.name, error: String(error) }, 'poll failed; trying again');
        idleMs = Math.min(30_000, 500 * 2 ** Math.min(failures, 6));
      }
      if (iterator !== undefined) await ports.clock.sleep(idleMs * (0.9 + 0.2 * ports.random.next()), signal);
    }
  }

  /** The shards a shard was split into; a shard without any that are not known leads to a gap only if none exists. */
  async #children(
    streamArn: string,
    parent: string,
    known: Set<string>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { stream, ports } = this.#options;
    for (let attempt = 0; attempt < CHILD_ATTEMPTS && !signal.aborted; attempt += 1) {
      const children = (await stream.shards(streamArn)).filter((shard) => shard.parentShardId === parent);
      if (children.length > 0) {
        const fresh = children.filter((child) => !known.has(child.shardId)).map((child) => child.shardId);
        for (const child of fresh) known.add(child);
        return fresh;
      }
      await ports.clock.sleep(CHILD_RETRY_MS * 2 ** attempt, signal);
    }
    throw new Gap(`no child of shard ${parent} was found`);
  }
}
