/** Metrics of the fleet: what is, told by the leader alone, and what became of it. */
import { CONDITION_TYPES, type ConditionType } from '../../enclave/conditions.ts';
import { PHASES, type Phase } from '../../enclave/items/lifecycle.ts';
import type { Declarations } from './declare.ts';

export const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;
/** What differs: the host, the enclave on it, or what only a plan sees. `secure`: something weakens the enclave. */
export const FINDINGS = ['host', 'enclave', 'secure', 'other'] as const;
/** `low`: debug mode that the spec asks for. */
export const SEVERITIES = ['low', 'warning', 'security'] as const;

/** What stands in the fleet at one instant. */
export interface FleetSurvey {
  readonly phases: readonly { readonly phase: Phase; readonly count: number; readonly oldestSince: number }[];
  readonly conditions: readonly {
    readonly type: ConditionType;
    readonly status: (typeof CONDITION_STATUSES)[number];
    readonly count: number;
  }[];
  /** Enclaves that differ. */
  readonly drift: Readonly<Record<'host' | 'enclave' | 'other', number>>;
  /** Enclaves with `Secure=False`, but for adopted hosts without an agent; `low`: their specs ask for debug mode. */
  readonly weaknesses: Readonly<Record<'security' | 'low', number>>;
}

/** What a leader reads out at a scrape. */
export interface FleetSource {
  /** Wall time, ms. */
  now(): number;
  /** Undefined until the fleet was listed. */
  survey(): FleetSurvey | undefined;
  /** Enclaves for `enclave_info`: as many as are allowed. */
  info(): Iterable<{ readonly enclave: string; readonly phase: Phase }>;
  openBreakers(): number;
  orphans(): number;
  /** Enclaves whose last four or more reconciles in a row conflicted. */
  conflicting(): number;
  /** Undefined until the fleet was listed. */
  deletionsHeld(): number | undefined;
}

export interface FleetInstruments {
  /** From now on the fleet is read here; undefined: this process does not lead, and exports nothing of it. */
  source(source: FleetSource | undefined): void;
  moved(from: Phase | 'none', to: Phase): void;
  ready(seconds: number): void;
  destroyed(seconds: number): void;
}

/** Minutes to hours: a deploy takes some minutes, a KMS key's end much longer. */
const LIFE_BUCKETS = [30, 60, 120, 180, 300, 420, 600, 900, 1_800, 3_600, 14_400];

export function fleetMetrics(declare: Declarations): FleetInstruments {
  let source: FleetSource | undefined;
  declare.gauge({ name: 'enclaves', help: 'Enclaves by phase.', unit: 'enclaves', labels: { phase: PHASES } }, () =>
    source?.survey()?.phases.map(({ phase, count }) => [{ phase }, count] as const),
  );
  declare.gauge(
    {
      name: 'conditions',
      help: 'Enclaves by condition and its status.',
      unit: 'enclaves',
      labels: { type: CONDITION_TYPES, status: CONDITION_STATUSES },
    },
    () => source?.survey()?.conditions.map(({ type, status, count }) => [{ type, status }, count] as const),
  );
  declare.gauge(
    {
      name: 'oldest_in_phase_seconds',
      help: 'How long the enclave that has been in a phase longest has been there; 0 where none is.',
      unit: 'seconds',
      labels: { phase: PHASES },
    },
    () => {
      const now = source?.now() ?? 0;
      return source
        ?.survey()
        ?.phases.map(
          ({ phase, oldestSince }) => [{ phase }, Math.max(0, (now - Math.min(now, oldestSince)) / 1_000)] as const,
        );
    },
  );
  declare.gauge(
    {
      name: 'drift_findings',
      help: 'Enclaves that differ from what they should be, by what differs.',
      unit: 'enclaves',
      labels: { attribute: FINDINGS, severity: SEVERITIES },
    },
    () => {
      const survey = source?.survey();
      if (survey === undefined) return undefined;
      const { drift, weaknesses } = survey;
      const differing = FINDINGS.filter((attribute) => attribute !== 'secure').map(
        (attribute) => [{ attribute, severity: 'warning' as const }, drift[attribute]] as const,
      );
      const weakened = (['security', 'low'] as const).map(
        (severity) => [{ attribute: 'secure' as const, severity }, weaknesses[severity]] as const,
      );
      return [...differing, ...weakened];
    },
  );
  declare.gauge(
    { name: 'breaker_open', help: 'Regions in which repairs are stopped.', unit: 'regions', labels: {} },
    () => (source === undefined ? undefined : [[{}, source.openBreakers()]]),
  );
  declare.gauge(
    {
      name: 'orphans',
      help: 'Hosts with our tags that are of no enclave, and enclaves that nobody knows of which something else is left.',
      unit: 'orphans',
      labels: {},
    },
    () => (source === undefined ? undefined : [[{}, source.orphans()]]),
  );
  declare.gauge(
    {
      name: 'enclaves_conflicting',
      help: 'Enclaves whose last four or more reconciles in a row conflicted.',
      unit: 'enclaves',
      labels: {},
    },
    () => (source === undefined ? undefined : [[{}, source.conflicting()]]),
  );
  declare.gauge(
    {
      name: 'deletions_held',
      help: 'Enclaves whose records vanished and that are kept, as so many did at once, until somebody confirms it.',
      unit: 'enclaves',
      labels: {},
    },
    () => {
      const held = source?.deletionsHeld();
      return held === undefined ? undefined : [[{}, held]];
    },
  );
  declare.openGauge(
    {
      name: 'enclave_info',
      help: '1 for each enclave, with its phase; only where `enclaveInfoMax` allows it, and no more than that many.',
      unit: 'enclaves',
      labels: ['enclave', 'phase'],
      stability: 'experimental',
      unusedBecause: 'it names enclaves, for queries of your own, and is off unless it is asked for',
    },
    () => source?.info() ?? [],
  );
  const moved = declare.counter({
    name: 'transitions_total',
    help: 'Changes of phase. `none`: the enclave was new.',
    unit: 'transitions',
    labels: { from: ['none', ...PHASES], to: PHASES },
    occurs: ({ from, to }) => from !== to,
  });
  const ready = declare.histogram({
    name: 'time_to_ready_seconds',
    help: 'From the command until the enclave was ready, of enclaves that did not serve before.',
    unit: 'seconds',
    labels: {},
    buckets: LIFE_BUCKETS,
  });
  const destroyed = declare.histogram({
    name: 'time_to_destroy_seconds',
    help: 'From the command, or from when the record was found missing, until everything was gone.',
    unit: 'seconds',
    labels: {},
    buckets: LIFE_BUCKETS,
  });
  return {
    source(next) {
      source = next;
    },
    moved: (from, to) => moved({ from, to }),
    ready: (seconds) => ready({}, seconds),
    destroyed: (seconds) => destroyed({}, seconds),
  };
}
