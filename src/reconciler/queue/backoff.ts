/** Backoff: how long after a failed reconcile the next one starts. Pure. */
import { assertNever } from '../../enclave/assert-never.ts';
import type { Config } from '../config.ts';
import { OperatorError, type OperatorErrorClass } from '../ports/index.ts';

/** `Unexpected`: thrown by accident, a bug; retried as if transient, and told with its stack. */
export type FailureClass = OperatorErrorClass | 'Unexpected';

export interface Retry {
  readonly delayMs: number;
  readonly level: 'debug' | 'warn' | 'error';
}

type Backoff = Pick<Config, 'errorBackoffBaseMs' | 'errorBackoffMaxMs'>;

/** A conflict means that another writer made progress: read again at once, only not all at the same instant. */
const CONFLICT_SPREAD_MS = 100;
/** More conflicts in a row than this are not lost races; immediate retries would never end. */
export const LOST_RACES = 3;
const LARGEST_EXPONENT = 20;

export function failureClassOf(error: unknown): FailureClass {
  return error instanceof OperatorError ? error.class : 'Unexpected';
}

/**
 * The next attempt after `failures` in a row (1: the first), with full jitter: anywhere below the ceiling, so that what
 * failed together does not come again together.
 *
 * `random` is in [0, 1).
 */
export function retryAfter(failureClass: FailureClass, failures: number, random: number, config: Backoff): Retry {
  const below = (slower: number, attempt = failures) => {
    const doubled = config.errorBackoffBaseMs * slower * 2 ** Math.min(Math.max(attempt, 1) - 1, LARGEST_EXPONENT);
    return Math.min(config.errorBackoffMaxMs, doubled) * random;
  };
  switch (failureClass) {
    case 'Transient':
      return { delayMs: below(1), level: 'warn' };
    case 'Throttled':
      return { delayMs: below(2), level: 'warn' };
    case 'Conflict':
      if (failures <= LOST_RACES) return { delayMs: CONFLICT_SPREAD_MS * random, level: 'debug' };
      // Every enclave of a restored table may conflict: one line each time the count has doubled is enough.
      return {
        delayMs: below(1, failures - LOST_RACES),
        level: Number.isInteger(Math.log2(failures)) ? 'warn' : 'debug',
      };
    case 'Terminal':
    case 'Blocked':
      // A person must act; asking often helps nobody, and the next look after the cure is bounded by the ceiling.
      return { delayMs: below(16), level: 'warn' };
    case 'Unexpected':
      return { delayMs: below(1), level: 'error' };
    default:
      return assertNever(failureClass, 'class of error');
  }
}

/** What a log line says of a failure: a stack only where nobody expected it. */
export function failureLine(error: unknown): string {
  const unexpected = error instanceof Error && failureClassOf(error) === 'Unexpected';
  return unexpected ? (error.stack ?? error.message) : String(error);
}
