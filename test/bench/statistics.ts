/** Percentiles of samples. */

/** Nearest rank: the least sample that at least `percent` of all do not exceed. Throws where there is none. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('no samples');
  return value;
}

export const median = (samples: readonly number[]): number => percentile(samples, 50);

/** Decimal places beyond which a figure of this machine says nothing. */
export function rounded(value: number, places: number): number {
  return Math.round(value * 10 ** places) / 10 ** places;
}

/**
 * How often a second of one core's time `work` is done, `count` times a call: by processor time, in which the machine's
 * other work does not show. Time of the collector's and the compiler's threads counts against it.
 */
export async function perCoreSecond(count: number, work: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (count / (user + system)) * 1_000_000;
}
