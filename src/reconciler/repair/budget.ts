/** Repair budget: how many enclaves may be under repair at once, and whether a repair may begin now. */
import { isRepairKey, storedAttemptsKey } from '../../drift/index.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { Config } from '../config.ts';
import type { LifecycleListener, LifecycleSource } from '../lifecycle-listener.ts';
import { AWS_LIMITS } from '../limits/api-rate-limits.ts';
import type { BucketLimits } from '../limits/token-bucket.ts';
import type { Clock } from '../ports/index.ts';
import {
  type BreakerChange,
  type BreakerLimits,
  type BreakerRefusal,
  CircuitBreaker,
  type RepairState,
} from './circuit-breaker.ts';
import { StartPacing } from './start-pacing.ts';

export interface RepairLimits extends BreakerLimits {
  /** Enclaves under repair at a time, as a share of all, in percent; at least one. */
  readonly capPercent: number;
  /** How long a direct effect is under way, ms. */
  readonly settleMs: number;
  /** How long the start of a host is, at most, ms. */
  readonly hostStartMs: number;
  /** Starts of hosts that AWS lets this operator make in a region; undefined: no limit. */
  readonly starts: BucketLimits | undefined;
}

export function repairLimitsOf(config: Config): RepairLimits {
  const { repairCapPercent: capPercent, breakerPercent, breakerMin, breakerRestMs, settleMs, hostStartMs } = config;
  const { awsBudgetShare: share } = config;
  const { burst, perSecond } = AWS_LIMITS['ec2:StartInstances'];
  const starts = share === 0 ? undefined : { burst: Math.max(1, burst * share), perSecond: perSecond * share };
  return { capPercent, breakerPercent, breakerMin, breakerRestMs, settleMs, hostStartMs, starts };
}

/** What a repair begins with, where AWS admits few of it at a time. */
export type FirstStep = 'startHost' | 'other';

export type RepairRefusal = { readonly reason: 'RepairCapped'; readonly message: string } | BreakerRefusal;

export interface RepairBudgetOptions {
  readonly limits: RepairLimits;
  readonly defaultRegion: string;
  readonly clock: Clock;
  /** Called with an enclave whose repair may be tried again. */
  readonly wake: (id: string) => void;
  readonly onBreaker: (change: BreakerChange) => void;
}

interface Standing extends RepairState {
  /** Until when an effect is under way, ms; infinite for a run, 0 where none is. */
  readonly busyUntil: number;
  /** When its host was last started, whatever for. */
  readonly startedAt: string | undefined;
}

const AT_REST: Standing = {
  drifted: false,
  failedRepair: undefined,
  busyUntil: 0,
  startedAt: undefined,
  isRepairing: false,
};

interface Region {
  enclaves: number;
  readonly breaker: CircuitBreaker;
  readonly starts: StartPacing;
}

/**
 * Knows of every enclave whether it has drifted, and whether it is under repair.
 *
 * *Guarantees*: no more enclaves than the cap are under repair at once; an enclave uses the budget only while an effect
 * is under way. The region's circuit breaker and its start pacing have to agree as well. *Caveats*: keeps nothing across
 * a restart; it counts anew what the lifecycles say. What is reserved for a commit that is refused is given back.
 * *Assumes* that nothing is awaited between {@link ask} and {@link reserve} or {@link wait}.
 */
export class RepairBudget implements LifecycleListener {
  readonly #options: RepairBudgetOptions;
  readonly #regions = new Map<string, Region>();
  readonly #regionOf = new Map<string, string>();
  /** Enclaves with an effect under way, and until when. */
  readonly #busy = new Map<string, number>();
  readonly #waiting = new Set<string>();
  #isClosed = false;

  constructor(options: RepairBudgetOptions) {
    this.#options = options;
  }

  /** Sets no timer from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { starts } of this.#regions.values()) starts.close();
  }

  /** Regions whose breaker is open. */
  get openRegions(): readonly string[] {
    return [...this.#regions].flatMap(([name, { breaker }]) => (breaker.isClosed ? [] : [name]));
  }

  onUpsert(id: string, lifecycle: ListedLifecycle, source: LifecycleSource): void {
    if (lifecycle.phase === 'destroyed' || lifecycle.desired === 'Absent') {
      this.onDelete(id);
      return;
    }
    const name = this.#regionName(id, lifecycle);
    const region = this.#region(name);
    const standing = this.#standingOf(lifecycle);
    if (!this.#regionOf.has(id)) {
      this.#regionOf.set(id, name);
      region.enclaves += 1;
      // What a list finds at first had failed before this process began to lead.
      if (source === 'listed' && standing.failedRepair !== undefined) {
        region.breaker.disregard(id, standing.failedRepair);
      }
    }
    this.#track(id, region, standing);
  }

  onDelete(id: string): void {
    const name = this.#regionOf.get(id);
    this.#regionOf.delete(id);
    this.#waiting.delete(id);
    if (name === undefined) return;
    const region = this.#region(name);
    region.enclaves -= 1;
    region.starts.leave(id);
    this.#track(id, region, AT_REST);
  }

  #standingOf({ drift, direct, run, phase, attempts }: ListedLifecycle): Standing {
    const drifted = drift !== undefined;
    const { settleMs, hostStartMs } = this.#options.limits;
    const lasts = direct?.effect === 'startHost' ? Math.max(settleMs, hostStartMs) : settleMs;
    const directUntil = direct === undefined ? 0 : Date.parse(direct.at) + lasts;
    // One that has stalled has come to nothing with its first attempt as well.
    const stalled = phase === 'stalled';
    const again = drifted && attempts.key === storedAttemptsKey(drift) && attempts.count > 1;
    const failed = again || (stalled && isRepairKey(attempts.key));
    return {
      drifted,
      failedRepair: failed ? `${attempts.key} ${attempts.count} ${stalled}` : undefined,
      busyUntil: phase !== 'repairing' ? 0 : run === undefined ? directUntil : Number.POSITIVE_INFINITY,
      startedAt: direct?.effect === 'startHost' ? direct.at : undefined,
      isRepairing: phase === 'repairing',
    };
  }

