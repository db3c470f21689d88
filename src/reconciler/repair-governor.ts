/** Repair budget: how many enclaves may be under repair at once, and whether a repair may begin now. */
import { isRepairKey, storedAttemptsKey } from '../drift/index.ts';
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';
import { AWS_LIMITS } from './budgets.ts';
import {
  type BreakerChange,
  type BreakerLimits,
  type BreakerRefusal,
  CircuitBreaker,
  type RepairState,
} from './circuit-breaker.ts';
import type { Config } from './config.ts';
import type { Clock } from './ports.ts';
import { regionOf } from './region-of.ts';
import { StartPacing } from './start-pacing.ts';
import type { BucketLimits } from './token-bucket.ts';

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

export interface RepairGovernorOptions {
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
 * a restart; it counts anew what the lifecycles say.
 */
export class RepairGovernor {
  readonly #options: RepairGovernorOptions;
  readonly #regions = new Map<string, Region>();
  readonly #regionOf = new Map<string, string>();
  /** Enclaves with an effect under way, and until when. */
  readonly #busy = new Map<string, number>();
  readonly #waiting = new Set<string>();
  #isClosed = false;

  constructor(options: RepairGovernorOptions) {
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

  /** For each lifecycle that is listed at the start: its repairs that failed before count no more. */
  listed(id: string, lifecycle: ListedLifecycle): void {
    const { failedRepair } = this.#standingOf(lifecycle);
    if (failedRepair === undefined || this.#regionOf.has(id)) return;
    this.#region(regionOf(lifecycle, this.#options.defaultRegion)).breaker.disregard(id, failedRepair);
  }

  /** For each lifecycle as it now is; undefined: deleted. Nothing may be awaited between {@link ask} and this. */
  know(id: string, lifecycle: ListedLifecycle | undefined): void {
    const known = this.#regionOf.get(id);
    if (lifecycle === undefined || lifecycle.phase === 'destroyed' || lifecycle.desired === 'Absent') {
      this.#regionOf.delete(id);
      this.#waiting.delete(id);
      if (known === undefined) return;
      const region = this.#region(known);
      region.enclaves -= 1;
      region.starts.leave(id);
      this.#track(id, region, AT_REST);
      return;
    }
    const name = known ?? regionOf(lifecycle, this.#options.defaultRegion);
    const region = this.#region(name);
    if (known === undefined) {
      this.#regionOf.set(id, name);
      region.enclaves += 1;
    }
    this.#track(id, region, this.#standingOf(lifecycle));
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

  /** Why a repair of this enclave may not begin now; undefined where it may. Asking again is harmless. */
  ask(id: string, regionName: string, first: FirstStep = 'other'): RepairRefusal | undefined {
    const { limits, clock } = this.#options;
    const { breaker, starts } = this.#region(regionName);
    const refusal = breaker.refusal(id);
    if (refusal !== undefined) return refusal;
    const at = clock.now();
    for (const [busy, until] of this.#busy) if (until <= at && this.#busy.delete(busy)) this.#wakeNext();
    const cap = Math.max(1, Math.floor((this.#regionOf.size * limits.capPercent) / 100));
    if (!this.#busy.has(id) && this.#busy.size >= cap) {
      this.#waiting.add(id);
      return { reason: 'RepairCapped', message: 'as many enclaves are under repair as may be at once' };
    }
    this.#waiting.delete(id);
    if (first === 'startHost' && !this.#busy.has(id) && !starts.admit(id)) {
      return { reason: 'RepairCapped', message: 'as many hosts are being started as AWS lets through' };
    }
    starts.leave(id);
    return undefined;
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
