/** Named timers on simulated time: one a name, all cancelled at once. */
import type { Clock } from '../../reconciler/ports/index.ts';

export class Timers {
  readonly #clock: Clock;
  readonly #speed: number;
  readonly #pending = new Map<string, () => void>();

  constructor(clock: Clock, speed: number) {
    this.#clock = clock;
    this.#speed = speed;
  }

  /** Wall time `delayMs` of simulated time from now. */
  after(delayMs: number): number {
    return this.#clock.now() + delayMs / this.#speed;
  }

  /** Calls back at a wall time, at once if it has passed. Replaces the timer of that name. */
  at(name: string, whenMs: number, callback: () => void): void {
    this.cancel(name);
    const cancel = this.#clock.schedule(Math.max(0, whenMs - this.#clock.now()), () => {
      this.#pending.delete(name);
      callback();
    });
    this.#pending.set(name, cancel);
  }

  cancel(name: string): void {
    this.#pending.get(name)?.();
    this.#pending.delete(name);
  }

  cancelAll(): void {
    for (const cancel of this.#pending.values()) cancel();
    this.#pending.clear();
  }

  /** Simulated time; early when the signal aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs / this.#speed, signal);
  }
}
