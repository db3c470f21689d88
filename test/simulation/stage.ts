/** Stage: what every actor of one simulation shares. */
import type { MemoryWorld } from '../support/memory-world.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { FaultSchedule } from './fault-schedule.ts';
import type { SeededRandom } from './random.ts';
import type { Fault, Settings } from './settings.ts';
import type { Trace } from './trace.ts';

export interface Violation {
  /** Name of the invariant. */
  readonly rule: string;
  /** What was seen. */
  readonly message: string;
  /** Virtual time since the start, ms. */
  readonly atMs: number;
}

/** Broken, it is the simulation that is wrong. */
export const OWN_RULE = 'the simulation itself holds';

export class Stage {
  readonly settings: Settings;
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly faultSchedule: FaultSchedule;
  readonly trace: Trace;
  readonly random: SeededRandom;
  /** Who writes at this instant; `world`: nobody in particular. */
  actor = 'world';
  /** True once faults have stopped for good. */
  calm = false;
  /** When a fault last cut off a run of each enclave, virtual ms. */
  readonly runCutMs = new Map<string, number>();
  #violation: Violation | undefined;

  constructor(parts: Pick<Stage, 'settings' | 'clock' | 'world' | 'faultSchedule' | 'trace' | 'random'>) {
    this.settings = parts.settings;
    this.clock = parts.clock;
    this.world = parts.world;
    this.faultSchedule = parts.faultSchedule;
    this.trace = parts.trace;
    this.random = parts.random;
  }

  /** The first one; what comes after it is its consequence. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  violate(rule: string, message: string): void {
    if (this.#violation !== undefined) return;
    this.#violation = { rule, message, atMs: this.clock.monotonic() };
    this.trace.say('VIOLATION', `${rule}: ${message}`);
  }

  has(fault: Fault): boolean {
    return !this.calm && this.settings.faults.has(fault);
  }

  /** Runs `work` as `actor`. Work is synchronous up to its effect, so nobody else's write comes between. */
  as<T>(actor: string, work: () => T): T {
    const before = this.actor;
    this.actor = actor;
    try {
      return work();
    } finally {
      this.actor = before;
    }
  }

  /** Calls `act` after pauses of `meanMs` on average for as long as `going` says so. */
  every(random: SeededRandom, meanMs: number, going: () => boolean, act: () => void): void {
    const next = () =>
      this.clock.schedule(1_000 + random.wait(meanMs), () => {
        if (!going()) return;
        act();
        next();
      });
    next();
  }
}

export function isOperator(actor: string): boolean {
  return actor.startsWith('op');
}
