/** Plan ledger: the plan runs whose results are not written yet, as they are stored. */
import type { FleetLedger, FleetRunItem, LedgerRun } from '../../enclave/items/fleet-run.ts';
import type { FleetRunStore } from '../ports/index.ts';

export interface PlanLedgerOptions {
  readonly fleetRuns: Pick<FleetRunStore, 'ledger' | 'commit'>;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
}

/** *Guarantees*: it is written only over what was read; after a write that failed or conflicted it is read again first. */
export class PlanLedger {
  readonly #options: PlanLedgerOptions;
  #stored: FleetLedger | undefined;
  #isCurrent = false;

  constructor(options: PlanLedgerOptions) {
    this.#options = options;
  }

  get runs(): readonly LedgerRun[] {
    return this.#stored?.runs ?? [];
  }

  /** Enclaves of these runs. */
  get enclaves(): ReadonlySet<string> {
    return new Set(this.runs.flatMap(({ enclaves }) => enclaves));
  }

  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  async load(): Promise<void> {
    this.#stored = await this.#options.fleetRuns.ledger();
    this.#isCurrent = true;
  }

  /** Whatever was written, if anything, is read before the next write. */
  invalidate(): void {
    this.#isCurrent = false;
  }

  /** With the item of the run, in one transaction. False: another writer was faster. */
  async add(run: LedgerRun, item: FleetRunItem): Promise<boolean> {
    return this.#commit([...this.runs, run], item);
  }

  async remove(name: string): Promise<boolean> {
    return this.#commit(this.runs.filter((run) => run.name !== name));
  }

  async #commit(runs: readonly LedgerRun[], start?: FleetRunItem): Promise<boolean> {
    const { fleetRuns, epoch } = this.#options;
    const readRevision = this.#stored?.revision;
    const ledger: FleetLedger = {
      v: 1,
      minReader: 1,
      ...this.#stored,
      runs: [...runs],
      revision: (readRevision ?? 0) + 1,
      epoch: epoch(),
    };
    const result = await fleetRuns.commit({ ledger, readRevision, start });
    if (result === 'committed') this.#stored = ledger;
    else this.invalidate();
    return result === 'committed';
  }
}
