/** Run slots: who may begin a Terraform run, and who is next. */
import type { Clock } from './ports.ts';
import { type Outlook, RunDurations } from './run-outlook.ts';
import { TokenBucket } from './token-bucket.ts';

/** `create`: the run launches a host. */
export type RunKind = 'destroy' | 'change' | 'create';

export interface Asker {
  readonly kind: RunKind;
  /** The wallet. */
  readonly owner: string;
}

export interface RunSlotsOptions {
  readonly clock: Clock;
  /** Runs in flight, all together. */
  readonly max: number;
  /** Runs in flight of one owner; 0: as many as `max`. Destroys count, and are never held back by it. */
  readonly maxPerOwner: number;
  /** Creations begun a second; 0: not paced. */
  readonly createsPerSecond: number;
  /** Called with whoever may try again. */
  readonly wake: (id: string) => void;
}

interface Place extends Asker {
  readonly order: number;
}
interface Held {
  readonly owner: string;
  readonly since: number | undefined;
}

/** EC2's own relation of RunInstances' burst to its refill: 5 to 2. */
const BURST_SECONDS = 2.5;

/**
 * Counts enclaves that have a run marker. Enclaves that want one and find no slot wait in line; whoever is woken has a
 * slot kept for it until it takes it, waits again, or leaves.
 *
 * *Guarantees*: never more slots held than `max`, but for markers found at a start with a lower cap, and those that a
 * former leader's delayed write commits later (ADR 0009); destroys go first, then whoever waited longest; an owner at
 * its cap, or a creation before its time, holds up nobody behind it.
 * *Assumes* that nothing waits between `isFree` and `hold`, and that whoever is woken ends in `hold`, `wait`, `release`
 * or `leave`. Only enclaves that would begin a run may wait: each that would not costs the line a reconcile.
 */
