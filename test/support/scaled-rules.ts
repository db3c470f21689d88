/** Alert rules on a faster clock: every duration in them divided by one factor. */

export interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly interval?: string; readonly rules: readonly Rule[] }[];
}

const UNITS_MS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5, y: 31_536e6 } as const;
const DURATION = /(?:\d+(?:ms|[smhdwy]))+/g;
/** What may hold a duration, and what holds none whatever it looks like: a text. */
const PLACES = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\[[^\]]*\]|\boffset\s+-?\w+/g;

/**
 * A copy in which `for`, intervals, windows, steps of subqueries and offsets are shorter by the factor.
 *
 * *Caveats*: what is compared with a metric is a value, and stays.
 */
export function scaledRules<F extends RuleFile>({ groups, ...rest }: F, factor: number): F {
  const shorter = (text: string) => text.replace(DURATION, (duration) => scaledDuration(duration, factor));
  const of = <K extends string>(key: K, value: string | undefined) =>
    value === undefined ? {} : { [key]: shorter(value) };
  const scaled = groups.map((group) => ({
    ...group,
    ...of('interval', group.interval),
    rules: group.rules.map((rule) => ({
      ...rule,
      expr: rule.expr.replace(PLACES, (place) => (/^["'`]/.test(place) ? place : shorter(place))),
      ...of('for', rule.for),
      ...of('keep_firing_for', rule.keep_firing_for),
    })),
  }));
  return { ...rest, groups: scaled } as unknown as F;
}

/** In ms, as Prometheus has no shorter unit; what was longer than 0 stays so. */
function scaledDuration(duration: string, factor: number): string {
  let ms = 0;
  for (const [, count, unit] of duration.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    ms += Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  }
  return ms === 0 ? '0s' : `${Math.max(1, Math.round(ms / factor))}ms`;
}
