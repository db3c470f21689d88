/** Where metrics are used: panels of dashboards and alerts, found by name. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Use } from '../src/reconciler/metrics/reference.ts';

const FOLDER = new URL('../dashboards/', import.meta.url);
/** What Prometheus adds to the name of a histogram. */
const SUFFIX = /_(bucket|sum|count)$/;

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

/** Every use of one of `metrics`, each place once. */
export function metricUses(metrics: readonly string[]): readonly Use[] {
  const known = new Set(metrics);
  const uses = new Map<string, Use>();
  const found = (text: string, where: string) => {
    for (const [name] of text.matchAll(/enclave_operator_[a-z0-9_]+/g)) {
      const metric = known.has(name) ? name : name.replace(SUFFIX, '');
      if (known.has(metric)) uses.set(`${metric} ${where}`, { metric, where });
    }
  };
  for (const file of dashboards()) {
    const { title, panels } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
    for (const panel of flat(panels ?? [])) {
      for (const { expr = '' } of panel.targets ?? []) found(expr, `${title}: ${panel.title}`);
    }
  }
  for (const { alert, record, expr } of rules()) found(String(expr), `alert ${alert ?? record}`);
  return [...uses.values()];
}

interface Panel {
  readonly title?: string;
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** Rows hold panels of their own. */
function flat(panels: readonly Panel[]): readonly Panel[] {
  return panels.flatMap((panel) => [panel, ...flat(panel.panels ?? [])]);
}

function dashboards(): readonly string[] {
  return read(() =>
    readdirSync(FOLDER)
      .filter((name) => name.endsWith('.json'))
      .sort(),
  );
}

function rules(): readonly Rule[] {
  return read(() => {
    const { groups } = parse(readFileSync(new URL('alerts.yaml', FOLDER), 'utf8')) as {
      groups: readonly { readonly rules: readonly Rule[] }[];
    };
    return groups.flatMap((group) => group.rules);
  });
}

/** Empty where there is no such file or folder; any other failure is one. */
function read<T>(from: () => readonly T[]): readonly T[] {
  try {
    return from();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
