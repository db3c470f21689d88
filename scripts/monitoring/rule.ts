/** What an alert is: its rule, the cases that prove it, and its runbook. */

export interface Series {
  /** As in Prometheus' text format, without the labels of the place. */
  readonly series: string;
  /** In the notation of `promtool test rules`, one value a minute. */
  readonly values: string;
}

export interface Alert {
  readonly name: string;
  readonly severity: 'critical' | 'warning';
  readonly expr: string;
  readonly for: string;
  readonly summary: string;
  readonly description: string;
  /** Labels of the alert beside the place. @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** True where no series is left that could tell the place. @default false */
  readonly placeless?: boolean;
  /** When it is looked at; until then every alert is evaluated once a minute. @default '40m' */
  readonly at?: string;
  readonly fires: readonly Series[];
  readonly silent: readonly Series[];
  readonly runbook: {
    readonly meaning: string;
    readonly impact: string;
    /** Shell commands, one an entry. */
    readonly look: readonly string[];
    readonly fix: readonly string[];
    readonly prevent: string;
  };
}

/** Labels that the configuration of the scrape adds. */
export const PLACE = 'environment, region';
export const BY = `by (${PLACE})`;

/** Phases of enclaves that should be ready by now. */
export const RUNNING = 'phase!~"observing|pending|provisioning|pausing|paused|destroying|destroyed|invalid"';

/** A constant series of more than two hours. */
export const constant = (series: string, value: number): Series => ({ series, values: `${value}x400` });
/** A counter that grows by `step` a minute. */
export const growing = (series: string, step: number): Series => ({ series, values: `0+${step}x400` });
