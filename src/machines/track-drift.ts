/** Noting drift: what a look adds to what is remembered of a difference, and when it is over. */
import {
  attemptsKey,
  type Drift,
  isSameDrift,
  readDrift,
  repairNames,
  storedAttemptsKey,
  writeDrift,
} from '../drift/index.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import { omit } from '../enclave/omit.ts';
import { trackRepaired } from './contested-drift.ts';
import { type Context, canDrift } from './context.ts';
import {
  driftOf,
  driftSeenAt,
  isConfigurationDrift,
  isRestOf,
  securityFindingsOf,
  settledAttributes,
} from './drift.ts';

/** Of what is not compared by rule, and not merely unseen, nothing found before stands. */
export function withoutFindings(lifecycle: Lifecycle): Lifecycle {
  const { findings, weakened, ...rest } = lifecycle;
  const isTracked = isConfigurationDrift(lifecycle);
  if (findings === undefined && weakened === undefined && !isTracked) return lifecycle;
  if (!isTracked) return rest;
  return omit(rest, 'drift', 'nextAttemptAt');
}

export function trackSecurityFindings(context: Context): Lifecycle {
  const { weakened: before, ...lifecycle } = context.lifecycle;
  const weakened = securityFindingsOf(context);
  if (weakened.length === 0) return before === undefined ? context.lifecycle : lifecycle;
  return { ...lifecycle, weakened: [...weakened] };
}

/** Counts observations of one drift; forgets one that is over. */
export function trackDrift(context: Context): Lifecycle {
  const { lifecycle, assessment } = context;
  const { now, limits } = assessment;
  const { drift } = lifecycle;
  const found = driftOf(context);
  if (found === undefined) return noteEnd(context);
  const observedAt = driftSeenAt(context);
  const known = readDrift(drift);
  if (drift === undefined || !isRestOf(found, known)) {
    // What an enclave reports is given its own time to pass by itself, whatever differed before.
    const since = (found.kind === 'report' ? undefined : drift?.since) ?? new Date(now).toISOString();
    const left = known?.kind === 'attributes' ? noteMended(context) : lifecycle;
    const other = { ...left, drift: { ...writeDrift(found), seen: 1, since, observedAt } };
    // The pause was before another try at what differed before.
    if (lifecycle.phase === 'ready') delete other.nextAttemptAt;
    return other;
  }
  const rest = isSameDrift(found, known) ? lifecycle : noteRest(context, found);
  // Two sweeps may look at one report: what an enclave reports must still stand a while later.
  const gapMs = found.kind === 'report' ? limits.observeMs : 0;
  const again = drift.seen < 2 && isLater(observedAt, drift.observedAt, gapMs, now);
  return again ? { ...rest, drift: { ...drift, ...writeDrift(found), seen: drift.seen + 1, observedAt } } : rest;
}

/** Some of it has healed; the attempts were at what is left as well. */
function noteRest(context: Context, found: Drift): Lifecycle {
  const { drift, attempts, tried } = context.lifecycle;
  const mended = noteMended(context);
  if (drift === undefined) return mended;
  const rest = { ...mended, drift: { ...drift, ...writeDrift(found) } };
  const [key, next] = [storedAttemptsKey(drift), attemptsKey(found)];
  if (attempts.key === key) return { ...rest, attempts: { ...attempts, key: next } };
  const { [key]: count, ...others } = tried ?? {};
  return count === undefined ? rest : { ...rest, tried: { ...others, [next]: count } };
}

/** Nothing differs in this look: the drift is over where the look shows all of it. */
function noteEnd(context: Context): Lifecycle {
  const { lifecycle, assessment } = context;
  const { host, enclave, findings } = assessment;
  const { drift } = lifecycle;
  if (drift === undefined) return lifecycle;
  const matches =
    host.verdict === 'Match' &&
    (lifecycle.desired !== 'Running' || enclave.verdict === 'Match' || enclave.reason === 'LegacyHost');
  // Of a host that one look missed, what runs on it says nothing; where it was repaired, it says whether that has helped.
  const known = readDrift(drift);
  const misseen = lifecycle.phase === 'ready' && drift.seen < 2 && known?.kind === 'host' && host.verdict === 'Match';
  const isOver =
    known?.kind === 'attributes'
      ? settledAttributes(known.attributes, findings).length === known.attributes.length
      : matches;
  const healed = isOver || misseen;
  if (!healed && canDrift(lifecycle)) return lifecycle;
  const rest = omit(healed ? noteMended(context) : lifecycle, 'drift');
  if (lifecycle.phase !== 'ready') return rest;
  // What was given up has healed by itself.
  return omit(rest, 'failure', 'nextAttemptAt');
}

/**
 * What a repair was tried for, and is over now: remembered by its name, for whether it comes back. Where nothing of it
 * is left, the repair has cured it, and its attempts are history: what comes back is held back as contested, not as
 * something that no step cures. An enclave that dies again and again climbs on.
 */
function noteMended({ lifecycle, assessment }: Context): Lifecycle {
  const { attempts } = lifecycle;
  const drift = readDrift(lifecycle.drift);
  if (drift === undefined || attempts.key !== attemptsKey(drift) || attempts.count === 0) return lifecycle;
  const all = repairNames(drift);
  const mended = drift.kind === 'attributes' ? settledAttributes(drift.attributes, assessment.findings) : all;
  if (mended.length === 0) return lifecycle;
  const noted = trackRepaired(lifecycle, mended, assessment.now);
  const isCured = mended.length === all.length && drift.kind !== 'report';
  return isCured ? { ...noted, attempts: { key: '', count: 0 } } : noted;
}

/** An observation newer than the one that is remembered; one remembered from the future was of a clock that was wrong. */
export function isLater(observedAt: number, remembered: number, gapMs: number, now: number): boolean {
  return observedAt > remembered + gapMs || remembered > now;
}
