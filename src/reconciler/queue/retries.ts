/** Retries: when an enclave is reconciled again after a failure or a conflict. */
import type { Config } from '../config.ts';
import type { Log, Ports } from '../ports/index.ts';
import { failureClassOf, failureLine, LOST_RACES, retryAfter } from './backoff.ts';
import { PRIORITY, type WorkQueue } from './work-queue.ts';

export interface RetriesOptions {
  readonly ports: Pick<Ports, 'random'>;
  readonly config: Pick<Config, 'errorBackoffBaseMs' | 'errorBackoffMaxMs'>;
  readonly queue: Pick<WorkQueue, 'add'>;
}

/** Counts failures and conflicts in a row, by enclave. */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #failures = new Map<string, number>();
  readonly #conflicts = new Map<string, number>();

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** Enclaves whose conflicts in a row are more than lost races. */
  get conflicting(): number {
    return [...this.#conflicts.values()].filter((conflicts) => conflicts > LOST_RACES).length;
  }

  succeeded(id: string): void {
    this.#failures.delete(id);
    this.#conflicts.delete(id);
  }

  /** At once while races are lost, then with growing pauses; returns how many conflicts there were in a row. */
  conflicted(id: string, error: string, log: Log): number {
    const { ports, config, queue } = this.#options;
    const conflicts = (this.#conflicts.get(id) ?? 0) + 1;
    this.#conflicts.set(id, conflicts);
    const { delayMs, level } = retryAfter('Conflict', conflicts, ports.random.next(), config);
    log[level](
      { enclaveId: id, conflicts, delayMs: Math.round(delayMs), error },
      conflicts > LOST_RACES
        ? 'reconcile of the enclave keeps conflicting: DynamoDB refuses the write; retrying with growing pauses. See docs/runbooks/enclave-operator-conflicting.md'
        : 'reconcile conflicted: a condition of the write failed; retrying at once',
    );
    queue.add(id, { priority: PRIORITY.retry, delayMs });
    return conflicts;
  }

  failed(id: string, error: unknown, log: Log): void {
    const { ports, config, queue } = this.#options;
    const failureClass = failureClassOf(error);
    if (failureClass === 'Conflict') {
      this.conflicted(id, failureLine(error), log);
      return;
    }
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const { delayMs, level } = retryAfter(failureClass, failures, ports.random.next(), config);
    log[level](
      { enclaveId: id, class: failureClass, failures, delayMs: Math.round(delayMs), error: failureLine(error) },
      'reconcile failed',
    );
    queue.add(id, { priority: PRIORITY.retry, delayMs });
  }
}
