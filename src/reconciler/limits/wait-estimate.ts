/** Wait estimate: how long a run waits for a slot. */

export interface WaitEstimate {
  /** Enclaves that are served before. */
  readonly ahead: number;
  /** Creations among them; 0 where this is none. */
  readonly creations: number;
  /** How many begin a second; undefined: nothing is known yet. */
  readonly perSecond: number | undefined;
  /** Runs in flight of the same wallet, where its cap is what it waits for. */
  readonly ownRuns: number | undefined;
}

/** How much the newest run weighs in the mean. */
const WEIGHT = 0.2;

/** The mean duration of runs, and what it lets through. */
export class RunDurations {
  #meanMs: number | undefined;

  ended(durationMs: number): void {
    this.#meanMs = this.#meanMs === undefined ? durationMs : this.#meanMs + WEIGHT * (durationMs - this.#meanMs);
  }

  /** Runs that begin a second with `slots` at a time, no faster than `pace` (0: unpaced); undefined: not known. */
  rate(slots: number, pace: number): number | undefined {
    const bySlots = this.#meanMs === undefined || this.#meanMs === 0 ? undefined : (slots * 1_000) / this.#meanMs;
    if (pace === 0) return bySlots;
    return bySlots === undefined ? pace : Math.min(pace, bySlots);
  }
}

/** The sentence the record shows. Rounded, so that it changes only when there is something new to say. */
export function waitEstimateText({ ahead, creations, perSecond, ownRuns }: WaitEstimate): string {
  const waiting = 'waiting for a free run slot';
  if (ownRuns !== undefined) return `${waiting}: ${ownRuns} runs of this wallet are under way, as many as it may have`;
  if (ahead === 0) return `${waiting}: next in line`;
  const queue = creations === ahead ? plural(rounded(ahead), 'creation') : plural(rounded(ahead), 'run');
  if (perSecond === undefined) return `${waiting}: ${queue} ahead`;
  return `${waiting}: ${about((ahead + 1) / perSecond)}: ${queue} ahead, ${rateText(perSecond)}`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun} is` : `${count} ${noun}s are`;
}

function rounded(count: number): number {
  return count < 20 ? count : Number(count.toPrecision(2));
}

function rateText(perSecond: number): string {
  return perSecond < 0.1
    ? `${Number((perSecond * 60).toPrecision(1))} a minute`
    : `${Number(perSecond.toPrecision(1))} a second`;
}

function about(seconds: number): string {
  if (seconds < 60) return 'less than a minute';
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `about ${minutes} minute${minutes === 1 ? '' : 's'}`;
  return `about ${Math.round(minutes / 60)} hours`;
}
