/** Orphan registry: all known orphans, as people and the next leader find them. */

import { type EmittedEvent, newEvent } from '../../enclave/event-reasons.ts';
import type { Control } from '../../enclave/items/fleet.ts';
import { equalJson } from '../../enclave/json.ts';
import type { Ports } from '../ports/index.ts';

export type Orphan = NonNullable<Control['orphans']>[number];
export type OrphanResource = NonNullable<Orphan['resources']>[number];

export interface OrphanRegistryOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'state' | 'history'>;
  /** Orphans that an earlier leader told of. */
  readonly known: readonly Orphan[];
  /** Throws where this process no longer leads. */
  readonly epoch: () => number;
}

/** In the place of an instance's id, of an orphan without a host. */
export const NO_HOST = '-';
/** What an item holds of them; the log has all. */
const MOST_KEPT = 100;

export const isHost = ({ instanceId }: Pick<Orphan, 'instanceId'>) => instanceId !== NO_HOST;
export const namesOf = (resources: readonly OrphanResource[]) =>
  resources.map(({ kind, name }) => `${kind} ${name}`).join(', ');

/** Of what has no host there is one an enclave, wherever it lies. */
function keyOf({ id, region, instanceId }: Pick<Orphan, 'id' | 'region' | 'instanceId'>): string {
  return instanceId === NO_HOST ? `${NO_HOST}/${id}` : `${region}/${instanceId}`;
}

/** *Guarantees*: an orphan is told once, by one event, for as long as it is listed. Changes come one after another. */
export class OrphanRegistry {
  readonly #options: OrphanRegistryOptions;
  readonly #orphans = new Map<string, Orphan>();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: OrphanRegistryOptions) {
    this.#options = options;
    for (const orphan of options.known) this.#orphans.set(keyOf(orphan), orphan);
  }

  get size(): number {
    return this.#orphans.size;
  }

  get all(): readonly Orphan[] {
    return [...this.#orphans.values()];
  }

  /**
   * Makes `found` all that is listed of a part. Rejects where it could not be written: then the list is as it was.
   */
  async change(isPart: (orphan: Orphan) => boolean, found: readonly Omit<Orphan, 'since'>[]): Promise<void> {
    const changed = this.#turn.then(() => this.#change(isPart, found));
    // Whoever is next begins whatever became of this one.
    this.#turn = changed.catch(() => {});
    await changed;
  }

  async #change(isPart: (orphan: Orphan) => boolean, found: readonly Omit<Orphan, 'since'>[]): Promise<void> {
    const { ports, epoch } = this.#options;
    const since = new Date(ports.clock.now()).toISOString();
    const part = new Map<string, Orphan>();
    for (const orphan of found) {
      const key = keyOf(orphan as Orphan);
      part.set(key, { ...(orphan as Orphan), since: this.#orphans.get(key)?.since ?? since });
    }
    const next = new Map([...this.#orphans].filter(([key, orphan]) => part.has(key) || !isPart(orphan)));
    const hasGone = next.size < this.#orphans.size;
    for (const [key, orphan] of part) next.set(key, orphan);
    const fresh = [...part].flatMap(([key, orphan]) => (this.#orphans.has(key) ? [] : [orphan]));
    const isOther = [...part].some(([key, { resources = [] }]) => {
      return !equalJson(resources, this.#orphans.get(key)?.resources ?? []);
    });
    if (fresh.length === 0 && !hasGone && !isOther) return;
    epoch();
    if (fresh.length > 0) await ports.history.append(fresh.map((orphan) => foundEvent(orphan, since)));
    await ports.state.amendControl({ orphans: [...next.values()].slice(0, MOST_KEPT) });
    this.#orphans.clear();
    for (const [key, orphan] of next) this.#orphans.set(key, orphan);
    for (const orphan of fresh) ports.log.warn({ ...orphan }, 'an orphan: it has our tags, and no enclave it is of');
  }
}

function foundEvent({ id, region, instanceId, resources = [] }: Orphan, at: string): EmittedEvent {
  const nobody = `${id}, of which there is neither record nor lifecycle`;
  const beside = resources.length === 0 ? '' : `; so do ${namesOf(resources)}`;
  const message =
    instanceId === NO_HOST
      ? `left in ${region} of ${nobody}, and without a host: ${namesOf(resources)}`
      : `${instanceId} in ${region} carries the tag of ${nobody}${beside}`;
  return newEvent({ type: 'Warning', reason: 'OrphanFound' }, { id, at, message });
}
