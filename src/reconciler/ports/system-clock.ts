/** The machine's own clock and randomness, behind their ports. */
import { randomInt } from 'node:crypto';
import type { Clock, Random } from './index.ts';

/** Node fires a timer of 2³¹ ms or more at once; such a delay waits this long instead (24.8 days). */
const LONGEST_DELAY_MS = 2 ** 31 - 1;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

function schedule(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
  return () => clearTimeout(timer);
}

/** A clock's `sleep`, by its `schedule`. */
export function sleepOn(schedule: Clock['schedule']): Clock['sleep'] {
  return (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        cancel();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = schedule(delayMs, wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
}

/** Caveat: a pending timer keeps the process alive, as `setTimeout` does; whoever schedules also cancels. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule,
  sleep: sleepOn(schedule),
};

export const systemRandom: Random = {
  next: () => Math.random(),
  id: (length) => Array.from({ length }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join(''),
};
