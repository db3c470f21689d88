/** Inventory observer: the newest whole answer about groups, volumes, log groups, agents, roles and keys. */
import { type Attribute, digestKey, ENTRIES, type Key, type Observed, type Role } from '../../drift/index.ts';
import { canonicalJson, equalJson } from '../../enclave/json.ts';
import type { Config } from '../config.ts';
import type { Ports } from '../ports/index.ts';
import { within } from '../ports/with-deadline.ts';
import { entriesOf, type Kind } from './inventory-entries.ts';
import type { Listener } from './inventory-listener.ts';

/** Which list, or call, shows a part. */
const SHOWN_BY: Readonly<Partial<Record<string, Kind | 'key'>>> = {
  rules: 'groups',
  rootVolume: 'volumes',
  logGroup: 'logGroups',
  agentOnline: 'agents',
  role: 'roles',
  key: 'key',
} satisfies Record<keyof Shown, Kind | 'key'>;
const REGIONAL = ['groups', 'volumes', 'logGroups', 'agents'] as const satisfies readonly Kind[];

/** One whole answer. */
interface Answer {
  /** Local time, for its age. */
  readonly at: number;
  /** Wall time, ms: when it was asked for. */
  readonly observedAt: number;
  readonly values: ReadonlyMap<string, unknown>;
}

interface WatchedKey {
  own: boolean;
  /** Local time at which each enclave that uses it was last looked at. */
  readonly enclaves: Map<string, number>;
  answer?: { readonly at: number; readonly observedAt: number; readonly key: Key };
}

/** Attributes that somebody waits for, and the wall time, ms, after which they should have been seen. */
export interface Awaited {
  readonly what: readonly Attribute[];
  readonly after: number;
}

/** Whose surroundings are meant. */
export interface Subject {
  readonly id: string;
  readonly region: string;
  readonly instanceId: string | undefined;
  readonly groupId: string | undefined;
  /** The key the enclave uses; `own`: it was made for it. */
  readonly key: { readonly arn: string; readonly own: boolean } | undefined;
}

type Shown = Pick<Observed, 'rules' | 'rootVolume' | 'logGroup' | 'agentOnline' | 'role' | 'key'>;
/** A part of what surrounds an enclave, and when it was asked for (wall time, ms). */
export interface SeenPart {
  readonly observedAt: number;
  readonly shows: Shown;
}

/** An answer counts until two more should have come. */
const INTERVALS_TO_BELIEVE = 2;
/** Between two looks at what somebody waits for; and before the first, which waits for the first sweep. */
const HASTE_MS = 60_000;
const JITTER = 0.1;

/** The next pause of a look that comes once an interval, so that no two fall together for long. */
export function jittered(intervalMs: number, random: Ports['random']): number {
  return intervalMs * (1 - JITTER + 2 * JITTER * random.next());
}

/** How long an answer of such a look counts. */
export function believedMs(intervalMs: number): number {
  return INTERVALS_TO_BELIEVE * (1 + JITTER) * intervalMs;
}

/** Every enclave is looked at once an hour. */
const FORGET_KEY_MS = 3 * 60 * 60_000;

/**
 * Looks at all of it once an interval, in bulk, one list after another; within a minute at what somebody waits for.
 *
 * *Guarantees*: a list counts whole or not at all, each on its own; one that failed, or may not be read, leaves the
 * answer before to count until it is too old, and then nothing. *Caveats*: keys are asked for one by one, and only
 * those that somebody has asked about; only what is compared is kept.
 */
export class InventoryObserver {
  readonly #ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>;
  readonly #config: Pick<Config, 'postureMs'>;
  readonly #onChange: (id: string, delayMs: number) => void;
  readonly #listener: Listener | undefined;
  /** By kind and region. */
  readonly #answers = new Map<string, Answer>();
  readonly #keys = new Map<string, WatchedKey>();
  /** Local time at which each list, and each key, is due again. */
  readonly #dueAt = new Map<string, number>();

