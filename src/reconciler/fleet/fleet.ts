/** Fleet: what holds for all enclaves together, and who must look again when it changes. */
import type { Control } from '../../enclave/items/fleet.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import { equalJson } from '../../enclave/json.ts';
import { parsePolicy } from '../../enclave/spec/policy.ts';
import type { Config } from '../config.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Ports, RawRecord } from '../ports/index.ts';
import { PRIORITY, type Priority } from '../queue/work-queue.ts';
import { DeletionGuard, type DeletionHold } from './deletion-guard.ts';
import { Dependencies } from './dependencies.ts';

export interface FleetOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'state'>;
  readonly config: Config;
  readonly control: Control;
  /** Throws where this process no longer leads. */
  readonly epoch: () => number;
  readonly enqueue: (id: string, priority: Priority) => void;
  /** Told once a hold of deletions begins here. */
  readonly onHold: (hold: DeletionHold) => void;
}

/**
 * Keeps `fleet/control` as it was last read, the deletion guard, and who depends on whom.
 *
 * *Guarantees*: a hold that begins here is persisted, at the latest with the next list, and heeded at once. *Caveats*:
 * a member of `fleet/control` that others wrote is known after {@link refresh}.
 */
export class Fleet implements LifecycleListener {
  readonly #options: FleetOptions;
  readonly #guard: DeletionGuard;
  readonly dependencies: Dependencies;
  #control: Control;
  #tableId: string | undefined;
  #listed = false;

  constructor(options: FleetOptions) {
    const { config, control } = options;
    this.#options = options;
    this.#control = control;
    const limits = {
      percent: config.deletionHoldPercent,
      min: config.deletionHoldMin,
      windowMs: config.deletionHoldWindowMs,
    };
    this.#guard = new DeletionGuard(limits, (hold) => this.#held(hold));
    this.#guard.follow(control);
    this.dependencies = new Dependencies((id) => options.enqueue(id, PRIORITY.change));
  }

  get control(): Control {
    return this.#control;
  }

  /** True after the first full list. */
  get isListed(): boolean {
    return this.#listed;
  }

  get deletionHold(): DeletionHold | undefined {
    return this.#guard.hold;
  }

  /** Enclaves whose records vanished, and which are not destroyed before somebody confirms it. */
  get deletionsHeld(): number {
    return this.#guard.held;
  }

  /** Before every lifecycle was listed, and the table is known to be the same, nobody can say what is missing. */
  get deletionsAllowed(): boolean {
    return this.#listed && this.#tableId !== undefined && this.#guard.hold === undefined;
  }

  /** True of an enclave that is not destroyed, as far as was seen. */
  exists(id: string): boolean {
    return this.#guard.exists(id);
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    this.dependencies.onUpsert(id, lifecycle);
    this.#guard.onUpsert(id, lifecycle, this.#options.ports.clock.now());
  }

  onDelete(id: string): void {
    this.dependencies.onDelete(id);
    this.#guard.onDelete(id);
  }

  /** Told of a record as it was listed: others may depend on what it says before it is reconciled. */
  read(record: RawRecord): void {
    const { policy } = parsePolicy(record.policy, record.id);
    this.dependencies.declare(record.id, policy.dependsOn);
  }

  /** Told of the table that is followed, each time its stream is opened. */
  async sawTable(tableId: string): Promise<void> {
    const known = this.#control.tableId;
    if (known !== undefined) this.#guard.sawTable(known, tableId, this.#options.ports.clock.now());
    const first = this.#tableId === undefined;
    this.#tableId = tableId;
    if (first) this.#lookAtUnrecorded();
    await this.#persist();
  }

  /** Told after every full list. */
  async listed(records: number): Promise<void> {
    this.#guard.listed(records, this.#options.ports.clock.now());
    const first = !this.#listed;
    this.#listed = true;
    this.dependencies.complete();
    if (first) this.#lookAtUnrecorded();
    await this.refresh();
  }

  /** Reads `fleet/control` anew; whoever it concerns is looked at again. */
  async refresh(): Promise<void> {
    const { ports } = this.#options;
    try {
      const control = await ports.state.control();
      if (control === undefined) return;
      const held = this.#guard.hold !== undefined;
      const before = this.#control.freeze;
      this.#control = control;
      if (!equalJson(before, control.freeze)) this.#freezeChanged();
      this.#guard.follow(control);
      if (held && this.#guard.hold === undefined) {
        ports.log.warn({ actor: control.deletionsConfirmed?.actor }, 'deletions of vanished records go on: confirmed');
        this.#lookAtUnrecorded();
      }
      await this.#persist();
    } catch (error) {
      ports.log.warn({ error: String(error) }, 'fleet/control could not be read; the next list tries again');
    }
  }

  #freezeChanged(): void {
    const { ports, enqueue } = this.#options;
    const { freeze } = this.#control;
    if (freeze === undefined) ports.log.warn({}, 'the fleet is no longer frozen');
    else ports.log.warn({ ...freeze }, 'the fleet is frozen: no run and no repair is begun');
    for (const id of this.#guard.existing()) enqueue(id, PRIORITY.change);
  }

  #held(hold: DeletionHold): void {
    this.#options.ports.log.error(
      { reason: hold.reason },
      'deletions are held: restore the records, or run `enclavectl confirm-deletions`',
    );
    this.#options.onHold(hold);
    this.#lookAtUnrecorded();
    void this.#persist();
  }

  /** What the next leader must know; what could not be written is written after the next list. */
  async #persist(): Promise<void> {
    const { ports, epoch } = this.#options;
    const { hold } = this.#guard;
    const set: Partial<Control> = {
      ...(hold !== undefined && this.#control.deletionHold?.since !== hold.since ? { deletionHold: hold } : {}),
      ...(this.#tableId !== undefined && this.#control.tableId === undefined ? { tableId: this.#tableId } : {}),
    };
    if (Object.keys(set).length === 0) return;
    try {
      epoch();
      await ports.state.amendControl(set);
      this.#control = { ...this.#control, ...set };
    } catch (error) {
      ports.log.warn({ error: String(error) }, 'fleet/control could not be written; the next list tries again');
    }
  }

  #lookAtUnrecorded(): void {
    for (const id of this.#guard.unrecorded()) this.#options.enqueue(id, PRIORITY.delete);
  }
}
