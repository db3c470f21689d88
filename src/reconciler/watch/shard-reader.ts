/** Shard reader: polls one shard to its end. */
import type { Config } from '../config.ts';
import type { ChangeStream, Ports, TableChange } from '../ports/index.ts';

/** Changes may have been missed: subscribe anew, then list. */
export class Gap extends Error {}

export interface ShardReaderOptions {
  readonly name: string;
  readonly stream: Pick<ChangeStream, 'page'>;
  readonly ports: Pick<Ports, 'clock' | 'random' | 'log'>;
  readonly config: Pick<Config, 'feedIdleMinMs' | 'feedIdleMaxMs'>;
  readonly onChange: (change: TableChange) => void;
  /** Told of every poll that was answered. */
  readonly onPoll?: (() => void) | undefined;
}

/** An iterator lives for 15 minutes; one that could not be read for this long is given up. */
const GIVE_UP_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 10_000;

/**
 * *Guarantees*: every change behind its iterator is told, once or more, or `run` throws. An idle shard is asked less and
 * less often, down to once every `feedIdleMaxMs`.
 */
export class ShardReader {
  readonly #options: ShardReaderOptions;
  #iterator: string | undefined;
  /** Takes the iterator's place once that one has nothing more to tell. */
  #successor: string | undefined;
  #lastPollAt: number;
  #quietSince: number;

  constructor(options: ShardReaderOptions, iterator: string) {
    this.#options = options;
    this.#iterator = iterator;
    this.#lastPollAt = options.ports.clock.monotonic();
    this.#quietSince = this.#lastPollAt;
  }

  /** Local time of the last poll that succeeded; at first, of the subscription. */
  get lastSuccessfulPollAt(): number {
    return this.#lastPollAt;
  }

  /** How long the iterator and those after it have yielded nothing, ms. */
  get quietMs(): number {
    return this.#options.ports.clock.monotonic() - this.#quietSince;
  }

  /** Goes on from another iterator, taken at LATEST just now, unless the present one still tells something. */
  renew(iterator: string): void {
    this.#successor = iterator;
  }

  /** Resolves at the shard's end, or when the signal aborts. Throws {@link Gap}, or what kept it from polling for long. */
  async run(signal: AbortSignal): Promise<void> {
    const { ports, config } = this.#options;
    let idleMs = config.feedIdleMinMs;
    let failures = 0;
    while (this.#iterator !== undefined && !signal.aborted) {
      const began = ports.clock.monotonic();
      try {
        const told = await this.#poll(this.#iterator, signal);
        failures = 0;
        idleMs = told ? config.feedIdleMinMs : Math.min(config.feedIdleMaxMs, idleMs * 2);
      } catch (error) {
        if (error instanceof Gap) throw error;
        // The same page is asked for again: the answer may have been lost, and what was in it must not be.
        if (ports.clock.monotonic() - this.#lastPollAt >= GIVE_UP_MS) throw error;
        failures += 1;
        ports.log.debug({ feed: this.#options.name, error: String(error) }, 'poll failed; trying again');
        idleMs = Math.min(LONGEST_RETRY_MS, 500 * 2 ** Math.min(failures, 6));
      }
      if (this.#iterator === undefined) return;
      // Counted from when it was asked: AWS allows so many polls a second, and a slow answer is pause enough.
      const pauseMs = idleMs * (0.9 + 0.2 * ports.random.next()) - (ports.clock.monotonic() - began);
      await ports.clock.sleep(Math.max(0, pauseMs), signal);
    }
  }

  /** Whether the page told anything. */
  async #poll(iterator: string, signal: AbortSignal): Promise<boolean> {
    const { stream, ports, onChange } = this.#options;
    const successor = this.#successor;
    const page = await stream.page(iterator);
    if (signal.aborted) return false;
    if (page.kind === 'gap') throw new Gap(page.reason);
    const told = page.changes.length > 0;
    this.#lastPollAt = ports.clock.monotonic();
    this.#options.onPoll?.();
    if (told || successor !== undefined) this.#quietSince = this.#lastPollAt;
    // Asked after the successor was taken: what lies between the two has been told, some of it perhaps twice.
    this.#iterator = page.next === undefined || told ? page.next : (successor ?? page.next);
    if (successor !== undefined) this.#successor = undefined;
    for (const change of page.changes) onChange(change);
    return told;
  }
}
