/** Informer: which enclaves changed, from three streams and a list. */
import { createHash } from 'node:crypto';
import { keys } from '../../enclave/items/items.ts';
import { canonicalJson } from '../../enclave/json.ts';
import type { Config } from '../config.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { FeedInstruments, FeedName } from '../metrics/index.ts';
import type { Ports, RawRecord, TableChange } from '../ports/index.ts';
import { within } from '../ports/with-deadline.ts';
import { PRIORITY, type Priority } from '../queue/work-queue.ts';
import { TableWatcher } from './table-watcher.ts';

export interface InformerOptions {
  readonly ports: Ports;
  readonly config: Config;
  readonly enqueue: (id: string, priority: Priority) => void;
  /** Told of every lifecycle a list finds. */
  readonly lifecycles: Pick<LifecycleListener, 'onUpsert'>;
  /** Every record a list finds. */
  readonly onRecord: (record: RawRecord) => void;
  readonly onRelist: (repaired: number) => void;
  readonly instruments?: Pick<FeedInstruments, 'polled' | 'gap' | 'listed'>;
  /** The table of records, each time its stream is opened. */
  readonly onTable: (tableId: string) => void;
  /** After every full list: how many records there are. */
  readonly onListed: (records: number) => void;
  /** A run over several enclaves has an outcome. */
  readonly onFleetRun: (name: string) => void;
  /** A request or a plan result waits for an enclave: told before it is enqueued. */
  readonly onRequested: (id: string) => void;
  /** `fleet/control` has changed. */
  readonly onControl: () => void;
}

/**
 * Subscribes first, lists second, then follows: what was written before the subscription is in the list, what was
 * written after it is in the stream. Any gap makes a list at once; a list every `relistMs` bounds what a fault nobody
 * noticed can cost.
 *
 * *Guarantees*: after `synced`, every change of a record, every outcome, report, request, plan result and lock release enqueues its
 * enclave, at the latest with the next list. The operator's own publishes do not.
 */
export class Informer implements LifecycleListener {
  readonly #options: InformerOptions;
  readonly #tables: readonly TableWatcher[];
  readonly #own = new Map<string, string>();
  /** Digest of every record of the last list. */
  #listed = new Map<string, string>();
  /** Records the stream told of since the last list began. */
  #told = new Set<string>();
  #relistWanted: (() => void) | undefined;
  #gaps = 0;
  #synced = false;

