/** Repair governor: how many may be under repair at once, and when so much differs that nobody should touch it. */
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';
import { AWS_LIMITS } from './budgets.ts';
import type { Config } from './config.ts';
import type { Clock } from './ports.ts';
import { regionOf } from './region-of.ts';
import { type BucketLimits, TokenBucket } from './token-bucket.ts';

export interface RepairLimits {
  /** Enclaves under repair at a time, as a share of all, in percent; at least one. */
  readonly capPercent: number;
  /** More than this share of a region's enclaves, in percent … */
  readonly breakerPercent: number;
  /** … and at least this many differ: an API or a permission is likelier at fault than they are. */
  readonly breakerMin: number;
  /** How long an open breaker waits before it lets one try, ms. */
  readonly breakerRestMs: number;
  /** How long a direct effect is under way, ms. */
  readonly settleMs: number;
  /** How long the start of a host is, at most, ms. */
  readonly hostStartMs: number;
  /** Starts of hosts AWS lets this operator make in a region; undefined: as many as are asked for. */
  readonly starts: BucketLimits | undefined;
}

export function repairLimitsOf(config: Config): RepairLimits {
  const { repairCapPercent: capPercent, breakerPercent, breakerMin, breakerRestMs, settleMs, hostStartMs } = config;
  const { awsBudgetShare: share } = config;
  const { burst, perSecond } = AWS_LIMITS['ec2:StartInstances'];
  const starts = share === 0 ? undefined : { burst: Math.max(1, burst * share), perSecond: perSecond * share };
  return { capPercent, breakerPercent, breakerMin, breakerRestMs, settleMs, hostStartMs, starts };
}

/** What a repair begins with, where AWS lets few of it be done at a time. */
export type FirstStep = 'startHost' | 'other';

export type RepairRefusal =
  | { readonly reason: 'RepairCapped'; readonly message: string }
  | { readonly reason: 'BreakerOpen'; readonly message: string; readonly until: number };

export interface BreakerChange {
  readonly region: string;
  readonly open: boolean;
  readonly message: string;
}

export interface RepairGovernorOptions {
  readonly limits: RepairLimits;
  readonly defaultRegion: string;
  readonly clock: Clock;
  /** Told of an enclave that may try again. */
  readonly wake: (id: string) => void;
  readonly onBreaker: (change: BreakerChange) => void;
}

interface Standing {
  readonly drifted: boolean;
  /** Names the last repair that came to nothing: another was begun, or it has stalled; undefined: none has. */
  readonly inVain: string | undefined;
  /** Until when an effect is under way, ms; infinite for a run, 0 where none is. */
  readonly busyUntil: number;
  /** When its host was last started, by whatever it was asked for. */
  readonly startedAt: string | undefined;
  readonly isRepaired: boolean;
}

const AT_REST: Standing = {
  drifted: false,
  inVain: undefined,
  busyUntil: 0,
  startedAt: undefined,
  isRepaired: false,
};

interface Region {
  enclaves: number;
  readonly starts: TokenBucket | undefined;
  /** Wait for the turn of their host's start. */
  readonly toStart: Set<string>;
  /** Of the timer of those; undefined: none is set. */
  cancelTurn: (() => void) | undefined;
  readonly drifted: Set<string>;
  /** Repaired in vain since the last one that healed. */
  readonly failing: Set<string>;
  breaker:
    | { readonly state: 'closed'; readonly tolerated: number }
    | { readonly state: 'open'; readonly since: number; readonly why: string }
    | { readonly state: 'halfOpen'; readonly since: number; readonly why: string; readonly canary: string };
}

/** Between two wakings of those that wait for a start, at least, ms. */
const MOMENT_MS = 200;
/** Vain repairs in a row after which the rest is spared. */
const MOST_FAILING = 3;

/**
 * Knows of every enclave whether it differs, and whether it is being repaired.
 *
 * *Guarantees*: no more than the cap are under repair at once; a slot is held only while an effect is under way. Where
 * more of a region differ than is likely, or repairs do not heal, none is begun there until one that tries alone has
 * healed. No start of a host is begun that AWS would not let through: one that could not be made would count as one
 * that came to nothing. *Caveats*: it remembers nothing; after a restart it counts anew what lifecycles persist, and
 * waits anew.
 */
