/** Dependencies: which enclaves wait for which, by `policy.dependsOn`. */
import { conditionOf } from '../../enclave/conditions.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';

/** The way from `id` back to itself, beginning and ending with it; undefined where there is none. */
export function findCycle(
  id: string,
  needsOf: (id: string) => readonly string[],
): readonly [string, ...string[]] | undefined {
  const cameFrom = new Map<string, string>();
  const open = [id];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of needsOf(at)) {
      if (next === id) {
        const way = [id];
        for (let step: string | undefined = at; step !== undefined && step !== id; step = cameFrom.get(step)) {
          way.unshift(step);
        }
        return [id, ...way];
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      open.push(next);
    }
  }
  return undefined;
}

/** What others ask of an enclave; nothing is kept of one that does not exist. */
type Standing = 'ready' | 'exists';

function standingOf(lifecycle: ListedLifecycle): Standing | undefined {
  if (lifecycle.phase === 'destroyed') return undefined;
  // Wait also for an enclave that runs but is not Ready.
  const isReady = conditionOf(lifecycle.conditions, 'Ready')?.status !== 'False';
  if (lifecycle.phase === 'ready' && isReady) return 'ready';
  return lifecycle.touched ? 'exists' : undefined;
}

/**
 * The graph of dependencies, as far as records and lifecycles were read.
 *
 * *Guarantees*: whoever may wait for a change of an enclave is woken by it.
 */
export class Dependencies implements LifecycleListener {
  readonly #wake: (id: string) => void;
  readonly #needs = new Map<string, readonly string[]>();
  readonly #neededBy = new Map<string, Set<string>>();
  readonly #standing = new Map<string, Standing>();
  #complete = false;

  constructor(wake: (id: string) => void) {
    this.#wake = wake;
  }

  /** Told once every record was listed. */
  complete(): void {
    this.#complete = true;
  }

  /** Told of what a record says. Of a record that is gone, the last word stays until its enclave is forgotten. */
  declare(id: string, needs: readonly string[]): void {
    const before = this.#needs.get(id) ?? [];
    if (before.length === needs.length && before.every((need, index) => need === needs[index])) return;
    this.#wakeAround(id);
    for (const need of before) {
      const others = this.#neededBy.get(need);
      others?.delete(id);
      if (others?.size === 0) this.#neededBy.delete(need);
    }
    if (needs.length === 0) this.#needs.delete(id);
    else this.#needs.set(id, [...needs]);
    for (const need of needs) {
      const others = this.#neededBy.get(need) ?? new Set();
      this.#neededBy.set(need, others.add(id));
    }
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    this.#stands(id, standingOf(lifecycle));
  }

  onDelete(id: string): void {
    this.#stands(id, undefined);
    this.declare(id, []);
  }

  #stands(id: string, standing: Standing | undefined): void {
    if (standing === this.#standing.get(id)) return;
    if (standing === undefined) this.#standing.delete(id);
    else this.#standing.set(id, standing);
    this.#wakeAround(id);
  }

  /** What must be ready before the enclave begins, and is not. */
  missing(id: string): readonly string[] {
    return (this.#needs.get(id) ?? []).filter((need) => this.#standing.get(need) !== 'ready');
  }

  cycle(id: string): readonly string[] | undefined {
    return this.#needs.has(id) ? findCycle(id, (at) => this.#needs.get(at) ?? []) : undefined;
  }

  /**
   * Enclaves that exist and need this one; undefined before every record was listed: nobody can say. Of a cycle none
   * waits for another: somebody must go first.
   */
  dependents(id: string): readonly string[] | undefined {
    if (!this.#complete) return undefined;
    const existing = [...(this.#neededBy.get(id) ?? [])].filter((other) => this.#standing.has(other));
    if (existing.length === 0 || !this.#needs.has(id)) return existing;
    return existing.filter((other) => !this.#reaches(id, other));
  }

  #reaches(from: string, to: string): boolean {
    const seen = new Set([from]);
    for (const at of seen) {
      if (at === to) return true;
      for (const next of this.#needs.get(at) ?? []) seen.add(next);
    }
    return false;
  }

  #wakeAround(id: string): void {
    for (const other of this.#neededBy.get(id) ?? []) this.#wake(other);
    for (const other of this.#needs.get(id) ?? []) this.#wake(other);
  }
}
