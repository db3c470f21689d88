/** Run slots: which enclave may start a Terraform run, and which is next. */
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Clock } from '../ports/index.ts';
import { TokenBucket } from './token-bucket.ts';
import { RunDurations, type WaitEstimate } from './wait-estimate.ts';

/** `create`: the run launches a host. */
export type RunKind = 'destroy' | 'change' | 'create';

/** A run that an enclave wants to begin. */
export interface RunRequest {
  readonly kind: RunKind;
  /** The wallet. */
  readonly owner: string;
}

export type RunReservation =
  /** The slot is held. `cancel`: no run was committed; gives back what was taken, the place in line included. */
  | { readonly kind: 'reserved'; readonly cancel: () => void }
  /** No slot is free: the enclave stands in line, and is woken when it may try again. */
  | { readonly kind: 'wait' };

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

interface Place extends RunRequest {
  readonly order: number;
}
interface Held {
  readonly owner: string;
  readonly since: number | undefined;
}

/** EC2's own relation of RunInstances' burst to its refill: 5 to 2. */
const BURST_SECONDS = 2.5;

/**
 * ```
 *            ┌── no slot ──► in line ── woken, a slot is kept ──┐
 *  reserve ──┤                  ▲                               ▼
 *            └── reserved ◄─────┼──────────────────────────  reserve
 *                   │           └─ still none                   │
 *                   ├── cancel: as before                       └── leave, release: the next in line is woken
 *                   └── release: the run is over
 * ```
 *
 * *Guarantees*: never more slots held than `max`, but for runs that were under way when this process began to lead, and
 * those that a former leader's delayed write commits later (ADR 0009); destroys go first, then whoever waited longest; an
 * owner at its cap, or a creation before its time, holds up nobody behind it; a cancelled reservation changes nothing.
 * *Assumes* that an enclave that was woken is reconciled, which ends in `reserve`, `release` or `leave`. Only enclaves
 * that would begin a run reserve: each that would not costs the line a reconcile.
 */
export class RunSlots implements LifecycleListener {
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

  /** Every stored run reference is held now. Before, the number of taken slots is unknown and no slot is given. */
  allListed(): void {
    this.#counted = true;
    this.#serve();
  }

  /**
   * A marker holds a slot from the moment it is known, so that a restart does not pass the cap. A lifecycle without one
   * frees nothing: listed, it may be older than a marker that is being committed; written, its reconcile releases.
   */
  onUpsert(id: string, { run, identity }: ListedLifecycle): void {
    if (run === undefined) return;
    this.hold(id, { kind: run.action === 'destroy' ? 'destroy' : 'change', owner: identity.walletAddress });
  }

  onDelete(id: string): void {
    this.release(id);
  }

  /** How long a run of this enclave would wait; undefined where it holds a slot, or could take one now. Takes nothing. */
  estimatedWait(id: string, request: RunRequest): WaitEstimate | undefined {
    return this.#isFree(id, request) ? undefined : this.#outlook(id, request);
  }

