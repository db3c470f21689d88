/** Delivers a host's reports: in order, the newest wins, until they arrive. */
import type { Report } from '../../enclave/items/report.ts';
import type { Log } from '../../reconciler/ports/index.ts';
import { DELAYS } from './delays.ts';
import type { Timers } from './timers.ts';

export class ReportWriter {
  readonly #write: (report: Report) => Promise<void>;
  readonly #timers: Timers;
  readonly #log: Log;
  /** What is still to be written, by instance. */
  readonly #waiting = new Map<string, Report>();
  readonly #busy = new Set<string>();

  constructor(write: (report: Report) => Promise<void>, timers: Timers, log: Log) {
    this.#write = write;
    this.#timers = timers;
    this.#log = log;
  }

  send(report: Report): void {
    this.#waiting.set(report.instanceId, report);
    void this.#drain(report.instanceId);
  }

  /** The host is gone: what it had not delivered is lost. */
  drop(instanceId: string): void {
    this.#waiting.delete(instanceId);
    this.#timers.cancel(`deliver/${instanceId}`);
  }

  async #drain(instanceId: string): Promise<void> {
    if (this.#busy.has(instanceId)) return;
    this.#busy.add(instanceId);
    for (let report = this.#waiting.get(instanceId); report; report = this.#waiting.get(instanceId)) {
      try {
        await this.#write(report);
      } catch (error) {
        this.#log.warn({ enclaveId: report.id, instanceId, error }, 'report not written; tried again');
        const retryAt = this.#timers.after(DELAYS.reportRetry);
        this.#timers.at(`deliver/${instanceId}`, retryAt, () => void this.#drain(instanceId));
        break;
      }
      if (this.#waiting.get(instanceId) === report) this.#waiting.delete(instanceId);
    }
    this.#busy.delete(instanceId);
  }
}