  /** Why a repair of this enclave may not begin now; undefined where it may. Takes nothing, and changes nothing. */
  ask(id: string, regionName: string, first: FirstStep = 'other'): RepairRefusal | undefined {
    const now = this.#options.clock.now();
    const { breaker, starts } = this.#region(regionName);
    const refusal = breaker.refusal(id);
    if (refusal !== undefined) return refusal;
    if ((this.#busy.get(id) ?? 0) > now) return undefined;
    if (this.#isFull(now)) {
      return { reason: 'RepairCapped', message: 'as many enclaves are under repair as may be at once' };
    }
    if (first === 'startHost' && !starts.isFree) {
      return { reason: 'RepairCapped', message: 'as many hosts are being started as AWS lets through' };
    }
    return undefined;
  }

  /** Takes what the repair of this lifecycle, which is about to be committed, needs. The result gives it back. */
  reserve(id: string, lifecycle: ListedLifecycle): () => void {
    const now = this.#options.clock.now();
    // An effect that is over makes room for one that waits.
    for (const [busy, until] of this.#busy) if (until <= now && this.#busy.delete(busy)) this.#wakeNext();
    const { busyUntil, startedAt } = this.#standingOf(lifecycle);
    if (busyUntil <= now) return () => {};
    const { breaker, starts } = this.#region(this.#regionName(id, lifecycle));
    const before = this.#busy.get(id);
    this.#busy.set(id, busyUntil);
    const undo = [breaker.reserve(id), starts.trackStart(id, startedAt)];
    return () => {
      for (const each of undo) each();
      if (before !== undefined) this.#busy.set(id, before);
      else if (this.#busy.delete(id)) this.#wakeNext();
    };
  }

  /** Was refused as `RepairCapped`: woken when it may try again. */
  wait(id: string, lifecycle: ListedLifecycle): void {
    if (this.#isFull(this.#options.clock.now())) this.#waiting.add(id);
    else this.#region(this.#regionName(id, lifecycle)).starts.wait(id);
  }

  /** Waits for nothing any more. */
  leave(id: string): void {
    this.#waiting.delete(id);
    const name = this.#regionOf.get(id);
    if (name !== undefined) this.#region(name).starts.leave(id);
  }

  #isFull(now: number): boolean {
    const cap = Math.max(1, Math.floor((this.#regionOf.size * this.#options.limits.capPercent) / 100));
    let busy = 0;
    for (const until of this.#busy.values()) if (until > now) busy += 1;
    return busy >= cap;
  }

  /** That of an enclave never changes. */
  #regionName(id: string, lifecycle: ListedLifecycle): string {
    return this.#regionOf.get(id) ?? regionOf(lifecycle, this.#options.defaultRegion);
  }

  #track(id: string, { starts, breaker, enclaves }: Region, standing: Standing): void {
    starts.trackStart(id, standing.startedAt);
    const wasBusy = this.#busy.has(id);
    if (standing.busyUntil > this.#options.clock.now()) this.#busy.set(id, standing.busyUntil);
    else this.#busy.delete(id);
    breaker.track(id, standing, enclaves);
    if (wasBusy && !this.#busy.has(id)) this.#wakeNext();
  }

  /** An enclave that is woken asks again. */
  #wakeNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#options.wake(next);
  }

  #region(name: string): Region {
    const known = this.#regions.get(name);
    if (known !== undefined) return known;
    const { clock, limits, wake, onBreaker } = this.#options;
    const made: Region = {
      enclaves: 0,
      breaker: new CircuitBreaker({ region: name, limits, clock, wake, onChange: onBreaker }),
      starts: new StartPacing({ clock, limits: limits.starts, settleMs: limits.settleMs, wake }),
    };
    if (this.#isClosed) made.starts.close();
    this.#regions.set(name, made);
    return made;
  }
}
