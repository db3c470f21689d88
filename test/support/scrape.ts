/** A scrape, read back: series by name and labels. */
import type { Metrics } from '../../src/reconciler/metrics/index.ts';

export type Scrape = ReadonlyMap<string, number>;

/** As `name{label="value"}`, without the prefix. */
export async function scrape({ registry }: Pick<Metrics, 'registry'>): Promise<Scrape> {
  const series = new Map<string, number>();
  for (const line of (await registry.metrics()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    series.set(line.slice(0, at).replace('enclave_operator_', ''), Number(line.slice(at + 1)));
  }
  return series;
}

/** What rose from one scrape to the next, and by how much; buckets and sums left out. */
export function risen(before: Scrape, after: Scrape, ...names: readonly string[]): Readonly<Record<string, number>> {
  const rises: Record<string, number> = {};
  for (const [name, value] of after) {
    if (!names.some((wanted) => name.startsWith(wanted)) || /_(bucket|sum)\b/.test(name)) continue;
    const by = value - (before.get(name) ?? 0);
    if (by !== 0) rises[name] = by;
  }
  return rises;
}
