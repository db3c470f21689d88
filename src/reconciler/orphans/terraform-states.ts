/** Terraform states: states that belong to no enclave, and enclaves whose state is missing or locked for too long. */

import { type EmittedEvent, newEvent } from '../../enclave/event-reasons.ts';
import type { Control } from '../../enclave/items/fleet.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Config } from '../config.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Ports, StateObject } from '../ports/index.ts';
import { readOwned } from './ownership.ts';

export type OrphanState = NonNullable<Control['orphanStates']>[number];

export interface StateObjectsOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'records' | 'state' | 'history' | 'states'>;
  readonly config: Pick<Config, 'deployDeadlineMs' | 'destroyDeadlineMs' | 'taskStopMs'>;
  /** Orphans that an earlier leader told of. */
  readonly known: readonly OrphanState[];
  /** True once all lifecycles were listed. */
  readonly synced: () => boolean;
  /** True of an enclave that was listed or committed. */
  readonly exists: (id: string) => boolean;
  /** Throws where this process no longer leads. */
  readonly epoch: () => number;
  /** Told of an enclave whose state was found missing or its lock stale, or of which that is over. */
  readonly onChange: (id: string) => void;
}

const LOOK_MS = 60 * 60_000;
/** A state is written by a run that was committed before: younger ones are left in peace. */
const YOUNG_MS = 10 * 60_000;
/** A task that ECS was slow to start begins late; the runner allows as much. */
const LOCK_MARGIN_MS = 10 * 60_000;
/** What an item holds of them; the log has all. */
const MOST_KEPT = 100;

/**
 * Joins what the bucket of states lists with what is remembered, once an hour.
 *
 * *Guarantees*: what is told was so in two lists; of an orphan neither record nor lifecycle was there when both were read
 * after the second. A list that fails says nothing. *Caveats*: what is in a state is not read.
 */
export class StateObjects implements LifecycleListener {
  readonly #options: StateObjectsOptions;
  readonly #orphans = new Map<string, OrphanState>();
  /** Enclaves at rest that were deployed, and when a run of theirs last ended. */
  readonly #deployed = new Map<string, number>();
  #missing: ReadonlySet<string> = new Set();
  /** Enclaves whose lock two lists have shown older than any run, and no run of theirs has begun since. */
  #lockStale = new Set<string>();
  #suspects = { strays: new Set<string>(), missing: new Set<string>(), locks: new Map<string, number>() };

  constructor(options: StateObjectsOptions) {
    this.#options = options;
    for (const orphan of options.known) this.#orphans.set(orphan.id, orphan);
  }

  get size(): number {
    return this.#orphans.size;
  }

  /** True of a state that is of no enclave. */
  isOrphan(id: string): boolean {
    return this.#orphans.has(id);
  }

  /** True of an enclave that was deployed and whose state is not there. */
  isMissing(id: string): boolean {
    return this.#missing.has(id) && this.#deployed.has(id);
  }

  /** True of an enclave at rest whose state is locked by something that no run of ours can still be. */
  isLockStale(id: string): boolean {
    return this.#lockStale.has(id) && this.#deployed.has(id);
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    // A run breaks a dead one's lock, and holds its own: what lists showed before it says nothing any more.
    if (lifecycle.run !== undefined) this.#forgetLock(id);
    const holds =
      lifecycle.run === undefined &&
      (lifecycle.phase === 'ready' || lifecycle.phase === 'paused') &&
      lifecycle.observedGeneration > 0 &&
      // A state that nothing has prepared may have been made anywhere.
      (!lifecycle.adopted || lifecycle.pinned.legacy !== undefined);
    if (holds) this.#deployed.set(id, Date.parse(lifecycle.ranAt ?? lifecycle.commandAt));
    else this.#deployed.delete(id);
  }

  onDelete(id: string): void {
    this.#forgetLock(id);
    this.#deployed.delete(id);
  }

