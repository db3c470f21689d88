/** A panel as a dashboard lists it, and the queries that most panels are made of. */

export interface Panel {
  readonly title: string;
  readonly description: string;
  /** One of Grafana's ids of units. */
  readonly unit: string;
  /** One number now, or lines over time. @default 'lines' */
  readonly shown?: 'now' | 'lines';
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
  /** What stands where there are no data. @default 'Nothing yet' */
  readonly empty?: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly panels: readonly Panel[];
}

const PLACE = 'environment=~"$environment",region=~"$region"';

/** A series of the operator, in the places chosen. */
export const of = (name: string, labels?: string) =>
  `enclave_operator_${name}{${labels === undefined ? '' : `${labels},`}${PLACE}}`;
/** A series of Node's own. */
export const node = (name: string) => `${name}{job="enclave-operator",${PLACE}}`;

const by = (label?: string) => (label === undefined ? '' : ` by (${label})`);

export const sum = (name: string, label?: string, labels?: string) => ({
  expr: `sum${by(label)} (${of(name, labels)})${label === undefined ? ' or vector(0)' : ''}`,
  legend: label === undefined ? name : `{{${label}}}`,
});

export const max = (name: string, label?: string) => ({
  expr: `max${by(label)} (${of(name)})`,
  legend: label === undefined ? name : `{{${label}}}`,
});

export const rate = (name: string, label?: string) => ({
  expr: `sum${by(label)} (rate(${of(name)}[$__rate_interval]))`,
  legend: label === undefined ? name : `{{${label}}}`,
});

export const increase = (name: string, label?: string, labels?: string) => ({
  expr: `sum${by(label)} (increase(${of(name, labels)}[1h]))`,
  legend: label === undefined ? name : `{{${label}}}`,
});

/** Median and 95th percentile of a histogram; of an hour, as most of these events are rare. */
export const quantiles = (name: string, label?: string) =>
  [0.5, 0.95].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le${label === undefined ? '' : `, ${label}`}) (rate(${of(`${name}_bucket`)}[1h])))`,
    legend: `${label === undefined ? '' : `{{${label}}} `}p${quantile * 100}`,
  }));
