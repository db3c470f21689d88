/** Orphaned hosts: hosts with the operator's tags that belong to no enclave. */

import type { Host, Ports } from '../ports/index.ts';
import type { Ownership } from './ownership.ts';
import { isHost, type Orphan, type OrphanRegistry, type OrphanResource } from './registry.ts';

export interface OrphanedHostsOptions {
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly list: OrphanRegistry;
  readonly ownership: Ownership;
  /** True of an enclave that was listed or committed. */
  readonly exists: (id: string) => boolean;
  /** What lists have shown beside a host of an enclave that nobody knows; told so of every such host. */
  readonly beside: (id: string) => readonly OrphanResource[];
}

/** A host is tagged when it is launched, and its enclave was committed before that: younger ones are left in peace. */
export const YOUNG_MS = 10 * 60_000;

/**
 * Joins what a sweep shows with what is remembered.
 *
 * *Guarantees*: an orphan was seen in two sweeps, is older than ten minutes, and neither record nor lifecycle was there
 * when both were read. *Caveats*: it knows regions that are swept; what has no host is the matter of `OrphanedResources`.
 */
export class OrphanedHosts {
  readonly #options: OrphanedHostsOptions;
  /** Hosts seen once without an enclave, by region. */
  readonly #suspects = new Map<string, ReadonlySet<string>>();

  constructor(options: OrphanedHostsOptions) {
    this.#options = options;
  }

  get all(): readonly Orphan[] {
    return this.#options.list.all.filter(isHost);
  }

  /** Told of every whole sweep, once all lifecycles were listed. Never rejects: the next sweep tries again. */
  async swept(region: string, byEnclave: ReadonlyMap<string, readonly Host[]>): Promise<void> {
    const { ports, list, ownership, beside } = this.#options;
    try {
      const strays = this.#strays(byEnclave);
      const suspects = this.#suspects.get(region);
      this.#suspects.set(region, new Set(strays.map(({ instanceId }) => instanceId)));
      const found: Omit<Orphan, 'since'>[] = [];
      for (const { enclaveId: id, instanceId, state } of strays) {
        if (!suspects?.has(instanceId) || (await ownership.isOwned(id))) continue;
        const resources = beside(id);
        found.push({ id, region, instanceId, state, ...(resources.length === 0 ? {} : { resources: [...resources] }) });
      }
      await list.change((orphan) => isHost(orphan) && orphan.region === region, found);
    } catch (error) {
      ports.log.warn({ region, error: String(error) }, 'orphans could not be told; the next sweep tries again');
    }
  }

  #strays(byEnclave: ReadonlyMap<string, readonly Host[]>): readonly Host[] {
    const { ports, exists, ownership } = this.#options;
    const now = ports.clock.now();
    return [...byEnclave].flatMap(([id, hosts]) => {
      if (exists(id) || ownership.isKnown(id)) return [];
      return hosts.filter(({ state, launchedAt }) => {
        const dying = state === 'shutting-down' || state === 'terminated';
        return !dying && now - Date.parse(launchedAt) >= YOUNG_MS;
      });
    });
  }
}
