/** Deep looks: what is beside the reconciles: plans of drift runs, and hosts, states and what else is of no enclave. */
import type { Control } from '../enclave/fleet-items.ts';
import type { Lifecycle, ListedLifecycle } from '../enclave/lifecycle-item.ts';
import { freezeAt } from './admission.ts';
import type { Config } from './config.ts';
import { type Asked, DriftRuns } from './drift-runs.ts';
import { Leftovers } from './leftovers.ts';
import type { Metrics } from './metrics/index.ts';
import { destroyOrphans } from './orphan-destruction.ts';
import { type Orphan, OrphanList } from './orphan-list.ts';
import { Orphans } from './orphans.ts';
import { Ownership } from './ownership.ts';
import type { Host, Ports } from './ports.ts';
import type { RunSlots } from './run-slots.ts';
import { StateObjects } from './state-objects.ts';
import { tellFleetRun } from './tell-commit.ts';

export interface DeepLooksOptions {
  readonly ports: Ports;
  readonly config: Config;
  /** As it was last read. */
  readonly control: () => Control;
  readonly slots: RunSlots;
  readonly metrics: Pick<Metrics, 'runs'>;
  readonly epoch: () => number;
  readonly synced: () => boolean;
  readonly exists: (id: string) => boolean;
  /** Enclaves that are known. */
  readonly fleetSize: () => number;
  readonly deletionsAllowed: () => boolean;
  readonly onLifecycle: (id: string, lifecycle: Lifecycle | undefined) => void;
  readonly ask: (id: string) => Promise<Asked>;
  readonly enqueue: (id: string) => void;
}

export class DeepLooks {
  readonly plans: DriftRuns;
  readonly states: StateObjects;
  /** What lists of surroundings show of enclaves that nobody knows. */
  readonly leftovers: Leftovers;
  readonly #orphans: Orphans;
  readonly #list: OrphanList;
  readonly #options: DeepLooksOptions;

  constructor(options: DeepLooksOptions) {
    this.#options = options;
    const { ports, config, control, slots, metrics, epoch, synced, exists, ask, enqueue } = options;
    const mayStart = () => this.#mayBegin();
    this.plans = new DriftRuns({
      ports,
      config,
      epoch,
      slots,
      mayStart,
      ask,
      onEnded: (item, outcome) => tellFleetRun(metrics.runs, item, outcome),
    });
    const { orphans = [], orphanStates = [] } = control();
    const list = new OrphanList({ ports, known: orphans, epoch });
    const ownership = new Ownership(ports);
    this.#list = list;
    this.leftovers = new Leftovers({ ports, list, ownership, synced, exists });
    this.#orphans = new Orphans({ ports, list, ownership, exists, beside: (id) => this.leftovers.withHost(id) });
    this.states = new StateObjects({ ports, config, known: orphanStates, synced, exists, epoch, onChange: enqueue });
  }

  /** Told of a lifecycle as it now stands; undefined: forgotten. */
  know(id: string, lifecycle: ListedLifecycle | undefined): void {
    this.plans.know(id, lifecycle);
    this.states.know(id, lifecycle);
    this.leftovers.know(id);
  }

  /** All that is known, by host or by enclave. */
  get orphans(): readonly Orphan[] {
    return this.#list.all;
  }

  /** Told of every whole sweep. Never rejects. */
  async swept(region: string, byEnclave: ReadonlyMap<string, readonly Host[]>): Promise<void> {
    const { ports, config, epoch, synced, fleetSize, deletionsAllowed, onLifecycle, enqueue } = this.#options;
    if (!synced()) return;
    await this.#orphans.swept(region, byEnclave);
    if (config.orphans !== 'destroy' || config.observeOnly) return;
    await destroyOrphans(this.#orphans.all, {
      ports,
      epoch,
      mayBegin: () => this.#mayBegin() && deletionsAllowed(),
      hasState: (id) => this.states.isOrphan(id),
      fleetSize,
      onLifecycle: (id, lifecycle) => {
        onLifecycle(id, lifecycle);
        enqueue(id);
      },
    }).catch((error: unknown) => {
      ports.log.warn({ region, error: String(error) }, 'orphans could not be destroyed; the next sweep tries again');
    });
  }

  #mayBegin(): boolean {
    const { ports, control, synced } = this.#options;
    return synced() && freezeAt(control(), ports.clock.now()) === undefined;
  }

  /** Runs until the signal aborts. Never rejects. Who only observes begins no run. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.states.run(signal), ...(this.#options.config.observeOnly ? [] : [this.plans.run(signal)])]);
  }
}
