/** Attestation observer: the registers that KMS lately saw of each host's enclave, from CloudTrail. Off by default. */

import { canonicalJson } from '../../enclave/json.ts';
import type { Config } from '../config.ts';
import type { Ports } from '../ports/index.ts';
import type { SeenAttestation, Span } from '../ports/inventory.ts';
import { within } from '../ports/with-deadline.ts';
import { believedMs, jittered } from './inventory.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The first look is short: what was attested before it is Unknown, and what was told of it stays told. */
const FIRST_MS = HOUR_MS;
/** What was attested longer ago says nothing any more. */
const BELIEVED_MS = 24 * HOUR_MS;
/** CloudTrail delivers late: each look overlaps the one before. */
const LATE_MS = 30 * MINUTE_MS;
/** Where Decrypts come faster than they can be looked up, what is known is too old before long. */
const MOST_BEHIND_MS = 3 * HOUR_MS;
/** One that was slow or failed is tried again half as long; one that was fast is followed by one twice as long. */
const SLICE_MS = { least: MINUTE_MS, first: 15 * MINUTE_MS, most: HOUR_MS };
/** A part of the interval that a slice may take and be called fast. */
const FAST = 1 / 4;
/** Looks are further apart than this part of their interval. */
const APART = 1 / 2;
/** Of one host. Whoever makes up more of them differs all the same. */
const MOST_SETS = 4;

/** A set of registers of one host. */
interface ReadSet extends SeenAttestation {
  /** The registers, as text. */
  readonly key: string;
  /** Local time at which the last attestation with it was read. */
  readonly readAt: number;
}

/** Hears of hosts of which something else was read than last, and within how long to look at them, ms. */
type OnChange = (region: string, instanceIds: ReadonlySet<string>, withinMs: number) => void;

/** What is known of a region. */
interface Followed {
  /** One look has come to its end. */
  caughtUp: boolean;
  /** Wall time, ms, from which on nothing has been read: where the next slice begins. */
  resumesAt: number;
  sliceMs: number;
  /** When the last slice that was read whole was asked for: local time, and wall time, ms. */
  last: { readonly at: number; readonly observedAt: number } | undefined;
  /** Of each host, what was read last comes last. */
  readonly byInstance: Map<string, readonly ReadSet[]>;
}

/**
 * Reads once an interval the Decrypts since the look before, in slices of time, oldest first; each region by itself.
 * Calls grow with Decrypts, and not with enclaves.
 *
 * *Guarantees*: a slice counts whole or not at all, and none is read again because a later one failed, so that a look
 * that takes hours comes to its end as well; no failure is thrown. What one look read of a host counts together, until
 * a later one reads another attestation of it. *Caveats*: nothing counts in a region where no slice could be read for
 * two intervals, or that is hours behind; nor of an enclave that decrypts nothing within a day.
 */
export class AttestationObserver {
  readonly #ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>;
  readonly #config: Pick<Config, 'postureMs' | 'attestationTrail'>;
  readonly #onChange: OnChange;
  readonly #regions = new Map<string, Followed>();

  constructor(
    ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>,
    config: Pick<Config, 'postureMs' | 'attestationTrail'>,
    onChange: OnChange = () => {},
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#onChange = onChange;
  }

