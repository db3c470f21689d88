/** Plan schedule: when an enclave's next plan is due, and whose is due now. */
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../ports/index.ts';

/** A new enclave's first plan comes within this part of the interval, wherever in it. */
const FIRST_WITHIN = 0.8;
const JITTER = 0.2;
/** Plans that fail are made ever more seldom, up to this many intervals. */
const MOST_INTERVALS = 7;
/** A run that was lost says nothing of the enclave: tried again soon, then ever later. */
const LOST_PART = 1 / 24;
/** What nobody could carry out within this time is not asked for any more. */
const ASKED_MS = 60 * 60_000;

/** FNV-1a, in [0, 1): the same for the same text, in every process. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  // Its upper bits alone are as good as random for texts that differ in their last character.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** At rest, and applied as it is wanted: a plan that differs has found something. */
function isAtRest(lifecycle: ListedLifecycle): boolean {
  const { phase, desired, run, drift, generation, observedGeneration, adopted, pinned } = lifecycle;
  // The state of a host that was taken over is read by nobody before a run has prepared it.
  const prepared = !adopted || pinned.legacy !== undefined;
  const applied = observedGeneration > 0 && generation === observedGeneration && lifecycle.snapshot !== undefined;
  return phase === 'ready' && desired === 'Running' && run === undefined && drift === undefined && prepared && applied;
}

/**
 * Wall time, ms; undefined: none is due as things stand, or plan runs are off. Computed from the lifecycle alone, so that
 * a restart plans nothing early.
 */
export function planDueAt(lifecycle: ListedLifecycle, everyMs: number): number | undefined {
  if (everyMs === 0 || !isAtRest(lifecycle)) return undefined;
  const { id, planned, ranAt, commandAt } = lifecycle;
  const known = [planned?.at, ranAt].filter((time) => time !== undefined).map((time) => Date.parse(time));
  const since = known.length === 0 ? Date.parse(commandAt) : Math.max(...known);
  const chance = fraction(`${id} ${since}`);
  if (planned === undefined) return since + chance * FIRST_WITHIN * everyMs;
  const spread = 1 - JITTER + 2 * JITTER * chance;
  const times = planned.failures === 0 ? 1 : Math.min(MOST_INTERVALS, 2 ** Math.min(30, planned.failures - 1));
  const part = planned.lost ? Math.min(1, LOST_PART * times) : times;
  return since + spread * part * everyMs;
}

/** Whether somebody waits for a plan of it, and one can be made. */
export function isPlanAsked(lifecycle: ListedLifecycle, now: number): boolean {
  const { planAsked, run, desired, phase, adopted, pinned } = lifecycle;
  if (planAsked === undefined || run !== undefined || desired === 'Absent' || phase === 'destroyed') return false;
  return now - Date.parse(planAsked.at) < ASKED_MS && (!adopted || pinned.legacy !== undefined);
}

/** If fewer enclaves are due than a run takes, they wait for others for this part of the interval. */
export const WAIT_PART = 1 / 24;

export interface PlanScheduleOptions {
  readonly clock: Clock;
  readonly config: Pick<Config, 'driftEveryMs' | 'driftRunSize'>;
}

/** Keeps, of every enclave that was listed or committed, when its next plan is due. */
export class PlanSchedule {
  readonly #options: PlanScheduleOptions;
  readonly #due = new Map<string, number>();
  readonly #requested = new Set<string>();
  /** Revisions of which nothing is to be planned, whatever is due. */
  readonly #skipped = new Map<string, number>();

  constructor(options: PlanScheduleOptions) {
    this.#options = options;
  }

  /** True while a person waits for a plan. */
  get hasRequests(): boolean {
    return this.#requested.size > 0;
  }

  /** Returns true if a person waits for a plan of this enclave. */
  onUpsert(id: string, lifecycle: ListedLifecycle): boolean {
    const { clock, config } = this.#options;
    this.drop(id);
    const dueAt = planDueAt(lifecycle, config.driftEveryMs);
    if (this.#skipped.get(id) === lifecycle.revision) return false;
    if (dueAt !== undefined) this.#due.set(id, dueAt);
    if (!isPlanAsked(lifecycle, clock.now())) return false;
    this.#requested.add(id);
    return true;
  }

  onDelete(id: string): void {
    this.drop(id);
    this.#skipped.delete(id);
  }

  /** Nothing is due of it until it is listed or committed again. */
  drop(id: string): void {
    this.#due.delete(id);
    this.#requested.delete(id);
  }

  /** Nothing is due of it for as long as this revision stands. */
  skip(id: string, revision: number): void {
    this.drop(id);
    this.#skipped.set(id, revision);
  }

  /** Enclaves of which a person waits for a plan, as many as a run takes. */
  requested(busy: ReadonlySet<string>): readonly string[] {
    return [...this.#requested].filter((id) => !busy.has(id)).slice(0, this.#options.config.driftRunSize);
  }

  /** Enclaves whose plan is due, the oldest first; none if they are fewer than a run takes and may still wait. */
  due(busy: ReadonlySet<string>): readonly string[] {
    const { config, clock } = this.#options;
    const now = clock.now();
    const due: [string, number][] = [];
    // Most of a fleet is not due, and this passes over all of it.
    for (const entry of this.#due) if (entry[1] <= now && !busy.has(entry[0])) due.push(entry);
    due.sort(([, a], [, b]) => a - b);
    const waitedMs = now - (due[0]?.[1] ?? now);
    const isRipe = due.length >= config.driftRunSize || waitedMs >= config.driftEveryMs * WAIT_PART;
    return due.length > 0 && isRipe ? due.slice(0, config.driftRunSize).map(([id]) => id) : [];
  }
}
