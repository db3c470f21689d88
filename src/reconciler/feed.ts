/** Feed: which enclaves changed, from three streams and a list. */
import { createHash } from 'node:crypto';
import { keys, type Lifecycle } from '../enclave/items.ts';
import { canonicalJson } from '../enclave/json.ts';
import type { Config } from './config.ts';
import type { Ports, RawRecord, TableChange } from './ports.ts';
import { PRIORITY, type Priority } from './queue.ts';
import { TableFeed } from './table-feed.ts';

export interface FeedOptions {
  readonly ports: Ports;
  readonly config: Config;
  readonly enqueue: (id: string, priority: Priority) => void;
  /** Every lifecycle a list finds. */
  readonly onLifecycle: (lifecycle: Lifecycle) => void;
  readonly onRelist: (repaired: number) => void;
  /** The table of records, each time its stream is opened. */
  readonly onTable: (tableId: string) => void;
  /** After every full list: how many records there are. */
  readonly onListed: (records: number) => void;
  /** `fleet/control` has changed. */
  readonly onControl: () => void;
}

/**
 * Subscribes first, lists second, then follows: what was written before the subscription is in the list, what was
 * written after it is in the stream. Any gap makes a list at once; a list every `relistMs` bounds what a fault nobody
 * noticed can cost.
 *
 * *Guarantees*: after `synced`, every change of a record, every outcome, report, request and lock release enqueues its
 * enclave, at the latest with the next list. The operator's own publishes do not.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #tables: readonly TableFeed[];
  readonly #own = new Map<string, string>();
  #seen = new Map<string, string>();
  #relistWanted: (() => void) | undefined;
  #gaps = 0;
  #synced = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { ports, config } = options;
    const table = (name: 'records' | 'state' | 'history', onChange: (change: TableChange) => void) =>
      new TableFeed({
        name,
        stream: ports.streams[name],
        ports,
        config,
        onChange,
        onTable: name === 'records' ? options.onTable : undefined,
        onGap: (reason) => this.#gap(name, reason),
      });
    this.#tables = [
      table('records', (change) => this.#recordChanged(change)),
      table('state', (change) => this.#stateChanged(change)),
      table('history', (change) => this.#historyChanged(change)),
    ];
  }

  /** True after the first full list. */
  get synced(): boolean {
    return this.#synced;
  }

  get gaps(): number {
    return this.#gaps;
  }

  /** Local time of the oldest last poll among the streams; undefined where one was never polled. */
  lastPollAt(): number | undefined {
    const polls = this.#tables.filter((table) => table.state.kind === 'following').map((table) => table.lastPollAt);
    return polls.length === 0 || polls.includes(undefined) ? undefined : Math.min(...(polls as number[]));
  }

  /** A publish of our own: its echo enqueues nothing. */
  published(id: string, updatedAt: string): void {
    this.#own.set(id, updatedAt);
  }

  forget(id: string): void {
    this.#own.delete(id);
    this.#seen.delete(id);
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const streams = this.#tables.map((table) => table.run(signal));
    await Promise.race([Promise.all(this.#tables.map((table) => table.opened)), aborted(signal)]);
    const { clock, random, log } = this.#options.ports;
    const { config } = this.#options;
    while (!signal.aborted) {
      let pauseMs = config.relistMs * (0.9 + 0.2 * random.next());
      const wanted = new Promise<void>((resolve) => {
        this.#relistWanted = resolve;
      });
      try {
        await this.#list(signal);
        this.#synced = true;
      } catch (error) {
        if (signal.aborted) break;
        log.warn({ error: String(error) }, 'the list failed; trying again');
        pauseMs = Math.min(pauseMs, 5_000);
      }
      const woken = new AbortController();
      await Promise.race([clock.sleep(pauseMs, AbortSignal.any([signal, woken.signal])), wanted]);
      woken.abort();
    }
    await Promise.all(streams);
  }

  #gap(table: string, reason: string): void {
    this.#gaps += 1;
    this.#options.ports.log.warn({ feed: table, reason }, 'changes may have been missed: listing');
    this.#relistWanted?.();
  }

  /** Lists records and lifecycles; everything found is looked at, at the lowest priority. */
  async #list(signal: AbortSignal): Promise<void> {
    const { ports, enqueue, onLifecycle } = this.#options;
    const seen = new Map<string, string>();
    const found: string[] = [];
    for await (const page of ports.state.scan(signal)) {
      for (const lifecycle of page) {
        onLifecycle(lifecycle);
        enqueue(lifecycle.id, PRIORITY.resync);
      }
    }
    for await (const page of ports.records.scan(signal)) {
      for (const record of page) {
        const digest = digestOf(record);
        seen.set(record.id, digest);
        const before = this.#seen.get(record.id);
        if (this.#synced && before !== digest && before !== STREAMED) found.push(record.id);
        enqueue(record.id, PRIORITY.resync);
      }
    }
    if (signal.aborted) return;
    this.#seen = seen;
    this.#options.onListed(seen.size);
    await this.#countRepairs(found, signal);
  }

  /** What the stream tells within the time it takes to poll was not the list's find. */
  async #countRepairs(found: readonly string[], signal: AbortSignal): Promise<void> {
    const { ports, config, onRelist } = this.#options;
    if (found.length > 0) await ports.clock.sleep(2 * config.feedIdleMaxMs + 1_000, signal);
    onRelist(found.filter((id) => this.#seen.get(id) !== STREAMED).length);
  }

  #recordChanged(change: TableChange): void {
    const id = change.keys.id;
    if (id === undefined) return;
    if (change.kind === 'remove') {
      this.#seen.delete(id);
      this.#options.enqueue(id, PRIORITY.delete);
      return;
    }
    this.#seen.set(id, STREAMED);
    const { status, updatedAt } = change.strings;
    if (updatedAt !== undefined && this.#own.get(id) === updatedAt) return;
    this.#options.enqueue(id, priorityOf(status));
  }

  #stateChanged(change: TableChange): void {
    const { pk = '', sk = '' } = change.keys;
    if (pk === keys.control.pk && sk === keys.control.sk) this.#options.onControl();
    const [kind, id] = split(pk);
    if (id === '') return;
    const put = change.kind === 'put';
    if (kind === 'request' && put) this.#options.enqueue(id, PRIORITY.command);
    else if ((kind === 'report' && put) || (kind === 'enclave' && sk === 'lock' && !put)) {
      this.#options.enqueue(id, PRIORITY.change);
    }
  }

  #historyChanged(change: TableChange): void {
    const [kind, id] = split(change.keys.pk ?? '');
    if (kind === 'run' && id !== '' && change.attributes.includes('outcome')) {
      this.#options.enqueue(id, PRIORITY.change);
    }
  }
}

/** Stands for "told by the stream since the last list": not something a list repaired. */
const STREAMED = 'streamed';

function digestOf(record: RawRecord): string {
  return createHash('sha256').update(canonicalJson(record)).digest('base64url').slice(0, 16);
}

function split(pk: string): readonly [string, string] {
  const at = pk.indexOf('#');
  return at < 0 ? [pk, ''] : [pk.slice(0, at), pk.slice(at + 1)];
}

function priorityOf(status: string | undefined): Priority {
  if (status === 'PENDING_DESTROY') return PRIORITY.delete;
  if (status === 'PENDING_DEPLOY' || status === 'PAUSING' || status === 'RESUMING') return PRIORITY.command;
  return PRIORITY.change;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
