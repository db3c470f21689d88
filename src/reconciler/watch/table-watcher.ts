/** Table feed: the changes of one table, from its stream. */
import type { Config } from '../config.ts';
import type { ChangeStream, Ports, TableChange } from '../ports/index.ts';
import { Gap } from './shard-reader.ts';
import { StreamSubscription } from './stream-subscription.ts';

/** Where a feed stands, and what comes next. */
export type FeedState =
  /** Nothing is subscribed: open next, after a pause that grows while opening fails. */
  | { readonly kind: 'unsynced' }
  /** Iterators are being taken: then follow. */
  | { readonly kind: 'opening' }
  /** Every shard is polled; a gap leads back to unsynced, and asks for a list. */
  | { readonly kind: 'following'; readonly streamArn: string; readonly shards: number }
  /** The table has no stream: only lists find changes; looked at again with every list. */
  | { readonly kind: 'streamless' };

export interface TableWatcherOptions {
  readonly name: string;
  readonly stream: ChangeStream;
  readonly ports: Pick<Ports, 'clock' | 'random' | 'log'>;
  readonly config: Pick<Config, 'feedIdleMinMs' | 'feedIdleMaxMs' | 'relistMs'>;
  readonly onChange: (change: TableChange) => void;
  /** Told of every poll that was answered. */
  readonly onPoll?: (() => void) | undefined;
  /** The table that is followed, told each time its stream is looked for, before the first change. */
  readonly onTable?: ((tableId: string) => void) | undefined;
  /** Changes may have been missed: the table must be listed. */
  readonly onGap: (reason: string) => void;
}

const REOPEN_PAUSE_MS = 1_000;
const LONGEST_REOPEN_PAUSE_MS = 30_000;
/** A subscription that lasted this long was a good one: the next is opened without a pause. */
const GOOD_FOR_MS = 60_000;
/** Failed openings after which lists begin without the stream. */
const PATIENCE = 3;

/**
 * Follows one table's stream without checkpoints.
 *
 * *Guarantees*: after `opened`, every change is told, or `onGap` is called when the stream is followed again; while it
 * is not, only lists find changes. *Caveats*: order between shards is not kept: whoever is told reads the item anew.
 */
export class TableWatcher {
  readonly #options: TableWatcherOptions;
  #state: FeedState = { kind: 'unsynced' };
  #markOpened: () => void = () => {};
  /** Resolves when lists may begin: the first subscription stands, or there is none to be had for now. */
  readonly opened: Promise<void>;
  #mayHaveMissed = false;
  #subscription: StreamSubscription | undefined;
  #wake: () => void = () => {};

  constructor(options: TableWatcherOptions) {
    this.#options = options;
    this.opened = new Promise((resolve) => {
      this.#markOpened = () => {
        this.#mayHaveMissed = true;
        resolve();
      };
    });
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Local time of the last poll that succeeded, of the shard where that is longest ago; undefined: none is polled. */
  get lastPollAt(): number | undefined {
    const polls = [...this.pollsByShard().values()];
    return polls.length === 0 ? undefined : Math.min(...polls);
  }

  /** Local time of the last poll that succeeded, shard by shard. */
  pollsByShard(): ReadonlyMap<string, number> {
    return this.#subscription?.pollsByShard() ?? new Map();
  }

  /** Before every list: is it still this stream, with these shards? Never rejects. */
  async refresh(): Promise<void> {
    this.#wake();
    await this.#subscription?.refresh().catch((error: unknown) => {
      this.#options.ports.log.debug({ feed: this.#options.name, error: String(error) }, 'refresh failed');
    });
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { ports, name } = this.#options;
    const { clock, log } = ports;
    let failures = 0;
    while (!signal.aborted) {
      const began = clock.monotonic();
      try {
        await this.#openAndFollow(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        log.warn({ feed: name, error: String(error) }, 'the stream is opened anew');
        failures = clock.monotonic() - began >= GOOD_FOR_MS ? 0 : failures + 1;
        if (failures >= PATIENCE && !this.#mayHaveMissed) {
          log.warn({ feed: name }, 'the stream cannot be opened: until it can, changes are found by lists alone');
          this.#markOpened();
        }
        this.#state = { kind: 'unsynced' };
        if (error instanceof Gap && failures <= 1) continue;
        await clock.sleep(Math.min(LONGEST_REOPEN_PAUSE_MS, REOPEN_PAUSE_MS * 2 ** Math.min(failures, 5)), signal);
      }
    }
    this.#state = { kind: 'unsynced' };
  }

  async #openAndFollow(signal: AbortSignal): Promise<void> {
    const { stream, ports, onGap, onTable, name } = this.#options;
    this.#state = { kind: 'opening' };
    const { streamArn, tableId } = await stream.describeTable();
    onTable?.(tableId);
    if (streamArn === undefined) {
      ports.log.warn({ feed: name }, 'the table has no stream: changes are found by lists alone');
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      this.#state = { kind: 'streamless' };
      this.#markOpened();
      return woken;
    }
    const subscription = await StreamSubscription.open({ ...this.#options, streamArn, tableId });
    this.#subscription = subscription;
    this.#state = { kind: 'following', streamArn, shards: subscription.pollsByShard().size };
    // What changed between the last poll of the old subscription and this one is in no stream page of ours.
    if (this.#mayHaveMissed) onGap('reopened');
    this.#markOpened();
    try {
      await subscription.run(signal);
    } finally {
      this.#subscription = undefined;
    }
  }
}