export class RunSlots {
  readonly #options: RunSlotsOptions;
  readonly #held = new Map<string, Held>();
  readonly #owners = new Map<string, number>();
  /** Slots kept for those that were woken. */
  readonly #woken = new Map<string, Place>();
  readonly #lines: Readonly<Record<RunKind, Map<string, Place>>> = {
    destroy: new Map(),
    change: new Map(),
    create: new Map(),
  };
  readonly #pace: TokenBucket | undefined;
  readonly #durations = new RunDurations();
  #counted = false;
  #orders = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: RunSlotsOptions) {
    this.#options = options;
    const { clock, createsPerSecond: perSecond } = options;
    this.#pace =
      perSecond === 0
        ? undefined
        : new TokenBucket(clock, { perSecond, burst: Math.max(1, BURST_SECONDS * perSecond) });
  }

  get inFlight(): number {
    return this.#held.size;
  }

  get waiting(): number {
    const { destroy, change, create } = this.#lines;
    return destroy.size + change.size + create.size;
  }

  /** True where a slot is free that nobody waits for. */
  get spare(): boolean {
    return this.#counted && this.waiting === 0 && this.#held.size + this.#woken.size < this.#options.max;
  }

  /** Every marker of before has been told: until then nobody knows how many slots are taken, and none is given. */
  counted(): void {
    this.#counted = true;
    this.#serve();
  }

  /** True where `id` holds a slot, or could take one now. */
  isFree(id: string, asker: Asker): boolean {
    if (this.#held.has(id)) return true;
    if (!this.#counted) return false;
    const woken = this.#woken.has(id);
    // Whoever waits for the pace of creations is woken by it, in turn.
    if (asker.kind === 'create' && !woken && this.#lines.create.size > 0) return false;
    const kept = this.#woken.size - (woken ? 1 : 0);
    return this.#held.size + kept < this.#options.max && this.#mayBegin(id, asker);
  }

  /** A marker exists, or is about to be committed; `found`: it is older than this process knows. */
  hold(id: string, asker: Asker, found = false): void {
    this.#forget(id);
    if (this.#held.has(id)) return;
    if (!found && asker.kind === 'create') this.#pace?.spend();
    this.#held.set(id, { owner: asker.owner, since: found ? undefined : this.#options.clock.monotonic() });
    this.#owners.set(asker.owner, (this.#owners.get(asker.owner) ?? 0) + 1);
    this.#arm();
  }

  /** Would begin a run, and found no slot; keeps its place where it had one. */
  wait(id: string, asker: Asker): void {
    const line = this.#lines[asker.kind];
    const order = this.#woken.get(id)?.order ?? line.get(id)?.order;
    if (!line.has(id)) {
      this.#forget(id);
      line.set(id, { ...asker, order: order ?? this.#orders++ });
    }
    this.#serve();
  }

  /** Has no run and wants none. */
  release(id: string): void {
    this.#forget(id);
    const held = this.#held.get(id);
    if (held !== undefined) {
      this.#held.delete(id);
      const left = (this.#owners.get(held.owner) ?? 1) - 1;
      if (left === 0) this.#owners.delete(held.owner);
      else this.#owners.set(held.owner, left);
      if (held.since !== undefined) this.#durations.ended(this.#options.clock.monotonic() - held.since);
    }
    this.#serve();
  }

  /** Cannot say what it wants now: its place goes to the next. A slot it holds stays. */
  leave(id: string): void {
    this.#forget(id);
    this.#serve();
  }

  /** What one that waits, or would, may expect. */
  outlook(id: string, asker: Asker): Outlook {
    const { max, maxPerOwner, createsPerSecond } = this.#options;
    const { destroy, change, create } = this.#lines;
    const order = this.#lines[asker.kind].get(id)?.order ?? this.#orders;
    const before = (line: Map<string, Place>) => {
      const first = line.values().next().value;
      // Those that left from the middle are still counted: never fewer than there are, for want of a walk of the line.
      return first === undefined ? 0 : Math.min(line.size, Math.max(0, order - first.order));
    };
    return {
      ahead: asker.kind === 'destroy' ? before(destroy) : destroy.size + before(change) + before(create),
      creations: asker.kind === 'create' ? before(create) : 0,
      perSecond: this.#durations.rate(max, asker.kind === 'create' ? createsPerSecond : 0),
      ownRuns: this.#ownerIsFull(id, asker) ? maxPerOwner : undefined,
    };
  }

  #forget(id: string): void {
    this.#woken.delete(id);
    for (const line of Object.values(this.#lines)) line.delete(id);
  }

  /** Of those for which a slot is kept, without `id`. */
  #kept(id: string | undefined, which: (asker: Asker) => boolean): number {
    let count = 0;
    for (const [other, asker] of this.#woken) if (other !== id && which(asker)) count += 1;
    return count;
  }

  #ownerIsFull(id: string, { kind, owner }: Asker): boolean {
    const { maxPerOwner } = this.#options;
    if (kind === 'destroy' || maxPerOwner === 0) return false;
    return (this.#owners.get(owner) ?? 0) + this.#kept(id, (other) => other.owner === owner) >= maxPerOwner;
  }

  #creationDue(id?: string): boolean {
    return this.#pace === undefined || this.#pace.has(1 + this.#kept(id, ({ kind }) => kind === 'create'));
  }

  #mayBegin(id: string, asker: Asker): boolean {
    return !this.#ownerIsFull(id, asker) && (asker.kind !== 'create' || this.#creationDue(id));
  }

  /** Wakes as many as there are slots for. */
  #serve(): void {
    while (this.#counted && this.#held.size + this.#woken.size < this.#options.max) {
      const next = this.#next();
      if (next === undefined) break;
      const [id, place] = next;
      this.#lines[place.kind].delete(id);
      this.#woken.set(id, place);
      this.#options.wake(id);
    }
    this.#arm();
  }

  /** Destroys first; of the others, who came first and may begin. */
  #next(): readonly [string, Place] | undefined {
    const { destroy, change, create } = this.#lines;
    const first = (line: Map<string, Place>) => {
      for (const entry of line) if (this.#mayBegin(entry[0], entry[1])) return entry;
      return undefined;
    };
    const removal = first(destroy);
    if (removal !== undefined) return removal;
    const [a, b] = [first(change), this.#creationDue() ? first(create) : undefined];
    return a === undefined || (b !== undefined && b[1].order < a[1].order) ? b : a;
  }

  /** Creations wait for their pace even where no run ends. */
  #arm(): void {
    if (this.#pace === undefined || this.#cancelTimer !== undefined || this.#lines.create.size === 0) return;
    const delayMs = this.#pace.untilMs(1);
    if (delayMs === 0) return;
    this.#cancelTimer = this.#options.clock.schedule(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#serve();
    });
  }
}
