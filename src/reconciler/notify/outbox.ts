/** Outbox: what one channel is still to tell, in order. */
import type { Config } from '../config.ts';
import type { Channel, Ports } from '../ports/index.ts';
import { failureClassOf, failureLine, retryAfter } from '../queue/backoff.ts';
import { keyOf, type Notification } from './notification.ts';

export interface OutboxOptions {
  readonly channel: Channel;
  readonly ports: Pick<Ports, 'clock' | 'random' | 'log'>;
  readonly config: Pick<Config, 'notifyWindowMs' | 'errorBackoffBaseMs' | 'errorBackoffMaxMs'>;
}

export interface OutboxState {
  readonly channel: string;
  readonly waiting: number;
  readonly delivered: number;
  /** Repeats within the window, or of what was told already. */
  readonly repeats: number;
  /** Given up, or refused because too many waited. What still stands is offered again by the next list. */
  readonly dropped: number;
}

interface Waiting {
  readonly notification: Notification;
  readonly key: string;
  readonly since: number;
}

/** More than this is no list of alarms any more: who reads the first thousand knows. */
const CAPACITY = 1_000;
/** Occurrences remembered, so that they are told once; the oldest are forgotten first, and may be told again. */
const REMEMBERED = 10_000;
/** One that cannot be delivered for this long makes room. */
const GIVE_UP_MS = 60 * 60_000;

/**
 * One channel's queue.
 *
 * *Guarantees*: `offer` and `beat` return at once and never throw; a notification is sent until the channel takes it or
 * it is given up; nothing is sent after the signal aborts. *Caveats*: an answer that is lost makes a repeat, with the
 * same id. What waits is in memory: what stands is offered again by the next leader, what has passed is not.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #queue: Waiting[] = [];
  readonly #told = new Map<string, { readonly id: string; readonly reason: string; readonly at: number }>();
  #heartbeat: Waiting | undefined;
  #wake: () => void = () => undefined;
  #delivered = 0;
  #repeats = 0;
  #dropped = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  state(): OutboxState {
    return {
      channel: this.#options.channel.name,
      waiting: this.#queue.length + (this.#heartbeat === undefined ? 0 : 1),
      delivered: this.#delivered,
      repeats: this.#repeats,
      dropped: this.#dropped,
    };
  }

  offer(notification: Notification): void {
    const { ports, config, channel } = this.#options;
    const key = keyOf(notification);
    const told = this.#told.get(key);
    const at = ports.clock.monotonic();
    const recent = told !== undefined && told.reason === notification.reason && at - told.at < config.notifyWindowMs;
    if (told?.id === notification.id || recent) {
      this.#repeats += 1;
      return;
    }
    if (this.#queue.length >= CAPACITY) {
      this.#dropped += 1;
      ports.log.warn({ channel: channel.name, kind: notification.kind }, 'too many notifications wait: one is dropped');
      return;
    }
    this.#told.delete(key);
    this.#told.set(key, { id: notification.id, reason: notification.reason, at });
    const [oldest] = this.#told.keys();
    if (this.#told.size > REMEMBERED && oldest !== undefined) this.#told.delete(oldest);
    this.#queue.push({ notification, key, since: at });
    this.#wake();
  }

  /** Takes the place of a heartbeat that still waits: an old one says nothing. */
  beat(notification: Notification): void {
    this.#heartbeat = { notification, key: keyOf(notification), since: this.#options.ports.clock.monotonic() };
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { channel, ports, config } = this.#options;
    const { clock, random, log } = ports;
    let failures = 0;
    while (!signal.aborted) {
      const next = this.#heartbeat ?? this.#queue[0];
      if (next === undefined) {
        await this.#filled(signal);
        continue;
      }
      try {
        await channel.send(next.notification, signal);
        failures = 0;
        this.#delivered += 1;
        this.#remove(next);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        const failureClass = failureClassOf(error);
        const { delayMs } = retryAfter(failureClass, failures, random.next(), config);
        const { kind, id } = next.notification;
        const fields = { channel: channel.name, kind, notification: id, failures, error: failureLine(error) };
        if (failureClass === 'Terminal' || clock.monotonic() - next.since >= GIVE_UP_MS) {
          log.error(fields, 'a notification is given up');
          this.#giveUp(next);
        } else log.warn({ ...fields, delayMs: Math.round(delayMs) }, 'a notification could not be sent: tried again');
        await clock.sleep(delayMs, signal);
      }
    }
  }

  #filled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#wake = () => undefined;
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #remove(sent: Waiting): void {
    if (this.#heartbeat === sent) this.#heartbeat = undefined;
    else if (this.#queue[0] === sent) this.#queue.shift();
  }

  #giveUp(lost: Waiting): void {
    this.#remove(lost);
    this.#dropped += 1;
    if (this.#told.get(lost.key)?.id === lost.notification.id) this.#told.delete(lost.key);
  }
}
