/** Time for the runner: the one place that reads the machine's clock. */

export interface Clock {
  /** Wall time, ms since 1970. */
  now(): number;
  /** Local time in ms that never goes back. */
  monotonic(): number;
  /** Calls back once after `delayMs`; returns a function that cancels. Keeps no process alive. */
  schedule(delayMs: number, callback: () => void): () => void;
  sleep(delayMs: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};
