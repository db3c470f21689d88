/** Fleet statistics: the counts of all enclaves, kept in memory so that a scrape reads no table. */
import { namesOfDrift } from '../../drift/index.ts';
import { CONDITION_TYPES, type ConditionType, conditionOf, isSecurityFinding } from '../../enclave/conditions.ts';
import { type ListedLifecycle, PHASES, type Phase } from '../../enclave/items/lifecycle.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { FleetSurvey } from '../metrics/fleet.ts';

const STATUSES = ['True', 'False', 'Unknown'] as const;
/** Bits of one condition in {@link Standing.conditions}: 0 where it is not there, else one more than its status' place. */
const BITS = 2;

/** Numbers, not texts: every text would be kept a hundred thousand times. */
interface Standing {
  readonly phase: number;
  /** Wall time, ms. */
  readonly since: number;
  readonly conditions: number;
  /** `security`: a finding the spec does not ask for; `low`: debug mode the spec asks for. */
  readonly weakness: 'security' | 'low' | undefined;
  readonly drift: 'host' | 'enclave' | 'other' | undefined;
}

/**
 * Follows lifecycles as they are listed and committed.
 *
 * *Guarantees*: a survey costs one pass over the fleet, and none where nothing has changed since the last.
 */
export class FleetStatistics implements LifecycleListener {
  readonly #standings = new Map<string, Standing>();
  #survey: FleetSurvey | undefined;

  get size(): number {
    return this.#standings.size;
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    this.#survey = undefined;
    this.#standings.set(id, standingOf(lifecycle));
  }

  onDelete(id: string): void {
    this.#survey = undefined;
    this.#standings.delete(id);
  }

  survey(): FleetSurvey {
    this.#survey ??= this.#count();
    return this.#survey;
  }

  /** The first `limit` enclaves, in the order they became known. */
  *some(limit: number): IterableIterator<{ readonly enclave: string; readonly phase: Phase }> {
    let left = limit;
    for (const [enclave, { phase }] of this.#standings) {
      if (left-- <= 0) return;
      yield { enclave, phase: PHASES[phase] as Phase };
    }
  }

  #count(): FleetSurvey {
    const phases = PHASES.map((phase) => ({ phase, count: 0, oldestSince: Number.POSITIVE_INFINITY }));
    const statuses = CONDITION_TYPES.map(() => [0, 0, 0, 0]);
    const drift = { host: 0, enclave: 0, other: 0 };
    const weaknesses = { security: 0, low: 0 };
    for (const standing of this.#standings.values()) {
      const phase = phases[standing.phase];
      if (phase !== undefined) {
        phase.count += 1;
        if (standing.since < phase.oldestSince) phase.oldestSince = standing.since;
      }
      if (standing.drift !== undefined) drift[standing.drift] += 1;
      let bits = standing.conditions;
      for (const counts of statuses) {
        const status = bits & 3;
        counts[status] = (counts[status] ?? 0) + 1;
        bits >>>= BITS;
      }
      if (standing.weakness !== undefined) weaknesses[standing.weakness] += 1;
    }
    const conditions = CONDITION_TYPES.flatMap((type: ConditionType, n) =>
      STATUSES.map((status, place) => ({ type, status, count: statuses[n]?.[place + 1] ?? 0 })),
    );
    return { phases, conditions, drift, weaknesses };
  }
}

function standingOf({ phase, phaseSince, conditions, drift, teardown }: ListedLifecycle): Standing {
  const standing = { phase: PHASES.indexOf(phase), since: Date.parse(phaseSince) };
  // The conditions of a destroyed enclave describe the time before its destruction.
  if (phase === 'destroyed' || (phase === 'destroying' && teardown !== undefined)) {
    return { ...standing, conditions: 0, weakness: undefined, drift: undefined };
  }
  let bits = 0;
  for (const { type, status } of conditions) {
    const at = CONDITION_TYPES.indexOf(type as ConditionType);
    if (at >= 0) bits |= (STATUSES.indexOf(status) + 1) << (BITS * at);
  }
  const secure = conditionOf(conditions, 'Secure');
  return {
    ...standing,
    conditions: bits,
    weakness: weaknessOf(secure),
    drift: kindOf(drift, conditions),
  };
}

function weaknessOf(secure: ReturnType<typeof conditionOf>): Standing['weakness'] {
  if (isSecurityFinding(secure)) return 'security';
  return secure?.status === 'False' && secure.reason === 'DebugRequested' ? 'low' : undefined;
}

/** Of what is repaired, its name; of what is only told, the name that the condition begins with. */
function kindOf(drift: ListedLifecycle['drift'], conditions: ListedLifecycle['conditions']): Standing['drift'] {
  const inSync = conditionOf(conditions, 'InSync');
  const told = inSync?.status === 'False' && inSync.reason === 'Drifted' ? inSync.message : undefined;
  const name = drift === undefined ? told : (namesOfDrift(drift)[0] ?? '');
  if (name === undefined) return undefined;
  const [kind] = name.split('.', 1);
  return kind === 'host' || kind === 'enclave' ? kind : 'other';
}