  /**
   * `onChange` hears of enclaves of which something else is told than before, and how soon to look at them; `listener`
   * of all that is listed.
   */
  constructor(
    ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>,
    config: Pick<Config, 'postureMs'>,
    onChange: (id: string, delayMs: number) => void,
    listener?: Listener,
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#onChange = onChange;
    this.#listener = listener;
  }

  /** Looks until the signal aborts. Never rejects. */
  async run(regions: () => readonly string[], signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const { postureMs } = this.#config;
    if (postureMs === 0) return;
    const hasteMs = Math.min(HASTE_MS, postureMs);
    await clock.sleep(hasteMs * (1 + random.next()), signal);
    while (!signal.aborted) {
      await this.#look(regions(), signal);
      await clock.sleep(hasteMs, signal);
    }
  }

  /** True once an interval, or where somebody waits. */
  #isDue(name: string): boolean {
    const { clock, random } = this.#ports;
    const now = clock.monotonic();
    if (now < (this.#dueAt.get(name) ?? 0)) return false;
    this.#dueAt.set(name, now + jittered(this.#config.postureMs, random));
    return true;
  }

  /**
   * What was last seen around an enclave. Whoever asks about a key has it looked at from now on; whoever waits for
   * something has it looked at soon.
   */
  of({ id, region, instanceId, groupId, key }: Subject, awaited?: Awaited): readonly SeenPart[] {
    for (const attribute of awaited?.what ?? []) {
      const kind = SHOWN_BY[ENTRIES[attribute].part];
      if (kind === 'key') this.#hasten(key && keyName(key.arn), key && this.#keys.get(key.arn)?.answer, awaited);
      else if (kind !== undefined) this.#hasten(nameOf(kind, region), this.#answers.get(nameOf(kind, region)), awaited);
    }
    const seen = (kind: Kind, by: string | undefined, shows: (value: unknown) => Shown | undefined) => {
      const answer = by === undefined ? undefined : this.#fresh(this.#answers.get(nameOf(kind, region)));
      const shown = answer && by !== undefined ? shows(answer.values.get(by)) : undefined;
      return answer === undefined || shown === undefined ? [] : [{ observedAt: answer.observedAt, shows: shown }];
    };
    const known =
      <T>(shows: (value: T) => Shown) =>
      (value: unknown) =>
        value === undefined ? undefined : shows(value as T);
    return [
      ...seen(
        'groups',
        groupId,
        known((rules: Shown['rules']) => ({ rules })),
      ),
      ...seen(
        'volumes',
        instanceId,
        known((rootVolume: Shown['rootVolume']) => ({ rootVolume })),
      ),
      // The one thing that is known not to be: names are listed whole, and no tag can hide one.
      ...seen('logGroups', id, (value) => ({ logGroup: (value as Shown['logGroup']) ?? { exists: false } })),
      ...seen(
        'agents',
        instanceId,
        known((agentOnline: boolean) => ({ agentOnline })),
      ),
      ...seen(
        'roles',
        id,
        known((role: Role) => ({ role })),
      ),
      ...this.#watched(id, key),
    ];
  }

  #hasten(name: string | undefined, answer: { readonly observedAt: number } | undefined, awaited?: Awaited): void {
    if (name !== undefined && answer !== undefined && answer.observedAt <= (awaited?.after ?? 0))
      this.#dueAt.delete(name);
  }

  #watched(id: string, key: Subject['key']): readonly SeenPart[] {
    if (key === undefined) return [];
    const known = this.#keys.get(key.arn) ?? { own: key.own, enclaves: new Map<string, number>() };
    known.own = key.own;
    known.enclaves.set(id, this.#ports.clock.monotonic());
    this.#keys.set(key.arn, known);
    const answer = this.#fresh(known.answer);
    return answer === undefined ? [] : [{ observedAt: answer.observedAt, shows: { key: answer.key } }];
  }

