/** Declarations: every metric says what it is once, to Prometheus and to the reference page alike. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export const PREFIX = 'enclave_operator_';

/** The values each label may take. No set grows with the fleet. */
export type LabelSets = Readonly<Record<string, readonly string[]>>;

type Labels<L extends LabelSets> = { readonly [K in keyof L]: L[K][number] };

interface Declaration<L extends LabelSets> {
  /** Without the prefix. */
  readonly name: string;
  readonly help: string;
  /** `seconds`, `tokens`, or what is counted. */
  readonly unit: string;
  readonly labels: L;
  /** @default 'stable' */
  readonly stability?: 'stable' | 'experimental';
  /** Why no panel and no alert uses it. @default undefined: one does */
  readonly unusedBecause?: string;
}

export interface Described {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly unit: string;
  readonly labels: Readonly<Record<string, readonly string[] | 'open'>>;
  readonly stability: 'stable' | 'experimental';
  readonly unusedBecause?: string;
}

interface CounterDeclaration<L extends LabelSets> extends Declaration<L> {
  /** Combinations that occur. @default all */
  readonly occurs?: (labels: Labels<L>) => boolean;
}

interface HistogramDeclaration<L extends LabelSets> extends Declaration<L> {
  readonly buckets: readonly number[];
}

type Values<L extends LabelSets> = readonly (readonly [labels: Labels<L>, value: number])[];

/** All that is declared in one registry. */
export class Declarations {
  readonly registry: Registry;
  readonly described: Described[] = [];

  constructor(registry: Registry) {
    this.registry = registry;
  }

  /** Begins at 0 in every combination that occurs, so that the first increase is seen as one. */
  counter<const L extends LabelSets>(declaration: CounterDeclaration<L>): (labels: Labels<L>, by?: number) => void {
    const counter = new Counter(this.#describe('counter', declaration));
    const { occurs = () => true } = declaration;
    for (const labels of combinations(declaration.labels)) if (occurs(labels)) counter.inc(labels, 0);
    return (labels, by = 1) => counter.inc(labels, by);
  }

  histogram<const L extends LabelSets>(
    declaration: HistogramDeclaration<L>,
  ): (labels: Labels<L>, value: number) => void {
    const histogram = new Histogram({
      ...this.#describe('histogram', declaration),
      buckets: [...declaration.buckets],
    });
    for (const labels of combinations(declaration.labels)) histogram.zero(labels);
    // A wall clock that was set back must not take from the sum.
    return (labels, value) => histogram.observe(labels, Math.max(0, value));
  }

  /** Read at each scrape; what is not among the values is not exported, and `undefined` exports nothing at all. */
  gauge<const L extends LabelSets>(declaration: Declaration<L>, read: () => Values<L> | undefined): void {
    new Gauge({
      ...this.#describe('gauge', declaration),
      collect() {
        this.reset();
        const values = read();
        if (values === undefined) {
          // Without labels a reset leaves a 0 behind.
          if (Object.keys(declaration.labels).length === 0) this.remove();
          return;
        }
        for (const [labels, value] of values) this.set(labels, value);
      },
    });
  }

  /** A gauge whose labels name single enclaves: capped by whoever reads it out. */
  openGauge(
    declaration: Omit<Declaration<LabelSets>, 'labels'> & { readonly labels: readonly string[] },
    read: () => Iterable<Readonly<Record<string, string>>>,
  ): void {
    const { labels, ...rest } = declaration;
    const described = this.#describe('gauge', { ...rest, labels: {} });
    this.described[this.described.length - 1] = {
      ...(this.described.at(-1) as Described),
      labels: Object.fromEntries(labels.map((label) => [label, 'open' as const])),
    };
    new Gauge({
      ...described,
      labelNames: [...labels],
      collect() {
        this.reset();
        for (const each of read()) this.set(each, 1);
      },
    });
  }

  #describe<L extends LabelSets>(type: Described['type'], declaration: Declaration<L>) {
    const name = `${PREFIX}${declaration.name}`;
    const { help, unit, labels, stability = 'stable', unusedBecause } = declaration;
    const unused = unusedBecause === undefined ? {} : { unusedBecause };
    this.described.push({ name, type, help, unit, labels, stability, ...unused });
    return { name, help, labelNames: Object.keys(labels), registers: [this.registry] };
  }
}

/** Every combination of the labels' values; one, empty, where there are none. */
function combinations<L extends LabelSets>(sets: L): readonly Labels<L>[] {
  let all: readonly Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(sets)) {
    all = all.flatMap((known) => values.map((value) => ({ ...known, [label]: value })));
  }
  return all as readonly Labels<L>[];
}
