/** Run slots: how many Terraform runs may be in flight. */

/**
 * Counts enclaves that have a run marker. An enclave that finds no slot waits in line and is woken when one frees.
 *
 * *Guarantees*: never more reservations than `max`; a freed slot wakes the enclave that waited longest.
 * *Assumes* that every reservation is either kept (a marker was committed) or released in the same reconcile.
 */
export class RunSlots {
  readonly #max: number;
  readonly #wake: (id: string) => void;
  readonly #held = new Set<string>();
  readonly #waiting = new Set<string>();

  constructor(max: number, wake: (id: string) => void) {
    this.#max = max;
    this.#wake = wake;
  }

  get inFlight(): number {
    return this.#held.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** True if `id` holds a slot now; else it is put in line. */
  tryReserve(id: string): boolean {
    if (this.#held.has(id)) return true;
    if (this.#held.size >= this.#max) {
      this.#waiting.add(id);
      return false;
    }
    this.#waiting.delete(id);
    this.#held.add(id);
    return true;
  }

  /** A marker exists: the slot is taken even if that passes the cap (after a restart with a lower one). */
  hold(id: string): void {
    this.#waiting.delete(id);
    this.#held.add(id);
  }

  release(id: string): void {
    this.#waiting.delete(id);
    if (!this.#held.delete(id)) return;
    this.wakeNext();
  }

  /** Wakes as many as there are free slots. A woken enclave that no longer wants one passes it on by releasing. */
  wakeNext(): void {
    let free = this.#max - this.#held.size;
    for (const id of this.#waiting) {
      if (free-- <= 0) return;
      this.#waiting.delete(id);
      this.#wake(id);
    }
  }

  reset(): void {
    this.#held.clear();
    this.#waiting.clear();
  }
}
