/** Orphans: hosts with our tags that belong to no enclave anybody knows of. */
import type { Control } from '../enclave/fleet-items.ts';
import type { OperatorEvent } from '../enclave/items.ts';
import type { Host, Ports } from './ports.ts';

export type Orphan = NonNullable<Control['orphans']>[number];

export interface OrphansOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'records' | 'state' | 'history'>;
  /** Orphans that an earlier leader told of. */
  readonly known: readonly Orphan[];
  /** True of an enclave that was listed or committed. */
  readonly exists: (id: string) => boolean;
  /** Throws where this process no longer leads. */
  readonly epoch: () => number;
}

/** A host is tagged when it is launched, and its enclave was committed before that: younger ones are left in peace. */
const YOUNG_MS = 10 * 60_000;
/** Whose tombstone keeps it is asked again after this long. */
const OWNED_MS = 15 * 60_000;
/** What an item holds of them; the log has all. */
const MOST_KEPT = 100;

const keyOf = ({ region, instanceId }: Pick<Orphan, 'region' | 'instanceId'>) => `${region}/${instanceId}`;

/**
 * Joins what a sweep shows with what is remembered.
 *
 * *Guarantees*: an orphan was seen in two sweeps, is older than ten minutes, and neither record nor lifecycle was there
 * when both were read. *Caveats*: it knows regions that are swept; what costs money without a host it does not see.
 */
export class Orphans {
  readonly #options: OrphansOptions;
  readonly #orphans = new Map<string, Orphan>();
  /** Hosts seen once without an enclave, by region. */
  readonly #suspects = new Map<string, ReadonlySet<string>>();
  readonly #ownedUntil = new Map<string, number>();

  constructor(options: OrphansOptions) {
    this.#options = options;
    for (const orphan of options.known) this.#orphans.set(keyOf(orphan), orphan);
  }

  get size(): number {
    return this.#orphans.size;
  }

  get all(): readonly Orphan[] {
    return [...this.#orphans.values()];
  }

  /** Told of every whole sweep, once all lifecycles were listed. Never rejects: the next sweep tries again. */
  async swept(region: string, byEnclave: ReadonlyMap<string, readonly Host[]>): Promise<void> {
    const { ports } = this.#options;
    try {
      const strays = this.#strays(byEnclave);
      const suspects = this.#suspects.get(region);
      this.#suspects.set(region, new Set(strays.map(({ instanceId }) => instanceId)));
      const found: Host[] = [];
      for (const host of strays) {
        if (suspects?.has(host.instanceId) && !(await this.#isOwned(host.enclaveId))) found.push(host);
      }
      await this.#update(region, found);
    } catch (error) {
      ports.log.warn({ region, error: String(error) }, 'orphans could not be told; the next sweep tries again');
    }
  }

  #strays(byEnclave: ReadonlyMap<string, readonly Host[]>): readonly Host[] {
    const now = this.#options.ports.clock.now();
    return [...byEnclave].flatMap(([id, hosts]) => {
      if (this.#options.exists(id) || (this.#ownedUntil.get(id) ?? 0) > now) return [];
      return hosts.filter(({ state, launchedAt }) => {
        const dying = state === 'shutting-down' || state === 'terminated';
        return !dying && now - Date.parse(launchedAt) >= YOUNG_MS;
      });
    });
  }

  async #isOwned(id: string): Promise<boolean> {
    const { clock, records, state } = this.#options.ports;
    const [record, { lifecycle, fromTheFuture }] = await Promise.all([records.get(id), state.read(id)]);
    const owned = record !== undefined || lifecycle !== undefined || fromTheFuture;
    if (owned) this.#ownedUntil.set(id, clock.now() + OWNED_MS);
    else this.#ownedUntil.delete(id);
    return owned;
  }

  async #update(region: string, found: readonly Host[]): Promise<void> {
    const { ports, epoch } = this.#options;
    const since = new Date(ports.clock.now()).toISOString();
    const now = new Map<string, Orphan>();
    for (const { enclaveId: id, instanceId, state } of found) {
      const orphan = { id, region, instanceId, state };
      const key = keyOf(orphan);
      now.set(key, { ...orphan, since: this.#orphans.get(key)?.since ?? since });
    }
    const fresh = [...now].flatMap(([key, orphan]) => (this.#orphans.has(key) ? [] : [orphan]));
    const gone = [...this.#orphans].flatMap(([key, orphan]) =>
      orphan.region === region && !now.has(key) ? [key] : [],
    );
    if (fresh.length === 0 && gone.length === 0) return;
    const next = new Map([...this.#orphans, ...now]);
    for (const key of gone) next.delete(key);
    epoch();
    if (fresh.length > 0) await ports.history.append(fresh.map((orphan) => foundEvent(orphan, since)));
    await ports.state.amendControl({ orphans: [...next.values()].slice(0, MOST_KEPT) });
    this.#orphans.clear();
    for (const [key, orphan] of next) this.#orphans.set(key, orphan);
    for (const orphan of fresh)
      ports.log.warn({ ...orphan }, 'an orphan: a host with our tags, and no enclave it is of');
  }
}

function foundEvent({ id, region, instanceId }: Orphan, at: string): OperatorEvent {
  const message = `${instanceId} in ${region} carries the tag of ${id}, of which there is neither record nor lifecycle`;
  return { v: 1, minReader: 1, id, at, type: 'Warning', reason: 'OrphanFound', message, actor: 'operator' };
}
