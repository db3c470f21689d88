/** EC2 instances and their states. */

import { omit } from '../../enclave/omit.ts';
import type { Clock, HostState, Random } from '../../reconciler/ports/index.ts';
import type { Journal } from '../journal.ts';
import { DELAYS } from './delays.ts';
import { instanceId } from './ids.ts';
import { CloudError, HostSchema, type SimHost } from './model.ts';
import { Shelf } from './shelf.ts';
import type { Timers } from './timers.ts';

type NewHost = Omit<SimHost, 'instanceId' | 'state' | 'launchedAt' | 'turnsInto' | 'turnsAt' | 'agent'>;

/** Where a passing state leads, and how long it lasts. */
const TURNS: Partial<Record<HostState, { readonly into: HostState; readonly afterMs: number }>> = {
  pending: { into: 'running', afterMs: DELAYS.hostStarts },
  stopping: { into: 'stopped', afterMs: DELAYS.hostStops },
  'shutting-down': { into: 'terminated', afterMs: DELAYS.hostTerminates },
};

export class SimHosts {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timers: Timers;
  readonly #shelf: Shelf<SimHost>;
  readonly #listeners: ((host: SimHost, before: HostState | undefined) => void)[] = [];

  constructor(clock: Clock, random: Random, timers: Timers, journal: Journal) {
    this.#clock = clock;
    this.#random = random;
    this.#timers = timers;
    this.#shelf = new Shelf(journal, 'host/', HostSchema);
  }

  /** Calls back after every change of state. */
  onChange(listener: (host: SimHost, before: HostState | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** Goes on where the journal ends: what would have happened meanwhile happens at once. */
  resume(): void {
    for (const host of [...this.all()]) this.#await(host);
  }

  /** Every host EC2 still lists, terminated ones included. */
  all(): IterableIterator<SimHost> {
    return this.#shelf.values();
  }

  get(id: string): SimHost | undefined {
    return this.#shelf.get(id);
  }

  /** By the tag, as EC2 would find them; those on their way out left out. */
  ofEnclave(enclaveId: string): readonly SimHost[] {
    return [...this.all()].filter(
      (host) => host.tags.EnclaveId === enclaveId && host.state !== 'terminated' && host.state !== 'shutting-down',
    );
  }

  create(fields: NewHost): SimHost {
    const id = instanceId(this.#random);
    return this.#enter({ ...fields, instanceId: id, state: 'pending', launchedAt: this.#clock.now() }, 'pending');
  }

  /** A host that is simply there, running, as if it had been made long ago. */
  place(fields: NewHost): SimHost {
    const id = instanceId(this.#random);
    return this.#enter({ ...fields, instanceId: id, state: 'running', launchedAt: this.#clock.now() }, 'running');
  }

  /** Changes what is not the state. */
  amend(id: string, change: Partial<SimHost>): SimHost | undefined {
    const host = this.get(id);
    return host === undefined ? undefined : this.#shelf.put(id, { ...host, ...change });
  }

  /** Nothing happens to one that runs or starts already, as in EC2. */
  start(id: string): SimHost {
    const host = this.#known(id);
    if (host.state === 'running' || host.state === 'pending') return host;
    if (host.state !== 'stopped') throw this.#wrongState(host, 'started');
    return this.#enter({ ...host, launchedAt: this.#clock.now() }, 'pending');
  }

  stop(id: string): SimHost {
    const host = this.#known(id);
    if (host.state === 'stopped' || host.state === 'stopping') return host;
    if (host.state !== 'running') throw this.#wrongState(host, 'stopped');
    return this.#enter(host, 'stopping');
  }

  terminate(id: string): SimHost {
    const host = this.#known(id);
    if (host.state === 'terminated' || host.state === 'shutting-down') return host;
    return this.#enter(host, 'shutting-down');
  }

  /** Resolves when the host is in one of the states, or gone; undefined when the signal aborted first. */
  whenIn(id: string, states: readonly HostState[], signal: AbortSignal): Promise<SimHost | undefined> {
    return new Promise((resolve) => {
      const settle = (host: SimHost | undefined) => {
        const at = this.#listeners.indexOf(look);
        if (at >= 0) this.#listeners.splice(at, 1);
        signal.removeEventListener('abort', abort);
        resolve(host);
      };
      const abort = () => settle(undefined);
      const look = (host: SimHost) => {
        if (host.instanceId === id && (states.includes(host.state) || host.state === 'terminated')) settle(host);
      };
      const now = this.get(id);
      if (now === undefined || signal.aborted) return resolve(now);
      this.#listeners.push(look);
      signal.addEventListener('abort', abort, { once: true });
      look(now);
    });
  }

  #known(id: string): SimHost {
    const host = this.get(id);
    if (host !== undefined) return host;
    throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  }

  #wrongState(host: SimHost, verb: string): CloudError {
    return new CloudError(
      'IncorrectInstanceState',
      `The instance '${host.instanceId}' is not in a state from which it can be ${verb}.`,
    );
  }

  #enter(host: SimHost, state: HostState): SimHost {
    const before = this.get(host.instanceId)?.state;
    const turn = TURNS[state];
    const next = this.#shelf.put(host.instanceId, {
      ...omit(host, 'turnsInto', 'turnsAt'),
      state,
      ...(turn === undefined ? {} : { turnsInto: turn.into, turnsAt: this.#timers.after(turn.afterMs) }),
      ...(state === 'terminated' ? { terminatedAt: this.#clock.now() } : {}),
    });
    this.#await(next);
    for (const listener of [...this.#listeners]) listener(next, before);
    return next;
  }

  #await(host: SimHost): void {
    const name = `host/${host.instanceId}`;
    if (host.turnsInto !== undefined && host.turnsAt !== undefined) {
      const { turnsInto } = host;
      this.#timers.at(name, host.turnsAt, () => {
        const now = this.get(host.instanceId);
        if (now !== undefined) this.#enter(now, turnsInto);
      });
    } else if (host.state === 'terminated') {
      const forgetAt = this.#timers.after(DELAYS.hostForgotten) - (this.#clock.now() - (host.terminatedAt ?? 0));
      this.#timers.at(name, forgetAt, () => this.#shelf.delete(host.instanceId));
    } else {
      this.#timers.cancel(name);
    }
  }
}
