/** Orphan collector: after each whole sweep of hosts, finds orphaned hosts and, where configured, has them destroyed. */
import type { Config } from '../config.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Host, Ports } from '../ports/index.ts';
import { destroyOrphans } from './destroy.ts';
import type { OrphanedHosts } from './hosts.ts';
import type { StateObjects } from './terraform-states.ts';

export interface OrphanCollectorOptions {
  readonly ports: Ports;
  readonly config: Pick<Config, 'orphans' | 'observeOnly'>;
  readonly epoch: () => number;
  readonly orphans: OrphanedHosts;
  readonly states: Pick<StateObjects, 'isOrphan'>;
  /** True after the first full list. */
  readonly synced: () => boolean;
  /** False while nothing may be begun, or deletions are held. */
  readonly mayDestroy: () => boolean;
  /** Enclaves that are known. */
  readonly fleetSize: () => number;
  /** Called for the lifecycles that are written here. */
  readonly lifecycles: LifecycleListener;
  readonly enqueue: (id: string) => void;
}

export class OrphanCollector {
  readonly #options: OrphanCollectorOptions;

  constructor(options: OrphanCollectorOptions) {
    this.#options = options;
  }

  /** Called after every whole sweep. Never rejects. */
  async swept(region: string, byEnclave: ReadonlyMap<string, readonly Host[]>): Promise<void> {
    const { ports, config, epoch, orphans, states, synced, mayDestroy, fleetSize, lifecycles, enqueue } = this.#options;
    if (!synced()) return;
    await orphans.swept(region, byEnclave);
    if (config.orphans !== 'destroy' || config.observeOnly) return;
    await destroyOrphans(orphans.all, {
      ports,
      epoch,
      mayBegin: mayDestroy,
      hasState: (id) => states.isOrphan(id),
      fleetSize,
      onLifecycle: (id, lifecycle) => {
        lifecycles.onUpsert(id, lifecycle, 'written');
        enqueue(id);
      },
    }).catch((error: unknown) => {
      ports.log.warn({ region, error: String(error) }, 'orphans could not be destroyed; the next sweep tries again');
    });
  }
}