  /** Looks until the signal aborts. Never rejects. */
  async run(regions: () => readonly string[], signal: AbortSignal): Promise<void> {
    if (!this.#isOn) return;
    const { clock, random } = this.#ports;
    await clock.sleep(MINUTE_MS * (1 + random.next()), signal);
    const following = new Map<string, Promise<void>>();
    while (!signal.aborted) {
      for (const region of regions()) {
        if (!following.has(region)) following.set(region, this.#follow(region, signal));
      }
      await clock.sleep(MINUTE_MS, signal);
    }
    await Promise.all(following.values());
  }

  /**
   * What was attested on this host after `sinceMs` (wall time), and counts: before that another run's enclave was.
   * Undefined where nobody looks; of what could not be seen there is none.
   */
  of(region: string, instanceId: string | undefined, sinceMs: number) {
    if (!this.#isOn) return undefined;
    const { clock } = this.#ports;
    const { last, resumesAt, byInstance } = this.#regions.get(region) ?? unread(0);
    const isOld = last === undefined || clock.monotonic() - last.at > believedMs(this.#config.postureMs);
    if (isOld || clock.now() - resumesAt > MOST_BEHIND_MS) return { observedAt: clock.now(), seen: [] };
    const since = Math.max(sinceMs, clock.now() - BELIEVED_MS);
    const seen = (byInstance.get(instanceId ?? '') ?? []).filter(({ at }) => at > since);
    const newest = seen.at(-1)?.readAt ?? 0;
    const counting = seen.filter(({ readAt }) => newest - readAt < APART * this.#config.postureMs);
    return { observedAt: last.observedAt, seen: counting };
  }

  get #isOn(): boolean {
    return this.#config.attestationTrail && this.#config.postureMs > 0;
  }

  /** From begin to begin it is an interval, unless a look takes longer. */
  async #follow(region: string, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const known = unread(clock.now() - FIRST_MS);
    this.#regions.set(region, known);
    while (!signal.aborted) {
      const next = clock.monotonic() + jittered(this.#config.postureMs, random);
      await this.#look(region, known, signal);
      await clock.sleep(Math.max(0, next - clock.monotonic()), signal);
    }
  }

  async #look(region: string, known: Followed, signal: AbortSignal): Promise<void> {
    const until = this.#ports.clock.now();
    known.resumesAt = Math.max(known.resumesAt, until - BELIEVED_MS);
    for (const [instanceId, sets] of known.byInstance) {
      if (sets.every(({ at }) => until - at > BELIEVED_MS)) known.byInstance.delete(instanceId);
    }
    while (known.resumesAt < until) {
      const end = Math.min(known.resumesAt + known.sliceMs, until);
      if (!(await this.#read(region, known, { from: known.resumesAt, until: end }, signal))) return;
      known.resumesAt = end;
    }
    known.resumesAt = until - LATE_MS;
    known.caughtUp = true;
  }

  /** True where the slice was read whole. */
  async #read(region: string, known: Followed, time: Span, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { clock, log, surroundings } = this.#ports;
    const { postureMs: limitMs } = this.#config;
    const last = { at: clock.monotonic(), observedAt: clock.now() };
    // The newest of each set: a busy slice holds thousands of attestations that are alike.
    const seen = new Map<string, SeenAttestation & { readonly key: string }>();
    try {
      const limits = { clock, limitMs, operation: `attestations in ${region}`, signal };
      await within(limits, async (limited) => {
        for await (const page of surroundings.attestations(region, time, limited)) {
          for (const each of page) {
            const key = canonicalJson(each.measurements);
            const name = `${each.instanceId} ${key}`;
            if ((seen.get(name)?.at ?? 0) < each.at) seen.set(name, { ...each, key });
          }
        }
      });
    } catch (error) {
      known.sliceMs = Math.max(SLICE_MS.least, known.sliceMs / 2);
      const behindMs = clock.now() - time.from;
      if (!signal.aborted) log.warn({ region, error: String(error), behindMs }, 'attestations could not be looked up');
      return false;
    }
    const readAt = clock.monotonic();
    if (readAt - last.at < FAST * limitMs) known.sliceMs = Math.min(SLICE_MS.most, 2 * known.sliceMs);
    known.last = last;
    const changed = new Set<string>();
    for (const each of seen.values()) if (keep(known.byInstance, { ...each, readAt })) changed.add(each.instanceId);
    // At first all is new: that is no reason to look at all at once.
    if (changed.size > 0) this.#onChange(region, changed, known.caughtUp ? 0 : APART * limitMs);
    return true;
  }
}

function unread(resumesAt: number): Followed {
  return { caughtUp: false, resumesAt, sliceMs: SLICE_MS.first, last: undefined, byInstance: new Map() };
}

/** True where it is not what was read last. Of what was read before, because looks overlap, nothing is kept. */
function keep(byInstance: Map<string, readonly ReadSet[]>, read: ReadSet): boolean {
  const before = byInstance.get(read.instanceId) ?? [];
  const same = before.find(({ key }) => key === read.key);
  if (same !== undefined && same.at >= read.at) return false;
  const others = before.filter((each) => each !== same);
  byInstance.set(read.instanceId, [...others, read].slice(-MOST_SETS));
  return before.at(-1)?.key !== read.key;
}