  #forgetLock(id: string): void {
    this.#lockStale.delete(id);
    this.#suspects.locks.delete(id);
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { ports, synced } = this.#options;
    if (ports.states === undefined) return;
    while (!signal.aborted) {
      try {
        if (synced()) await this.#look(ports.states, signal);
      } catch (error) {
        if (!signal.aborted) ports.log.warn({ error: String(error) }, 'states could not be listed; tried again later');
      }
      await ports.clock.sleep(synced() ? LOOK_MS : YOUNG_MS, signal);
    }
  }

  async #look(states: NonNullable<Ports['states']>, signal: AbortSignal): Promise<void> {
    const { ports, exists } = this.#options;
    const began = ports.clock.now();
    const seen = new Map<string, StateObject>();
    const locks = new Map<string, number>();
    for await (const page of states.list(signal)) {
      for (const each of page) {
        if (each.isLock !== true) seen.set(each.enclaveId, each);
        else if (this.#isOverdue(each, began)) locks.set(each.enclaveId, each.modifiedAt);
      }
    }
    signal.throwIfAborted();
    const old = (at: number) => began - at >= YOUNG_MS;
    const strays = [...seen.values()].filter(({ enclaveId, modifiedAt }) => !exists(enclaveId) && old(modifiedAt));
    const missing = [...this.#deployed].flatMap(([id, ranAt]) => (seen.has(id) || !old(ranAt) ? [] : [id]));
    const before = this.#suspects;
    this.#suspects = { strays: new Set(strays.map(({ enclaveId }) => enclaveId)), missing: new Set(missing), locks };
    const [knownMissing, knownStale] = [this.#missing, this.#lockStale];
    this.#missing = new Set(missing.filter((id) => before.missing.has(id)));
    this.#tellChanges(knownMissing, this.#missing, 'the Terraform state of this enclave is gone');
    // The same lock: one that was taken anew meanwhile is another.
    this.#lockStale = new Set([...locks].flatMap(([id, at]) => (before.locks.get(id) === at ? [id] : [])));
    this.#tellChanges(knownStale, this.#lockStale, 'the Terraform state is locked, and no run is under way');
    const found: StateObject[] = [];
    for (const each of strays) {
      if (before.strays.has(each.enclaveId) && !(await readOwned(ports, each.enclaveId))) found.push(each);
    }
    await this.#update(found);
  }

  /** Older than any run of ours may become, of an enclave that none is at work on. */
  #isOverdue({ enclaveId, modifiedAt }: StateObject, now: number): boolean {
    const { deployDeadlineMs, destroyDeadlineMs, taskStopMs } = this.#options.config;
    const longestMs = Math.max(deployDeadlineMs, destroyDeadlineMs) + taskStopMs + LOCK_MARGIN_MS;
    return this.#deployed.has(enclaveId) && now - modifiedAt >= longestMs;
  }

  /** Told of each that is new or over; a new one is logged as well. */
  #tellChanges(before: ReadonlySet<string>, now: ReadonlySet<string>, what: string): void {
    const { ports, onChange } = this.#options;
    for (const id of new Set([...now, ...before])) {
      if (now.has(id) === before.has(id)) continue;
      if (now.has(id)) ports.log.warn({ enclaveId: id }, what);
      onChange(id);
    }
  }

  async #update(found: readonly StateObject[]): Promise<void> {
    const { ports, epoch } = this.#options;
    const since = new Date(ports.clock.now()).toISOString();
    const next = new Map<string, OrphanState>();
    for (const { enclaveId: id, key, modifiedAt } of found) {
      const known = this.#orphans.get(id)?.since ?? since;
      next.set(id, { id, key, modifiedAt: new Date(modifiedAt).toISOString(), since: known });
    }
    const fresh = [...next.values()].filter(({ id }) => !this.#orphans.has(id));
    if (fresh.length === 0 && next.size === this.#orphans.size) return;
    epoch();
    if (fresh.length > 0) await ports.history.append(fresh.map((orphan) => foundEvent(orphan, since)));
    await ports.state.amendControl({ orphanStates: [...next.values()].slice(0, MOST_KEPT) });
    this.#orphans.clear();
    for (const [id, orphan] of next) this.#orphans.set(id, orphan);
    for (const orphan of fresh) ports.log.warn({ ...orphan }, 'an orphan: a Terraform state, and no enclave it is of');
  }
}

function foundEvent({ id, key }: OrphanState, at: string): EmittedEvent {
  const message = `the Terraform state ${key} is there, and neither record nor lifecycle of ${id}`;
  return newEvent({ type: 'Warning', reason: 'OrphanStateFound' }, { id, at, message });
}
