/** One operator's process: its clock, and its way to AWS, both of which can be frozen and killed. */
import type { Clock, Log, Ports } from '../../src/reconciler/ports/index.ts';
import { sleepOn } from '../../src/reconciler/ports/system-clock.ts';
import { type MemoryWorld, PORT_METHODS } from '../support/memory-world.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { FaultSchedule } from './fault-schedule.ts';
import type { SeededRandom } from './random.ts';

export interface ProcessOptions {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly faultSchedule: FaultSchedule;
  readonly random: SeededRandom;
  readonly log: Log;
  /** How far its wall clock is off. */
  readonly skewMs: number;
  /** Runs `call` as this process: whatever is written meanwhile, it has written. */
  readonly as: <T>(operation: string, args: readonly unknown[], call: () => T) => T;
}

const never = new Promise<never>(() => {});

type Method = (...args: unknown[]) => unknown;

const answersInPages = (method: Method) => Object.prototype.toString.call(method) === '[object AsyncGeneratorFunction]';

/**
 * Killed, it does nothing more, but what it has sent may still arrive. Frozen, it does nothing until it is thawed:
 * then every timer that fell due fires, and every answer that came is read, long after it was given.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly ports: Ports;
  readonly #options: ProcessOptions;
  #killed = false;
  #connected: Promise<void> | undefined;
  #cutAt: { readonly operation: string; readonly then: () => void } | undefined;
  #connect: () => void = () => {};
  #thawed: Promise<void> | undefined;
  #thaw: () => void = () => {};

  constructor(options: ProcessOptions) {
    const { name, world, log, random } = options;
    this.name = name;
    this.#options = options;
    const { bare } = world;
    this.ports = {
      clock: this.#clock(),
      random: random.port,
      log,
      records: this.#port('records', bare.records),
      state: this.#port('state', bare.state),
      leases: this.#port('leases', bare.leases),
      history: this.#port('history', bare.history),
      fleetRuns: this.#port('fleetRuns', bare.fleetRuns),
      workflows: this.#port('workflows', bare.workflows, PORT_METHODS.workflows),
      tasks: this.#port('tasks', bare.tasks),
      hosts: this.#port('hosts', bare.hosts, PORT_METHODS.hosts),
      surroundings: this.#port('surroundings', bare.surroundings, PORT_METHODS.surroundings),
      inspector: this.#port('inspector', bare.inspector, PORT_METHODS.inspector),
      streams: {
        records: this.#port('streams.records', bare.streams.records, PORT_METHODS.stream),
        state: this.#port('streams.state', bare.streams.state, PORT_METHODS.stream),
        history: this.#port('streams.history', bare.streams.history, PORT_METHODS.stream),
      },
    };
  }

  get killed(): boolean {
    return this.#killed;
  }

  get frozen(): boolean {
    return this.#thawed !== undefined;
  }

  /** The network is cut: what is sent waits, and arrives when it is mended. */
  cut(): void {
    this.#connected ??= new Promise((resolve) => {
      this.#connect = resolve;
    });
  }

  /** Cut off just when it has sent its next request of this kind, which arrives when the network is mended. */
  cutAtNext(operation: string, then: () => void): void {
    this.#cutAt = { operation, then };
  }

  mend(): void {
    this.#cutAt = undefined;
    this.#connected = undefined;
    this.#connect();
  }

  /** SIGKILL. */
  kill(): void {
    this.#killed = true;
    this.thaw();
  }

  /** SIGSTOP. */
  freeze(): void {
    this.#thawed ??= new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  /** SIGCONT. */
  thaw(): void {
    this.#thawed = undefined;
    this.#thaw();
  }

  /** Passes once the process may go on; never, where it was killed. */
  async #alive(): Promise<void> {
    while (this.#thawed !== undefined) await this.#thawed;
    if (this.#killed) await never;
  }

  /** The port with this process' life around its methods; `names` where the object has more than the port's. */
  #port<T extends object, K extends keyof T & string>(
    prefix: string,
    port: T,
    names: readonly K[] = Object.keys(port) as K[],
  ): Pick<T, K> {
    const made = names.map((name) => {
      const method = port[name] as Method;
      const operation = `${prefix}.${name}`;
      return [
        name,
        answersInPages(method) ? this.#pages(operation, port, method) : this.#call(operation, port, method),
      ];
    });
    return Object.fromEntries(made) as Pick<T, K>;
  }

  #call(operation: string, port: object, method: Method) {
    const { clock, faultSchedule, random, as } = this.#options;
    return async (...args: unknown[]) => {
      if (this.#killed || this.frozen) await this.#alive();
      const faults = faultSchedule.draw(operation);
      if (faults.beforeMs > 0) {
        await clock.sleep(faults.beforeMs);
        // What a killed process had sent arrives, or does not.
        if (this.#killed && random.chance(0.5)) await never;
      }
      if (this.#cutAt?.operation === operation) {
        const { then } = this.#cutAt;
        this.#cutAt = undefined;
        this.cut();
        then();
      }
      while (this.#connected !== undefined) await this.#connected;
      let result: unknown;
      if (faults.error === undefined) {
        const send = () => as(operation, args, () => method.apply(port, args)) as Promise<unknown>;
        // An answer that is an error travels back as any other does.
        result = await send().then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        );
        if (faults.twice)
          result = await send().then(
            (value) => ({ value }),
            (error: unknown) => ({ error }),
          );
      }
      if (faults.afterMs > 0) await clock.sleep(faults.afterMs);
      if (this.#killed || this.frozen) await this.#alive();
      const failure = faults.error ?? faults.lost;
      if (failure !== undefined) throw failure;
      const answer = result as { readonly value: unknown } | { readonly error: unknown };
      if ('error' in answer) throw answer.error;
      return answer.value;
    };
  }

  #pages(operation: string, port: object, method: Method) {
    const { clock, faultSchedule, as } = this.#options;
    const alive = () => this.#alive();
    const connected = async () => {
      while (this.#connected !== undefined) await this.#connected;
    };
    const blind = (args: readonly unknown[]) => operation === 'hosts.sweep' && faultSchedule.blind.has(String(args[0]));
    return async function* (...args: unknown[]) {
      await alive();
      const faults = faultSchedule.draw(operation);
      if (faults.beforeMs > 0) await clock.sleep(faults.beforeMs);
      await connected();
      await alive();
      if (faults.error !== undefined) throw faults.error;
      const pages = as(operation, args, () => method.apply(port, args)) as AsyncIterable<unknown>;
      for await (const page of pages) {
        yield blind(args) ? [] : page;
        await alive();
        // Whole answers only: what breaks off is an error, however much has been told.
        if (faults.partial || faults.lost !== undefined) throw faults.lost ?? faultSchedule.brokenOff(operation);
      }
      if (faults.afterMs > 0) await clock.sleep(faults.afterMs);
      await alive();
    };
  }

  #clock(): Clock {
    const { clock, skewMs } = this.#options;
    const schedule: Clock['schedule'] = (delayMs, callback) => {
      let cancelled = false;
      const fire = async () => {
        await this.#alive();
        if (!cancelled) callback();
      };
      const cancel = clock.schedule(delayMs, () => {
        if (this.#killed || cancelled) return;
        if (this.frozen) void fire();
        else callback();
      });
      return () => {
        cancelled = true;
        cancel();
      };
    };
    return {
      now: () => clock.now() + skewMs,
      monotonic: () => clock.monotonic(),
      schedule,
      sleep: sleepOn(schedule),
    };
  }
}