export class RepairGovernor {
  readonly #options: RepairGovernorOptions;
  readonly #regions = new Map<string, Region>();
  readonly #regionOf = new Map<string, string>();
  /** Enclaves an effect is under way at, and until when. */
  readonly #busy = new Map<string, number>();
  readonly #waiting = new Set<string>();
  /** Repairs that have come to nothing, by what names the last one: each counts once. */
  readonly #inVain = new Map<string, string>();
  /** Last starts of hosts, each of which has taken its token. */
  readonly #startedAt = new Map<string, string>();
  /** Under repair since they differ: what is over without one has healed nothing. */
  readonly #repaired = new Set<string>();
  #isClosed = false;

  constructor(options: RepairGovernorOptions) {
    this.#options = options;
  }

  /** Wakes nobody any more: nothing of it waits for a later time. */
  close(): void {
    this.#isClosed = true;
    for (const region of this.#regions.values()) {
      region.toStart.clear();
      region.cancelTurn?.();
    }
  }

  /** Regions whose breaker is open. */
  get openRegions(): readonly string[] {
    return [...this.#regions].flatMap(([name, { breaker }]) => (breaker.state === 'closed' ? [] : [name]));
  }

  /** Told of a lifecycle that is listed: what had come to nothing by then is history. */
  listed(id: string, lifecycle: ListedLifecycle): void {
    const { inVain } = this.#standingOf(lifecycle);
    if (inVain !== undefined && !this.#regionOf.has(id)) this.#inVain.set(id, inVain);
  }

  /** Told of a lifecycle as it now stands; undefined: forgotten. Nothing may wait between {@link ask} and this. */
  know(id: string, lifecycle: ListedLifecycle | undefined): void {
    const known = this.#regionOf.get(id);
    if (lifecycle === undefined || lifecycle.phase === 'destroyed' || lifecycle.desired === 'Absent') {
      this.#regionOf.delete(id);
      this.#waiting.delete(id);
      if (known !== undefined) {
        this.#region(known).enclaves -= 1;
        this.#region(known).toStart.delete(id);
        this.#note(id, known, AT_REST);
      }
      return;
    }
    const name = known ?? regionOf(lifecycle, this.#options.defaultRegion);
    if (known === undefined) {
      this.#regionOf.set(id, name);
      this.#region(name).enclaves += 1;
    }
    this.#note(id, name, this.#standingOf(lifecycle));
  }

  #standingOf({ drift, direct, run, phase, attempts }: ListedLifecycle): Standing {
    const drifted = drift !== undefined;
    const { settleMs, hostStartMs } = this.#options.limits;
    const lasts = direct?.effect === 'startHost' ? Math.max(settleMs, hostStartMs) : settleMs;
    const directUntil = direct === undefined ? 0 : Date.parse(direct.at) + lasts;
    // One that has stalled has come to nothing with its first attempt as well.
    const stalled = phase === 'stalled';
    const again = attempts.key === `drift:${drift?.fingerprint}` && attempts.count > 1;
    const failed = again || (stalled && attempts.key.startsWith('drift:'));
    return {
      drifted,
      inVain: failed ? `${attempts.key} ${attempts.count} ${stalled}` : undefined,
      busyUntil: phase !== 'repairing' ? 0 : run === undefined ? directUntil : Number.POSITIVE_INFINITY,
      startedAt: direct?.effect === 'startHost' ? direct.at : undefined,
      isRepaired: phase === 'repairing',
    };
  }

  /** Why a repair of this enclave may not begin now; undefined where it may. Asking again is harmless. */
  ask(id: string, regionName: string, first: FirstStep = 'other'): RepairRefusal | undefined {
    const { limits, clock } = this.#options;
    const at = clock.now();
    const region = this.#region(regionName);
    const { breaker } = region;
    if (breaker.state !== 'closed' && !(breaker.state === 'halfOpen' && breaker.canary === id)) {
      const until = breaker.since + limits.breakerRestMs;
      const message = `${breaker.why}; one is tried alone first`;
      if (at < until) return { reason: 'BreakerOpen', message, until };
      // A canary that has not healed in this time is followed by another.
      region.breaker = { state: 'halfOpen', since: at, why: breaker.why, canary: id };
    }
    for (const [busy, until] of this.#busy) if (until <= at && this.#busy.delete(busy)) this.#serve();
    const cap = Math.max(1, Math.floor((this.#regionOf.size * limits.capPercent) / 100));
    if (!this.#busy.has(id) && this.#busy.size >= cap) {
      this.#waiting.add(id);
      return { reason: 'RepairCapped', message: 'as many enclaves are under repair as may be at once' };
    }
    this.#waiting.delete(id);
    if (first === 'startHost' && !this.#busy.has(id) && region.starts?.has(1) === false) {
      region.toStart.add(id);
      this.#serveStarts(region);
      return { reason: 'RepairCapped', message: 'as many hosts are being started as AWS lets through' };
    }
    region.toStart.delete(id);
    return undefined;
  }

  /** Wakes who waits for a start as tokens come, one each. */
  #serveStarts(region: Region): void {
    const { starts, toStart } = region;
    if (this.#isClosed || region.cancelTurn !== undefined || starts === undefined || toStart.size === 0) return;
    // A moment longer, so that who was woken has taken the token before it is counted again.
    region.cancelTurn = this.#options.clock.schedule(Math.max(starts.untilMs(1), MOMENT_MS), () => {
      region.cancelTurn = undefined;
      const [next] = toStart;
      if (next !== undefined && starts.has(1)) {
        toStart.delete(next);
        this.#options.wake(next);
      }
      this.#serveStarts(region);
    });
  }

  #note(id: string, name: string, { drifted, inVain, busyUntil, startedAt, isRepaired }: Standing): void {
    const at = this.#options.clock.now();
    const region = this.#region(name);
    if (startedAt === undefined) this.#startedAt.delete(id);
    else if (this.#startedAt.get(id) !== startedAt) {
      this.#startedAt.set(id, startedAt);
      // Of long ago: after a restart, all that were ever started are told of.
      if (at - Date.parse(startedAt) < this.#options.limits.settleMs) region.starts?.spend();
    }
    const wasBusy = this.#busy.has(id);
    if (busyUntil > at) this.#busy.set(id, busyUntil);
    else this.#busy.delete(id);
    if (drifted) region.drifted.add(id);
    if (drifted && isRepaired) this.#repaired.add(id);
    // One that has stalled no longer differs in what is known of it, and has not healed.
    const isOver = !drifted && region.drifted.delete(id);
    const wasRepaired = isOver && this.#repaired.delete(id);
    const healed = wasRepaired && inVain === undefined;
    if (inVain === undefined) {
      region.failing.delete(id);
      this.#inVain.delete(id);
    } else if (this.#inVain.get(id) !== inVain) {
      region.failing.add(id);
      this.#inVain.set(id, inVain);
    }
    // One that healed says that repairs can.
    if (healed) region.failing.clear();
    this.#judge(name, region, healed ? id : undefined, at);
    if (wasBusy && !this.#busy.has(id)) this.#serve();
  }

  #judge(name: string, region: Region, healed: string | undefined, at: number): void {
    const { breakerMin, breakerPercent } = this.#options.limits;
    const drifted = region.drifted.size;
    const many = Math.max(breakerMin, Math.floor((region.enclaves * breakerPercent) / 100) + 1);
    const { breaker } = region;
    if (breaker.state === 'closed') {
      // What differed when it closed was tolerated then; it counts again once it is more than that.
      if (drifted < breaker.tolerated) region.breaker = { state: 'closed', tolerated: drifted };
      if (drifted >= many && drifted > breaker.tolerated) {
        this.#open(name, region, `${drifted} of ${region.enclaves} enclaves in ${name} differ at once`, at);
      } else if (region.failing.size >= MOST_FAILING) {
        this.#open(name, region, `${region.failing.size} repairs in ${name} did not heal what they were to heal`, at);
      }
      return;
    }
    const canaryHealed = breaker.state === 'halfOpen' && breaker.canary === healed;
    if (!canaryHealed && (drifted >= many || region.failing.size > 0)) return;
    region.breaker = { state: 'closed', tolerated: drifted };
    const message = canaryHealed ? `${healed} has healed: repairs in ${name} go on` : `few differ in ${name} any more`;
    this.#options.onBreaker({ region: name, open: false, message });
    for (const waiting of region.drifted) this.#options.wake(waiting);
  }

  #open(name: string, region: Region, why: string, at: number): void {
    region.breaker = { state: 'open', since: at, why };
    this.#options.onBreaker({ region: name, open: true, message: why });
  }

  /** One waits no longer; who is woken asks again. */
  #serve(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#options.wake(next);
  }

  #region(name: string): Region {
    const known = this.#regions.get(name);
    if (known !== undefined) return known;
    const { clock, limits } = this.#options;
    const made: Region = {
      enclaves: 0,
      starts: limits.starts && new TokenBucket(clock, limits.starts),
      toStart: new Set(),
      cancelTurn: undefined,
      drifted: new Set(),
      failing: new Set(),
      breaker: { state: 'closed', tolerated: 0 },
    };
    this.#regions.set(name, made);
    return made;
  }
}
