/** The fleet of a play of drift: enclaves with all that can be compared, some paused, some with a lenient policy. */
import { conditionOf } from '../../src/enclave/conditions.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { equalJson } from '../../src/enclave/json.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import type { MemorySurrounding } from '../support/memory-surroundings.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';
import type { Fleet, States } from './concurrent-actor.ts';
import { PCR0 } from './faults.ts';

const HOUR = 60 * 60_000;
/** One of so many is paused, and of one of so many the policy is lenient. */
const PAUSED_OF = 10;
const LENIENT_OF = 2;

/** Has a key of its own, a way in, and measurements that count. */
const CONFIG = {
  awsServices: ['kms'],
  exposePorts: [8_080],
  attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'quarantine' },
};
const LENIENT = {
  drift: {
    overrides: {
      'host.enclaveOptions': 'replace',
      'host.volume': 'replace',
      'network.publicIp': 'replace',
      'host.statusChecks': 'alert',
    },
  },
};

export class DriftFleet implements Fleet {
  readonly ids: readonly string[];
  readonly running: readonly string[];
  readonly paused: readonly string[];
  /** The one with a second host under its tag, which stays. */
  twin: string | undefined;
  readonly #paused: ReadonlySet<string>;
  readonly #lenient: ReadonlySet<string>;
  readonly #v: VirtualOperator;
  readonly #states: States;
  /** What surrounds each, as it was made. */
  readonly #made = new Map<string, MemorySurrounding>();
  /** Place of the enclave that was last found not well. */
  #cursor = 0;

  constructor(v: VirtualOperator, states: States, size: number) {
    this.#v = v;
    this.#states = states;
    this.ids = Array.from({ length: size }, (_, n) => `enc_${n}`);
    this.paused = this.ids.filter((_, n) => n % PAUSED_OF === PAUSED_OF - 1);
    this.#paused = new Set(this.paused);
    this.running = this.ids.filter((id) => !this.#paused.has(id));
    this.#lenient = new Set(this.ids.filter((_, n) => n % LENIENT_OF === 1));
  }

  /** Until all are deployed, and those that are to be are paused. */
  async deploy(): Promise<void> {
    const v = this.#v;
    for (const id of this.ids) {
      v.post(id, { providerConfig: CONFIG, ...(this.isLenient(id) ? { policy: LENIENT } : {}) });
    }
    await v.until(() => this.ids.every((id) => v.status(id) === 'DEPLOYED'), 'all deployed', 2 * HOUR);
    for (const id of this.ids) this.#note(id);
    for (const id of this.paused) v.command(id, 'PAUSING');
    await v.until(() => this.areAllWell(), 'all ready', 2 * HOUR);
  }

  lifecycle(id: string): Lifecycle | undefined {
    return this.#v.lifecycle(id);
  }

  own(id: string): MemoryHost | undefined {
    return this.#v.world.hosts.all.get(this.lifecycle(id)?.pinned.instanceId ?? '');
  }

  isLenient(id: string): boolean {
    return this.#lenient.has(id);
  }

  isWell(id: string): boolean {
    const lifecycle = this.lifecycle(id);
    const [phase, state] = this.#paused.has(id) ? ['paused', 'stopped'] : ['ready', 'running'];
    if (lifecycle?.phase !== phase) return false;
    const known = id === this.twin ? 'host.duplicate' : undefined;
    if (lifecycle.findings?.some(({ attribute }) => attribute !== known)) return false;
    if (conditionOf(lifecycle.conditions, 'InSync')?.status !== 'True') return false;
    const host = this.own(id);
    if (host?.state !== state || host.illness !== undefined || !host.managed || host.events.length > 0) return false;
    const around = this.#v.world.surroundings.all.get(id);
    return equalJson(host.posture, host.made) && this.#states.all.has(id) && equalJson(around, this.#made.get(id));
  }

  /**
   * Asked at every instant: it goes on from the one that was last found not well, so that a fleet is gone through about
   * once a healing and not once an instant.
   */
  areAllWell(): boolean {
    const { length } = this.ids;
    for (let seen = 0; seen < length; seen += 1) {
      if (!this.isWell(this.ids[this.#cursor]!)) return false;
      this.#cursor = (this.#cursor + 1) % length;
    }
    return true;
  }

  /** Rejects where they are not all well in time, with how the first of them is. */
  async untilWell(what: string, limitMs: number): Promise<void> {
    await this.#v
      .until(() => this.areAllWell(), `${what} is healed`, limitMs)
      .catch((error: unknown) => {
        const sick = this.ids.filter((id) => !this.isWell(id));
        const [first = ''] = sick;
        throw new Error(`${what}: ${sick.length} are not healed, ${first}: ${this.lifecycle(first)?.message}`, {
          cause: error,
        });
      });
  }

  /** As its first deploy has made it. */
  #note(id: string): void {
    const around = this.#v.world.surroundings.all.get(id);
    if (around !== undefined) this.#made.set(id, structuredClone(around));
    this.#states.create(id, this.#v.clock.now());
  }
}