  /** Takes a slot for a run that is about to be committed, or a place in line; a place it had is kept. */
  reserve(id: string, request: RunRequest): RunReservation {
    if (this.#held.has(id)) {
      this.#forget(id);
      return { kind: 'reserved', cancel: () => {} };
    }
    if (!this.#isFree(id, request)) {
      this.#line(id, request);
      return { kind: 'wait' };
    }
    const woken = this.#woken.get(id);
    if (request.kind === 'create') this.#pace?.spend();
    const held = this.#take(id, request, this.#options.clock.monotonic());
    const cancel = () => {
      if (this.#held.get(id) !== held) return;
      this.#drop(id, held);
      if (request.kind === 'create') this.#pace?.refund();
      if (woken !== undefined) this.#woken.set(id, woken);
      this.#serve();
    };
    return { kind: 'reserved', cancel };
  }

  /** The run of this enclave is under way already: it holds a slot, be there one free or not. */
  hold(id: string, request: RunRequest): void {
    const held = this.#held.get(id);
    if (held === undefined) {
      this.#take(id, request, undefined);
      return;
    }
    this.#forget(id);
    // Known to exist by now: a reservation that is cancelled no longer frees it.
    this.#held.set(id, { ...held });
  }

  /** Has no run and wants none. */
  release(id: string): void {
    this.#forget(id);
    const held = this.#held.get(id);
    if (held !== undefined) {
      this.#drop(id, held);
      if (held.since !== undefined) this.#durations.ended(this.#options.clock.monotonic() - held.since);
    }
    this.#serve();
  }

  /** Cannot say what it wants now: its place goes to the next. A slot it holds stays. */
  leave(id: string): void {
    this.#forget(id);
    this.#serve();
  }

  #isFree(id: string, request: RunRequest): boolean {
    if (this.#held.has(id)) return true;
    if (!this.#counted) return false;
    const woken = this.#woken.has(id);
    // Whoever waits for the pace of creations is woken by it, in turn.
    if (request.kind === 'create' && !woken && this.#lines.create.size > 0) return false;
    const kept = this.#woken.size - (woken ? 1 : 0);
    return this.#held.size + kept < this.#options.max && this.#mayBegin(id, request);
  }

  #take(id: string, { owner }: RunRequest, since: number | undefined): Held {
    this.#forget(id);
    const held = { owner, since };
    this.#held.set(id, held);
    this.#owners.set(owner, (this.#owners.get(owner) ?? 0) + 1);
    this.#arm();
    return held;
  }

  #drop(id: string, { owner }: Held): void {
    this.#held.delete(id);
    const left = (this.#owners.get(owner) ?? 1) - 1;
    if (left === 0) this.#owners.delete(owner);
    else this.#owners.set(owner, left);
  }

  #line(id: string, request: RunRequest): void {
    const line = this.#lines[request.kind];
    if (!line.has(id)) {
      const kept = this.#woken.get(id)?.order;
      const order = kept ?? this.#orders++;
      this.#forget(id);
      // One that was woken, and finds no slot all the same, stands before those that came after it.
      const behind = kept === undefined ? [] : [...line].filter((entry) => entry[1].order > kept);
      for (const [other] of behind) line.delete(other);
      line.set(id, { ...request, order });
      for (const [other, place] of behind) line.set(other, place);
    }
    this.#serve();
  }

  #outlook(id: string, request: RunRequest): WaitEstimate {
    const { max, maxPerOwner, createsPerSecond } = this.#options;
    const { destroy, change, create } = this.#lines;
    const order = this.#lines[request.kind].get(id)?.order ?? this.#orders;
    const before = (line: Map<string, Place>) => {
      const first = line.values().next().value;
      // Those that left from the middle are still counted: never fewer than there are, for want of a walk of the line.
      return first === undefined ? 0 : Math.min(line.size, Math.max(0, order - first.order));
    };
    return {
      ahead: request.kind === 'destroy' ? before(destroy) : destroy.size + before(change) + before(create),
      creations: request.kind === 'create' ? before(create) : 0,
      perSecond: this.#durations.rate(max, request.kind === 'create' ? createsPerSecond : 0),
      ownRuns: this.#ownerIsFull(id, request) ? maxPerOwner : undefined,
    };
  }

  #forget(id: string): void {
    this.#woken.delete(id);
    for (const line of Object.values(this.#lines)) line.delete(id);
  }

  /** Of those for which a slot is kept, without `id`. */
  #kept(id: string | undefined, which: (place: RunRequest) => boolean): number {
    let count = 0;
    for (const [other, place] of this.#woken) if (other !== id && which(place)) count += 1;
    return count;
  }

  #ownerIsFull(id: string, { kind, owner }: RunRequest): boolean {
    const { maxPerOwner } = this.#options;
    if (kind === 'destroy' || maxPerOwner === 0) return false;
    return (this.#owners.get(owner) ?? 0) + this.#kept(id, (other) => other.owner === owner) >= maxPerOwner;
  }

  #creationDue(id?: string): boolean {
    return this.#pace === undefined || this.#pace.has(1 + this.#kept(id, ({ kind }) => kind === 'create'));
  }

  #mayBegin(id: string, request: RunRequest): boolean {
    return !this.#ownerIsFull(id, request) && (request.kind !== 'create' || this.#creationDue(id));
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
