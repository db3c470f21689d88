/** Host probes: what a host answers when the operator asks it directly, before a step that takes it down. */
import type { Report } from '../../enclave/items/report.ts';
import type { Assessment } from '../../machines/index.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Clock } from '../ports/index.ts';
import { keyOf } from './report-age.ts';

interface Asked {
  readonly at: number;
  readonly result: 'asked' | 'unreachable';
  /** What it had reported when it was asked. */
  readonly reported: string;
}

/**
 * Remembers who was asked to report, and takes a report that is newer for the answer.
 *
 * *Caveats*: it remembers nothing after a restart: then the host is asked again.
 */
export class HostProbes implements LifecycleListener {
  readonly #clock: Clock;
  readonly #keptMs: number;
  readonly #asked = new Map<string, Asked>();

  /** An answer counts for `keptMs`; then the host is asked again. */
  constructor(clock: Clock, keptMs: number) {
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  /** `reported`: what tells the reports it had made by then from newer ones. */
  asked(id: string, result: Asked['result'], reported: string): void {
    this.#asked.set(id, { at: this.#clock.monotonic(), result, reported });
  }

  /** What has come of it; undefined: the host was not asked, or too long ago. Changes nothing. */
  answer(
    id: string,
    reports: readonly Report[],
    { verdict }: Pick<Assessment['enclave'], 'verdict'>,
  ): Assessment['secondLook'] {
    const asked = this.#asked.get(id);
    if (asked === undefined || this.#clock.monotonic() - asked.at > this.#keptMs) return undefined;
    if (asked.result === 'unreachable') return 'unreachable';
    if (asked.reported === keyOf(reports) || verdict === 'Unknown') return 'unanswered';
    return verdict === 'Drift' ? 'unwell' : 'well';
  }

  onUpsert(): void {}

  onDelete(id: string): void {
    this.#asked.delete(id);
  }
}
