/** The wish to stop: asked for once, by a signal, the cancel flag or the deadline. */

export type StopCause = 'cancelled' | 'timeout';

export class Stop {
  #cause: StopCause | undefined;
  #callback: (() => void) | undefined;

  /** Why the run is to stop; undefined: it is not. */
  get cause(): StopCause | undefined {
    return this.#cause;
  }

  /** The first cause stays; later ones change nothing. */
  request(cause: StopCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#callback?.();
  }

  /** Calls back at the request, at most once in the life of the run. There is one listener. */
  onRequest(callback: () => void): void {
    this.#callback = callback;
  }
}
