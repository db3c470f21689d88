/** Deletion guard: holds deletions back when too many records vanish at once. */
import type { Control } from '../../enclave/items/fleet.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';

export interface DeletionLimits {
  /** More than this share of all enclaves that may have resources, in percent … */
  readonly percent: number;
  /** … and at least this many … */
  readonly min: number;
  /** … whose records vanished within this time, ms. */
  readonly windowMs: number;
}

export type DeletionHold = NonNullable<Control['deletionHold']>;

/** The most of `times` that lie within one window, wherever it begins. */
export function mostWithin(times: Iterable<number>, windowMs: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [index, time] of sorted.entries()) {
    while (time - (sorted[first] ?? time) > windowMs) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/**
 * Since when the record of an enclave that still exists is gone, unless its deletion was asked for by command.
 * Deleting a record that was never deployed destroys nothing, and the application offers it for every failed one.
 */
function vanishedAt(lifecycle: ListedLifecycle): number | undefined {
  if (!lifecycle.touched || lifecycle.missingSince === undefined || lifecycle.phase === 'destroyed') return undefined;
  return lifecycle.absentBecause === 'command' ? undefined : Date.parse(lifecycle.missingSince);
}

/** Its record vanished, and its destruction has not begun. */
function waitsForDeletion(lifecycle: ListedLifecycle): boolean {
  const begun = lifecycle.teardown !== undefined || (lifecycle.phase === 'destroying' && lifecycle.run !== undefined);
  return vanishedAt(lifecycle) !== undefined && !begun;
}

/**
 * Counts vanished records by the lifecycles' persisted `missingSince`.
 *
 * *Guarantees*: once it holds, it holds until someone confirms, also if every record comes back; what was confirmed is
 * never counted again. An enclave destroyed meanwhile still counts as vanished while the window lasts. *Caveats*: it
 * knows the lifecycles it was told of; until all were listed, its silence means nothing.
 */
export class DeletionGuard {
  readonly #limits: DeletionLimits;
  readonly #onHold: (hold: DeletionHold) => void;
  /** Enclaves that exist, as far as was seen: whether their record does, and whether they may have resources. */
  readonly #existing = new Map<string, { readonly recorded: boolean; readonly mayHaveResources: boolean }>();
  readonly #vanished = new Map<string, number>();
  /** Enclaves that a hold keeps. */
  readonly #kept = new Set<string>();
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #hold: DeletionHold | undefined;

  /** `onHold` is told once a hold begins here; not of one that was read. */
  constructor(limits: DeletionLimits, onHold: (hold: DeletionHold) => void) {
    this.#limits = limits;
    this.#onHold = onHold;
  }

  get hold(): DeletionHold | undefined {
    return this.#hold;
  }

  /** Enclaves that are not destroyed before somebody confirms it. */
  get held(): number {
    return this.#hold === undefined ? 0 : this.#kept.size;
  }

  exists(id: string): boolean {
    return this.#existing.has(id);
  }

  /** Enclaves that exist. */
  existing(): readonly string[] {
    return [...this.#existing.keys()];
  }

  /** Enclaves that exist without a record. */
  unrecorded(): readonly string[] {
    return [...this.#existing].flatMap(([id, { recorded }]) => (recorded ? [] : [id]));
  }

  /** Takes over what others wrote: a confirmation ends every hold that began before it. */
  follow(control: Control): void {
    const confirmed = control.deletionsConfirmed;
    if (confirmed !== undefined) this.#confirmedAt = Date.parse(confirmed.at);
    for (const [id, at] of this.#vanished) if (at <= this.#confirmedAt) this.#vanished.delete(id);
    const hold = control.deletionHold ?? this.#hold;
    this.#hold = hold !== undefined && Date.parse(hold.since) > this.#confirmedAt ? hold : undefined;
  }

  onUpsert(id: string, lifecycle: ListedLifecycle, now: number): void {
    if (lifecycle.phase === 'destroyed') {
      this.onDelete(id);
      return;
    }
    if (waitsForDeletion(lifecycle)) this.#kept.add(id);
    else this.#kept.delete(id);
    const recorded = lifecycle.missingSince === undefined;
    this.#existing.set(id, { recorded, mayHaveResources: lifecycle.touched });
    const at = vanishedAt(lifecycle);
    if (at === undefined || at <= this.#confirmedAt) this.#vanished.delete(id);
    else if (this.#vanished.get(id) !== at) {
      this.#vanished.set(id, at);
      this.#count(now);
    }
  }

  onDelete(id: string): void {
    this.#existing.delete(id);
    this.#kept.delete(id);
  }

  /** Told of a whole list: a table without any record is one that was lost, not a fleet that was deleted. */
  listed(records: number, now: number): void {
    if (records > 0) return;
    let lost = 0;
    for (const { recorded, mayHaveResources } of this.#existing.values()) if (recorded && mayHaveResources) lost += 1;
    if (lost >= this.#limits.min) this.#begin(`the enclaves table is empty, and ${lost} enclaves exist`, now);
  }

  /** Told of the table that is followed. */
  sawTable(known: string, seen: string, now: number): void {
    if (known !== seen) this.#begin(`the enclaves table is another one than before (${seen}, not ${known})`, now);
  }

  #count(now: number): void {
    if (this.#hold !== undefined) return;
    const { percent, min, windowMs } = this.#limits;
    for (const [id, at] of this.#vanished) {
      if (!this.#existing.has(id) && now - at > windowMs) this.#vanished.delete(id);
    }
    if (this.#vanished.size < min) return;
    const fleet = this.#fleetSize();
    const enough = Math.max(min, Math.floor((fleet * percent) / 100) + 1);
    // Sorting comes last: a fleet of which little is missing costs a comparison.
    if (this.#vanished.size < enough) return;
    const most = mostWithin(this.#vanished.values(), windowMs);
    if (most >= enough) {
      const seconds = Math.round(windowMs / 1_000);
      const what = `the records of ${most} of the ${fleet} enclaves that may have resources`;
      this.#begin(`${what} vanished within ${seconds} s`, now);
    }
  }

  /** Enclaves that may have resources, and those that vanished within the window and are destroyed by now. */
  #fleetSize(): number {
    let size = 0;
    for (const { mayHaveResources } of this.#existing.values()) if (mayHaveResources) size += 1;
    for (const id of this.#vanished.keys()) if (!this.#existing.has(id)) size += 1;
    return size;
  }

  #begin(reason: string, now: number): void {
    if (this.#hold !== undefined) return;
    this.#hold = { reason, since: new Date(now).toISOString() };
    this.#onHold(this.#hold);
  }
}
