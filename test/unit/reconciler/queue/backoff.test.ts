/** Retry policy: one table, every class. */
import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import {
  type FailureClass,
  failureClassOf,
  failureLine,
  retryAfter,
} from '../../../../src/reconciler/queue/backoff.ts';

const CONFIG = { errorBackoffBaseMs: 1_000, errorBackoffMaxMs: 300_000 };
/** Nearly 1: the ceiling of the jitter. */
const MOST = 1 - Number.EPSILON;

const TABLE: readonly (readonly [FailureClass, level: string, first: number, fifth: number, fiftieth: number])[] = [
  ['Transient', 'warn', 1_000, 16_000, 300_000],
  ['Throttled', 'warn', 2_000, 32_000, 300_000],
  ['Conflict', 'debug', 100, 2_000, 300_000],
  ['Terminal', 'warn', 16_000, 256_000, 300_000],
  ['Blocked', 'warn', 16_000, 256_000, 300_000],
  ['Unexpected', 'error', 1_000, 16_000, 300_000],
];

describe('retry policy', () => {
  it.each(TABLE)('%s: %s, at most %d ms, then %d, then %d', (failureClass, level, first, fifth, fiftieth) => {
    for (const [failures, ceiling] of [
      [1, first],
      [5, fifth],
      [50, fiftieth],
    ] as const) {
      const most = retryAfter(failureClass, failures, MOST, CONFIG);
      expect(most.level).toBe(level);
      expect(most.delayMs).toBeCloseTo(ceiling, 3);
      expect(retryAfter(failureClass, failures, 0.5, CONFIG).delayMs).toBe(ceiling / 2);
      expect(retryAfter(failureClass, failures, 0, CONFIG).delayMs).toBe(0);
    }
  });

  it('retries three conflicts in a row at once, and warns of more each time their number has doubled', () => {
    const retries = [...Array(16).keys()].map((n) => retryAfter('Conflict', n + 1, MOST, CONFIG));
    expect(retries.filter(({ delayMs }) => delayMs <= 100)).toHaveLength(3);
    expect(retries.flatMap(({ level }, n) => (level === 'warn' ? [n + 1] : []))).toEqual([4, 8, 16]);
  });

  it('tells an expected failure by its class, anything else as a bug with its stack', () => {
    const throttled = new OperatorError('Throttled', 'ec2:StartInstances', 'slow down');
    expect(failureClassOf(throttled)).toBe('Throttled');
    expect(failureLine(throttled)).toBe('OperatorError: ec2:StartInstances: slow down');
    const bug = new TypeError('x is not a function');
    expect(failureClassOf(bug)).toBe('Unexpected');
    expect(failureLine(bug)).toContain('backoff.test.ts');
    expect(failureClassOf('text')).toBe('Unexpected');
  });
});
