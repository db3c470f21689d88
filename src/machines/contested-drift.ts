/** Conflicting drift: what comes back again and again after its repair, because another writer keeps changing it. */
import { type Drift, readDrift, repairNames } from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import { elapsed } from './context.ts';

/** How often one drift may be repaired within an hour. */
const REPAIRS_AN_HOUR = 2;
const HOUR_MS = 60 * 60_000;
/** Older ones are of no attribute that is still in conflict. */
const MOST_REPAIRS_KEPT = 40;

type RecentRepairs = NonNullable<Lifecycle['healed']>;

/** Repairs of the last hour, newest last. */
function recentRepairs({ healed = [] }: Pick<Lifecycle, 'healed'>, now: number): RecentRepairs {
  return healed.filter(({ at }) => elapsed(at, now) < HOUR_MS);
}

/** Repairs that helped are remembered for as long as it matters whether the drift comes back. */
export function trackRepaired(lifecycle: Lifecycle, names: readonly string[], now: number): Lifecycle {
  const at = new Date(now).toISOString();
  const healed = [...recentRepairs(lifecycle, now), ...names.map((fingerprint) => ({ fingerprint, at }))];
  return { ...lifecycle, healed: healed.slice(-MOST_REPAIRS_KEPT) };
}

/** When the first of the repairs was after which it came back, ms; undefined where it did not come back that often. */
export function conflictingSince(lifecycle: Pick<Lifecycle, 'healed'>, name: string, now: number): number | undefined {
  const same = recentRepairs(lifecycle, now).filter(({ fingerprint }) => fingerprint === name);
  const [first] = same.slice(-REPAIRS_AN_HOUR);
  return first === undefined || same.length < REPAIRS_AN_HOUR ? undefined : Date.parse(first.at);
}

/**
 * Until when the operator leaves this drift to the other writer, ms; undefined where any of it did not come back that
 * often. An enclave that dies again and again is no conflict: its later repair steps may help.
 */
export function conflictingUntil(
  { healed, drift: item }: Pick<Lifecycle, 'healed' | 'drift'>,
  now: number,
): number | undefined {
  const drift: Drift | undefined = readDrift(item);
  if (drift === undefined || drift.kind === 'report') return undefined;
  const times = repairNames(drift).map((name) => conflictingSince(healed === undefined ? {} : { healed }, name, now));
  const known = times.filter((time) => time !== undefined);
  return known.length < times.length ? undefined : Math.min(...known) + HOUR_MS;
}
