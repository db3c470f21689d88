/** Run slots: how many Terraform runs may be in flight. */

/**
 * Counts enclaves that have a run marker. Enclaves that want one and find no slot wait in line; a freed slot wakes the
 * one that waited longest.
 *
 * *Guarantees*: never more slots held than `max`, but for markers found at a start with a lower cap.
 * *Assumes* that nothing waits between `isFree` and `hold`, and that whoever is woken ends in `hold`, `wait` or
 * `release`. Only enclaves that would begin a run may wait: each that would not costs the line a reconcile.
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

  /** True where `id` holds a slot, or could take one now. */
  isFree(id: string): boolean {
    return this.#held.has(id) || this.#held.size < this.#max;
  }

  /** A marker exists, or is about to be committed. */
  hold(id: string): void {
    this.#waiting.delete(id);
    this.#held.add(id);
  }

  /** Would begin a run, and found no slot. */
  wait(id: string): void {
    this.#waiting.add(id);
  }

  /** Has no run and wants none; the next in line is woken for every slot that is free. */
  release(id: string): void {
    this.#waiting.delete(id);
    this.#held.delete(id);
    let free = this.#max - this.#held.size;
    for (const next of this.#waiting) {
      if (free <= 0) return;
      free -= 1;
      this.#waiting.delete(next);
      this.#wake(next);
    }
  }
}
