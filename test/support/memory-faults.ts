/** Faults a test injects between the controller and the world. */

type Hook = (args: readonly unknown[]) => void | Promise<void>;

type Method = (...args: unknown[]) => unknown;

const isAsyncGenerator = (fn: unknown) => Object.prototype.toString.call(fn) === '[object AsyncGeneratorFunction]';
const never = new Promise<never>(() => {});

/**
 * Hooks around the calls of one connection. Operations are named `<port>.<method>`, e.g. `state.commit`,
 * `streams.records.page`; `*` stands for all. A hook that throws makes the call fail; one that waits makes it slow.
 */
export class Faults {
  readonly #before = new Map<string, Set<Hook>>();
  readonly #after = new Map<string, Set<Hook>>();
  readonly #calls = new Map<string, number>();
  #killed = false;

  /** Runs at every call, before anything of it happened; returns what removes it. */
  before(operation: string, hook: Hook): () => void {
    return this.#add(this.#before, operation, hook);
  }

  /** Runs at every call, when all of it has happened and the caller does not know yet. */
  after(operation: string, hook: Hook): () => void {
    return this.#add(this.#after, operation, hook);
  }

  /** The next calls fail without effect. */
  failNext(operation: string, error: Error, times = 1): void {
    this.#limited(this.#before, operation, error, times);
  }

  /** The next calls have their effect, and then fail: the reply is lost. */
  loseNextReply(operation: string, error: Error, times = 1): void {
    this.#limited(this.#after, operation, error, times);
  }

  /** The process dies at the next such call, before it happens: this connection never answers again. */
  crashBefore(operation: string): void {
    this.#limitedHook(this.#before, operation, 1, () => this.kill());
  }

  /** The process dies right after the next such call has happened. */
  crashAfter(operation: string): void {
    this.#limitedHook(this.#after, operation, 1, () => this.kill());
  }

  /** As SIGKILL: no call of this connection is answered or carried out any more, and none fails. */
  kill(): void {
    this.#killed = true;
  }

  get killed(): boolean {
    return this.#killed;
  }

  /** How often an operation was called. */
  calls(operation: string): number {
    return this.#calls.get(operation) ?? 0;
  }

  /** The port with these hooks around its methods; `names` where it is an object with more than the port's methods. */
  around<T extends object, K extends keyof T & string>(
    prefix: string,
    port: T,
    names: readonly K[] = Object.keys(port) as K[],
  ): Pick<T, K> {
    const methods = names.map((name) => {
      const operation = `${prefix}.${name}`;
      const method = port[name] as Method;
      return [
        name,
        isAsyncGenerator(method) ? this.#generator(operation, port, method) : this.#call(operation, port, method),
      ];
    });
    return Object.fromEntries(methods) as Pick<T, K>;
  }

  #call(operation: string, port: object, method: Method) {
    return async (...args: unknown[]) => {
      await this.#enter(operation, args);
      const result = await method.apply(port, args);
      await this.#leave(operation, args);
      return result;
    };
  }

  #generator(operation: string, port: object, method: Method) {
    const faults = this;
    return async function* (...args: unknown[]) {
      await faults.#enter(operation, args);
      for await (const page of method.apply(port, args) as AsyncIterable<unknown>) {
        if (faults.#killed) await never;
        yield page;
      }
      await faults.#leave(operation, args);
    };
  }

  async #enter(operation: string, args: readonly unknown[]): Promise<void> {
    if (this.#killed) await never;
    this.#calls.set(operation, (this.#calls.get(operation) ?? 0) + 1);
    if (this.#before.size > 0) await this.#run(this.#before, operation, args);
  }

  async #leave(operation: string, args: readonly unknown[]): Promise<void> {
    if (this.#after.size > 0) await this.#run(this.#after, operation, args);
    if (this.#killed) await never;
  }

  async #run(hooks: Map<string, Set<Hook>>, operation: string, args: readonly unknown[]): Promise<void> {
    for (const name of [operation, '*']) {
      for (const hook of [...(hooks.get(name) ?? [])]) {
        await hook(args);
        if (this.#killed) await never;
      }
    }
  }

  #add(hooks: Map<string, Set<Hook>>, operation: string, hook: Hook): () => void {
    const set = hooks.get(operation) ?? new Set();
    hooks.set(operation, set.add(hook));
    return () => {
      set.delete(hook);
      if (set.size === 0 && hooks.get(operation) === set) hooks.delete(operation);
    };
  }

  #limited(hooks: Map<string, Set<Hook>>, operation: string, error: Error, times: number): void {
    this.#limitedHook(hooks, operation, times, () => {
      throw error;
    });
  }

  #limitedHook(hooks: Map<string, Set<Hook>>, operation: string, times: number, act: () => void): void {
    let left = times;
    const remove = this.#add(hooks, operation, () => {
      left -= 1;
      if (left <= 0) remove();
      act();
    });
  }
}