  #fresh<T extends { readonly at: number }>(answer: T | undefined): T | undefined {
    if (answer === undefined) return undefined;
    const age = this.#ports.clock.monotonic() - answer.at;
    return age > believedMs(this.#config.postureMs) ? undefined : answer;
  }

  async #look(regions: readonly string[], signal: AbortSignal): Promise<void> {
    for (const region of regions) {
      for (const kind of REGIONAL) await this.#ask(kind, region, signal);
    }
    await this.#ask('roles', '', signal);
    await this.#listener?.looked();
    for (const [arn, watched] of this.#keys) await this.#askKey(arn, watched, signal);
  }

  async #ask(kind: Kind, region: string, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const name = nameOf(kind, region);
    if (!this.#isDue(name)) return;
    const [at, observedAt] = [clock.monotonic(), clock.now()];
    const before = this.#answers.get(name)?.values;
    const changed = new Set<string>();
    const values = new Map<string, unknown>();
    const listing = this.#listener?.begin(kind, region);
    const isWhole = await this.#within(name, signal, async (limited) => {
      // What is alike is kept once: most of a fleet is.
      const shared = new Map<string, unknown>();
      for await (const entries of entriesOf(kind, this.#ports.surroundings, region, limited)) {
        for (const { key, value, enclaveId, name: called, foreign = false } of entries) {
          if (enclaveId !== undefined && called !== undefined) listing?.saw(enclaveId, called, foreign);
          if (key === undefined || foreign) continue;
          const text = canonicalJson(value);
          const kept = shared.get(text) ?? value;
          shared.set(text, kept);
          values.set(key, kept);
          if (enclaveId !== undefined && !equalJson(before?.get(key), kept)) changed.add(enclaveId);
        }
      }
    });
    if (!isWhole) return;
    listing?.end();
    if (kind === 'logGroups') for (const id of before?.keys() ?? []) if (!values.has(id)) changed.add(id);
    this.#answers.set(name, { at, observedAt, values });
    // At first all is new: that is no reason to look at all at once.
    for (const id of changed) this.#onChange(id, before === undefined ? random.next() * this.#config.postureMs : 0);
  }

  async #askKey(arn: string, watched: WatchedKey, signal: AbortSignal): Promise<void> {
    const { clock, surroundings } = this.#ports;
    const [at, observedAt] = [clock.monotonic(), clock.now()];
    for (const [id, askedAt] of watched.enclaves) if (at - askedAt > FORGET_KEY_MS) watched.enclaves.delete(id);
    if (watched.enclaves.size === 0) {
      this.#keys.delete(arn);
      this.#dueAt.delete(keyName(arn));
      return;
    }
    if (!this.#isDue(keyName(arn))) return;
    await this.#within(keyName(arn), signal, async (limited) => {
      const key = digestKey(await surroundings.key(arn, watched.own, limited));
      const before = watched.answer?.key;
      watched.answer = { at, observedAt, key };
      if (!equalJson(before, key)) for (const id of watched.enclaves.keys()) this.#onChange(id, 0);
    });
  }

  /** True where the work came to its end. */
  async #within(what: string, signal: AbortSignal, work: (limited: AbortSignal) => Promise<void>): Promise<boolean> {
    if (signal.aborted) return false;
    const { clock, log } = this.#ports;
    try {
      await within({ clock, limitMs: this.#config.postureMs, operation: `a look at ${what}`, signal }, work);
      return true;
    } catch (error) {
      if (!signal.aborted) {
        log.warn({ what, error: String(error) }, 'what surrounds hosts could not be seen; it is Unknown before long');
      }
      return false;
    }
  }
}

const keyName = (arn: string) => `key ${arn}`;

/** IAM knows no regions. */
function nameOf(kind: Kind, region: string): string {
  return kind === 'roles' ? kind : `${kind} ${region}`;
}