  constructor(options: InformerOptions) {
    this.#options = options;
    const { ports, config } = options;
    const table = (name: FeedName, onChange: (change: TableChange) => void) =>
      new TableWatcher({
        name,
        stream: ports.streams[name],
        ports,
        config,
        onChange,
        onPoll: () => options.instruments?.polled(name),
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

  /** A table has no stream: there is nothing to poll, and lists alone find changes. */
  get streamless(): boolean {
    return this.#tables.some((table) => table.state.kind === 'streamless');
  }

  /** A publish of our own: its echo enqueues nothing. */
  published(id: string, updatedAt: string): void {
    this.#own.set(id, updatedAt);
  }

  onUpsert(): void {}

  onDelete(id: string): void {
    this.#own.delete(id);
    this.#listed.delete(id);
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
        if (this.#synced) await Promise.all(this.#tables.map((table) => table.refresh()));
        const began = clock.monotonic();
        await within({ clock, limitMs: config.listTimeoutMs, operation: 'a list', signal }, (until) =>
          this.#list(until),
        );
        this.#options.instruments?.listed((clock.monotonic() - began) / 1_000);
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

  #gap(table: FeedName, reason: string): void {
    this.#gaps += 1;
    this.#options.instruments?.gap(table);
    this.#options.ports.log.warn({ feed: table, reason }, 'changes may have been missed: listing');
    this.#relistWanted?.();
  }

  /**
   * Lists records and lifecycles; everything found is looked at, at the lowest priority. What is commanded is looked at
   * at once, the rest when the list is done: reading each on its own takes from the list what it needs to be quick.
   */
  async #list(signal: AbortSignal): Promise<void> {
    const { ports, enqueue, lifecycles, onRecord, onRequested } = this.#options;
    const listed = new Map<string, string>();
    const found: string[] = [];
    const toldBefore = this.#told;
    this.#told = new Set();
    const resting = new Set<string>();
    try {
      for await (const page of ports.state.scan(signal)) {
        for (const lifecycle of page.lifecycles) {
          lifecycles.onUpsert(lifecycle.id, lifecycle, 'listed');
          resting.add(lifecycle.id);
        }
        // Of an enclave that has neither record nor lifecycle nothing else would tell.
        for (const id of page.requested) {
          onRequested(id);
          enqueue(id, PRIORITY.resync);
        }
      }
      for await (const page of ports.records.scan(signal)) {
        for (const record of page) {
          const digest = digestOf(record);
          listed.set(record.id, digest);
          if (this.#listed.get(record.id) !== digest) found.push(record.id);
          onRecord(record);
          if (isCommand(record.status)) enqueue(record.id, PRIORITY.resync);
          else resting.add(record.id);
        }
      }
      signal.throwIfAborted();
    } catch (error) {
      for (const id of toldBefore) this.#told.add(id);
      throw error;
    } finally {
      for (const id of resting) enqueue(id, PRIORITY.resync);
    }
    for (const id of new Set([...this.#listed.keys(), ...toldBefore])) {
      if (listed.has(id)) continue;
      found.push(id);
      enqueue(id, PRIORITY.delete);
    }
    this.#listed = listed;
    this.#options.onListed(listed.size);
    const untold = found.filter((id) => !toldBefore.has(id));
    if (this.#synced) await this.#countRepairs(untold, signal);
  }

  /** What the stream tells within the time it takes to poll was not the list's find. */
  async #countRepairs(untold: readonly string[], signal: AbortSignal): Promise<void> {
    const { ports, config, onRelist } = this.#options;
    if (untold.length > 0) await ports.clock.sleep(2 * config.feedIdleMaxMs + 1_000, signal);
    onRelist(untold.filter((id) => !this.#told.has(id)).length);
  }

  #recordChanged(change: TableChange): void {
    const id = change.keys.id;
    if (id === undefined) return;
    this.#told.add(id);
    if (change.kind === 'remove') {
      this.#options.enqueue(id, PRIORITY.delete);
      return;
    }
    const { status, updatedAt } = change.strings;
    if (updatedAt !== undefined && this.#own.get(id) === updatedAt) {
      // Only the first is the echo: somebody may change a record and leave its time as it is.
      this.#own.delete(id);
      return;
    }
    this.#options.enqueue(id, priorityOf(status));
  }

  #stateChanged(change: TableChange): void {
    const { pk = '', sk = '' } = change.keys;
    if (pk === keys.control.pk && sk === keys.control.sk) this.#options.onControl();
    const [kind, id] = split(pk);
    if (id === '') return;
    const put = change.kind === 'put';
    if (kind === 'request' && put) {
      this.#options.onRequested(id);
      this.#options.enqueue(id, PRIORITY.command);
    } else if (kind === 'enclave' && sk === 'lock' && !put) this.#options.enqueue(id, PRIORITY.change);
    // A run's results arrive at once, for many enclaves.
    else if (kind === 'plan' && put) {
      this.#options.onRequested(id);
      this.#options.enqueue(id, PRIORITY.drift);
    }
    // Every host reports every few minutes: a fleet's reports must not keep what was asked for waiting.
    else if (kind === 'report' && put) this.#options.enqueue(id, PRIORITY.drift);
  }

  #historyChanged(change: TableChange): void {
    const { pk = '', sk = '' } = change.keys;
    if (pk === keys.fleetRuns && change.attributes.includes('outcome')) this.#options.onFleetRun(sk);
    const [kind, id] = split(pk);
    if (kind === 'run' && id !== '' && change.attributes.includes('outcome')) {
      this.#options.enqueue(id, PRIORITY.change);
    }
  }
}

function digestOf(record: RawRecord): string {
  return createHash('sha256').update(canonicalJson(record)).digest('base64url').slice(0, 16);
}

function split(pk: string): readonly [string, string] {
  const at = pk.indexOf('#');
  return at < 0 ? [pk, ''] : [pk.slice(0, at), pk.slice(at + 1)];
}

const COMMANDS: ReadonlySet<unknown> = new Set(['PENDING_DEPLOY', 'PAUSING', 'RESUMING', 'PENDING_DESTROY']);

function isCommand(status: unknown): boolean {
  return COMMANDS.has(status);
}

function priorityOf(status: string | undefined): Priority {
  if (status === 'PENDING_DESTROY') return PRIORITY.delete;
  return isCommand(status) ? PRIORITY.command : PRIORITY.change;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
