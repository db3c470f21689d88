/** Circuit breaker: pauses the repairs of a region where too many enclaves drift, or where repairs fail. */
import { newEvent } from '../../enclave/event-reasons.ts';
import type { Clock, Ports } from '../ports/index.ts';

export interface BreakerLimits {
  /** Opens if more than this share of the region's enclaves, in percent … */
  readonly breakerPercent: number;
  /** … and at least this many drift: an API or a permission is then the likelier fault. */
  readonly breakerMin: number;
  /** How long it stays open before it lets one enclave try, ms. */
  readonly breakerRestMs: number;
}

export interface BreakerRefusal {
  readonly reason: 'BreakerOpen';
  readonly message: string;
  readonly until: number;
}

export interface BreakerChange {
  readonly region: string;
  readonly open: boolean;
  readonly message: string;
}

export interface CircuitBreakerOptions {
  readonly region: string;
  readonly limits: BreakerLimits;
  readonly clock: Clock;
  /** Called with an enclave whose repair may be tried again. */
  readonly wake: (id: string) => void;
  readonly onChange: (change: BreakerChange) => void;
}

/** What the breaker has to know of one enclave. */
export interface RepairState {
  readonly drifted: boolean;
  /** Names the last failed repair: another one was begun after it, or the enclave has stalled; undefined: none failed. */
  readonly failedRepair: string | undefined;
  readonly isRepairing: boolean;
}

type State =
  /** Repairs go on. `tolerated`: this many drifted when it closed; it opens for more than that. */
  | { readonly state: 'closed'; readonly tolerated: number }
  /** No repair begins until it has been open for `breakerRestMs`. */
  | { readonly state: 'open'; readonly since: number; readonly why: string }
  /** Only `canary` may be repaired; it closes when the repair has worked. */
  | { readonly state: 'halfOpen'; readonly since: number; readonly why: string; readonly canary: string };

/** Enclaves with a failed repair, after which the others are not tried. */
const MOST_FAILING = 3;

/**
 * The breaker of one region.
 *
 * *Caveats*: keeps nothing across a restart; it counts anew what the lifecycles say, and waits anew.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #state: State = { state: 'closed', tolerated: 0 };
  readonly #drifted = new Set<string>();
  /** Enclaves with a failed repair since the last repair that worked. */
  readonly #failing = new Set<string>();
  /** The last failed repair of each enclave: each counts once. */
  readonly #failedRepairs = new Map<string, string>();
  /** Under repair since they drifted: the end of a drift that nobody repaired shows nothing about repairs. */
  readonly #repaired = new Set<string>();

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#state.state === 'closed';
  }

  /** A failed repair of before the operator started: it does not count. */
  disregard(id: string, failedRepair: string): void {
    this.#failedRepairs.set(id, failedRepair);
  }

  /** Why a repair of this enclave may not begin now; undefined where it may. Changes nothing. */
  refusal(id: string): BreakerRefusal | undefined {
    const state = this.#state;
    if (state.state === 'closed' || (state.state === 'halfOpen' && state.canary === id)) return undefined;
    const { clock, limits } = this.#options;
    const until = state.since + limits.breakerRestMs;
    if (clock.now() >= until) return undefined;
    return { reason: 'BreakerOpen', message: `${state.why}; one is tried alone first`, until };
  }

  /** A repair of this enclave begins: after a rest, the first that does is tried alone. The result undoes that. */
  reserve(id: string): () => void {
    const before = this.#state;
    const isCanary = before.state === 'halfOpen' && before.canary === id;
    if (before.state === 'closed' || isCanary || this.refusal(id) !== undefined) return () => {};
    // A canary whose repair has not worked in this time is followed by another.
    const taken: State = { state: 'halfOpen', since: this.#options.clock.now(), why: before.why, canary: id };
    this.#state = taken;
    return () => {
      if (this.#state === taken) this.#state = before;
    };
  }

  /** `enclaves`: how many the region has. */
  track(id: string, { drifted, failedRepair, isRepairing }: RepairState, enclaves: number): void {
    if (drifted) this.#drifted.add(id);
    if (drifted && isRepairing) this.#repaired.add(id);
    // A stalled enclave has no drift any more in what is known of it, and its repair has failed.
    const isOver = !drifted && this.#drifted.delete(id);
    const wasRepaired = isOver && this.#repaired.delete(id);
    const hasWorked = wasRepaired && failedRepair === undefined;
    if (failedRepair === undefined) {
      this.#failing.delete(id);
      this.#failedRepairs.delete(id);
    } else if (this.#failedRepairs.get(id) !== failedRepair) {
      this.#failing.add(id);
      this.#failedRepairs.set(id, failedRepair);
    }
    // One repair that worked shows that repairs can.
    if (hasWorked) this.#failing.clear();
    this.#judge(hasWorked ? id : undefined, enclaves);
  }

  #judge(repaired: string | undefined, enclaves: number): void {
    const { region, limits } = this.#options;
    const drifted = this.#drifted.size;
    const many = Math.max(limits.breakerMin, Math.floor((enclaves * limits.breakerPercent) / 100) + 1);
    const state = this.#state;
    if (state.state === 'closed') {
      if (drifted < state.tolerated) this.#state = { state: 'closed', tolerated: drifted };
      if (drifted >= many && drifted > state.tolerated) {
        this.#open(`${drifted} of ${enclaves} enclaves in ${region} differ at once`);
      } else if (this.#failing.size >= MOST_FAILING) {
        this.#open(`${this.#failing.size} repairs in ${region} did not heal what they were to heal`);
      }
      return;
    }
    const hasCanaryWorked = state.state === 'halfOpen' && state.canary === repaired;
    if (!hasCanaryWorked && (drifted >= many || this.#failing.size > 0)) return;
    this.#state = { state: 'closed', tolerated: drifted };
    const message = hasCanaryWorked
      ? `${repaired} has healed: repairs in ${region} go on`
      : `few differ in ${region} any more`;
    this.#options.onChange({ region, open: false, message });
    for (const waiting of this.#drifted) this.#options.wake(waiting);
  }

  #open(why: string): void {
    const { region, clock } = this.#options;
    this.#state = { state: 'open', since: clock.now(), why };
    this.#options.onChange({ region, open: true, message: why });
  }
}

/** Logs the change and records it as an event of the region. Never rejects: it logs an event that it could not write. */
export async function emitBreakerEvent(
  { region, open, message }: BreakerChange,
  { clock, log, history }: Pick<Ports, 'clock' | 'log' | 'history'>,
): Promise<void> {
  if (open)
    log.error({ region, reason: message }, 'repairs are stopped: nobody may mean so many, or they heal so little');
  else log.warn({ region, reason: message }, 'repairs go on');
  const at = new Date(clock.now()).toISOString();
  const what = open
    ? ({ type: 'Warning', reason: 'BreakerOpened' } as const)
    : ({ type: 'Normal', reason: 'BreakerClosed' } as const);
  try {
    await history.append([newEvent(what, { id: region, at, message })]);
  } catch (error) {
    log.warn({ region, error: String(error) }, 'the event of a breaker could not be written');
  }
}
