/** Drift answers: inspects and compares enclaves that somebody asked about with `enclavectl drift ID`. */
import {
  DRIFT_ANSWER_KEPT_SECONDS,
  type DriftAnswer,
  type DriftAnswerSchema,
} from '../../enclave/items/drift-answer.ts';
import { isFromTheFuture, type Request } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Config } from '../config.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import { type InspectionPorts, inspect, subjectOf } from '../observers/inspection.ts';
import type { Ports } from '../ports/index.ts';
import { compareClosely, isUnmanaged } from './close-comparison.ts';

export interface DriftAnswersOptions {
  readonly ports: InspectionPorts & Pick<Ports, 'log' | 'state' | 'history'>;
  readonly config: Pick<Config, 'region' | 'environment' | 'observeOnly'>;
  /** The epoch under which this process leads; throws where it no longer does. */
  readonly epoch: () => number;
}

/** An answer without the key of the request. */
type Comparison = Pick<DriftAnswer, Exclude<keyof typeof DriftAnswerSchema.shape, 'key'>>;

/** Inspections: a dozen calls each, of AWS' limits that the repairs need too. */
export const INSPECTION_LIMITS = { burst: 10, perSecond: 0.5 } as const;
const INSPECTIONS_AT_ONCE = 4;
/** Requests in memory, of all enclaves together. */
const MOST_WAITING = 1_000;
/** Nobody waits for an older request: no operator was there when it was written. */
const STALE_MS = 60 * 60_000;

/**
 * Answers requests that a commit has consumed, beside the reconciles, so that a slow answer of AWS holds none up.
 *
 * *Guarantees*: an enclave is inspected once for all requests that wait for it, and after each of them was written; at
 * most 30 inspections a minute in the long run. An answer is written once, and only while this process leads.
 * *Caveats*: where the process ends, or an answer cannot be written, after the commit, the request stays unanswered:
 * it has changed nothing, and enclavectl says that nobody answered.
 */
export class DriftAnswers {
  readonly #options: DriftAnswersOptions;
  readonly #bucket: TokenBucket;
  readonly #stopping = new AbortController();
  /** By enclave and key. */
  readonly #waiting = new Map<string, Map<string, Request>>();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(options: DriftAnswersOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.ports.clock, INSPECTION_LIMITS);
  }

  /** Takes those of the committed requests that ask for a comparison. An operator that only observes consumes none. */
  requested(id: string, requests: readonly Request[]): void {
    const { ports, config } = this.#options;
    if (config.observeOnly || this.#stopping.signal.aborted) return;
    for (const request of requests) {
      if (request.verb !== 'drift' || !(ports.clock.now() - Date.parse(request.at) < STALE_MS)) continue;
      const waiting = this.#waiting.get(id) ?? new Map<string, Request>();
      if (waiting.has(request.key)) continue;
      if (this.#waitingCount >= MOST_WAITING) {
        ports.log.warn({ enclaveId: id, waiting: MOST_WAITING }, 'too many drift requests wait: one is not answered');
        continue;
      }
      this.#waiting.set(id, waiting.set(request.key, request));
    }
    this.#pump();
  }

  /** Gives up what waits; resolves once what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the operator stops'));
    this.#waiting.clear();
    await Promise.all(this.#underWay.values());
  }

  get #waitingCount(): number {
    return [...this.#waiting.values()].reduce((count, { size }) => count + size, 0);
  }

  #pump(): void {
    for (const id of this.#waiting.keys()) {
      if (this.#underWay.size >= INSPECTIONS_AT_ONCE) return;
      if (this.#underWay.has(id)) continue;
      const work = this.#answer(id)
        .catch((error: unknown) => {
          if (this.#stopping.signal.aborted) return;
          const { log } = this.#options.ports;
          log.warn({ enclaveId: id, error: String(error) }, 'drift requests could not be answered; ask again');
        })
        .finally(() => {
          this.#underWay.delete(id);
          this.#pump();
        });
      this.#underWay.set(id, work);
    }
  }

  async #answer(id: string): Promise<void> {
    const { ports, epoch } = this.#options;
    const { signal } = this.#stopping;
    await this.#turn(signal);
    if (signal.aborted) return;
    // Whoever has asked until now is answered by the same inspection.
    const requests = [...(this.#waiting.get(id)?.values() ?? [])];
    this.#waiting.delete(id);
    const result = await this.#compared(id, signal);
    for (const { key } of requests) {
      epoch();
      await ports.history.answer({ ...result, key });
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (!this.#bucket.has(1)) {
      await this.#options.ports.clock.sleep(this.#bucket.untilMs(1), signal);
      if (signal.aborted) return;
    }
    this.#bucket.spend();
  }

  /** By what is stored now, which the commit of the request may be older than. */
  async #compared(id: string, signal: AbortSignal): Promise<Comparison> {
    const { ports, config } = this.#options;
    const { clock, state } = ports;
    const { lifecycle, fromTheFuture } = await state.read(id);
    const refused = fromTheFuture ? 'a newer operator has written its lifecycle' : refusal(lifecycle);
    if (lifecycle === undefined || refused !== undefined) {
      return { ...this.#envelope(id), refused: refused ?? 'nothing is known of it', rows: [], unseen: [] };
    }
    const { instanceId } = lifecycle.pinned;
    const [inspection, reports] = await Promise.all([
      inspect(subjectOf(lifecycle, config.region), ports, signal),
      state.reports(id, instanceId === undefined ? [] : [instanceId]),
    ]);
    return {
      ...this.#envelope(id),
      ...(isUnmanaged(lifecycle, inspection) ? { unmanaged: true } : {}),
      rows: [...compareClosely(lifecycle, inspection, reports, config.environment, clock.now())],
      unseen: [...inspection.unseen],
    };
  }

  #envelope(id: string) {
    const now = this.#options.ports.clock.now();
    const expiresAt = Math.floor(now / 1_000) + DRIFT_ANSWER_KEPT_SECONDS;
    return { v: 1, minReader: 1, id, at: new Date(now).toISOString(), expiresAt };
  }
}

function refusal(lifecycle: Lifecycle | undefined): string | undefined {
  if (lifecycle === undefined) return undefined;
  if (isFromTheFuture(lifecycle)) return 'a newer operator has written its lifecycle';
  if (lifecycle.applied === undefined || lifecycle.desired === 'Absent') return 'it is not deployed';
  return undefined;
}
