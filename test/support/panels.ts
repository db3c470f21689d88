/** The panels of the shipped dashboards, and their queries as Grafana sends them. */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../dashboards/', import.meta.url);

export interface Panel {
  readonly title: string;
  readonly description?: string;
  readonly fieldConfig: { readonly defaults: { readonly unit?: string; readonly noValue?: string } };
  readonly targets: readonly { readonly expr: string }[];
}

/** By the title of their dashboard and their own. */
export const panels: readonly (readonly [title: string, panel: Panel])[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .flatMap((file) => {
    const dashboard = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
    return (dashboard.panels as readonly Panel[]).map(
      (panel) => [`${dashboard.title}: ${panel.title}`, panel] as const,
    );
  });

/** Variables as Grafana fills them in where all places are chosen. */
export function filled(expr: string, rateInterval: string): string {
  return expr
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$environment', '.*')
    .replaceAll('$region', '.*')
    .replaceAll('$price', '0.2');
}
