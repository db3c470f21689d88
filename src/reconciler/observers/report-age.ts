/** Report age: how long a host has been silent, by the local clock. */
import type { Report } from '../../enclave/items/report.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Clock } from '../ports/index.ts';

/** The host's own times are not trusted: silence is counted from when its report was last seen to change. */
export class ReportAge implements LifecycleListener {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly key: string; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes the reports of `id` as they were just read; returns for how long they have been as they are, ms. */
  observe(id: string, reports: readonly Report[]): number {
    if (reports.length === 0) {
      this.#seen.delete(id);
      return 0;
    }
    const key = keyOf(reports);
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(id);
    if (seen?.key === key) return now - seen.at;
    this.#seen.set(id, { key, at: now });
    return 0;
  }

  /** What tells the reports of `id`, as they were seen last, from any others. */
  seen(id: string): string | undefined {
    return this.#seen.get(id)?.key;
  }

  onUpsert(): void {}

  onDelete(id: string): void {
    this.#seen.delete(id);
  }
}

export function keyOf(reports: readonly Report[]): string {
  return reports.map((report) => `${report.instanceId}/${report.bootId}/${report.sequence}`).join();
}
