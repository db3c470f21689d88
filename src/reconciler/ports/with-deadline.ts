/** Deadline: a limit for work that consists of many calls, each with its own limit. */
import { type Clock, OperatorError } from './index.ts';

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Names the work in the error. */
  readonly operation: string;
  /** Ends the work as well. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts when the time is up.
 *
 * *Guarantees*: settles by then, whatever the work does with its signal. *Errors*: `Transient` once the time is up.
 */
export async function within<T>(options: DeadlineOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, limitMs, operation, signal } = options;
  const ended = new AbortController();
  const late = Promise.withResolvers<never>();
  const cancel = clock.schedule(limitMs, () => {
    const error = new OperatorError('Transient', operation, `not done within ${limitMs / 1_000} s; tried again`);
    ended.abort(error);
    late.reject(error);
  });
  try {
    return await Promise.race([
      work(signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal])),
      late.promise,
    ]);
  } finally {
    cancel();
  }
}
