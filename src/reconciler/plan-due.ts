/** When an enclave's next plan is due. Pure: computed from what is remembered alone, so that a restart plans nothing early. */
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';

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

/** Wall time, ms; undefined: none is due as things stand, or drift runs are off. */
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
