/** A concurrent actor: injects faults into a fleet at random times, and checks that each is reported. */
import type { Attribute } from '../../src/drift/index.ts';
import { ATTRIBUTES } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import type { OperatorEvent } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { stateKey } from '../../src/enclave/names.ts';
import type { StateObject, TerraformStates } from '../../src/reconciler/ports/index.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';
import { FAULTS_BY_ATTRIBUTE, strayOf } from './faults.ts';
import type { SeededRandom } from './random.ts';

const MINUTE = 60_000;
/** A person reverts a fault that is only reported at most this long after the report. */
const PERSON_MS = 20 * MINUTE;
/** A fault that finds no enclave in sync tries again after this time. */
const AGAIN_MS = 5 * MINUTE;

/** The Terraform states, as the bucket lists them. */
export class States implements TerraformStates {
  readonly all = new Map<string, StateObject>();

  async *list(): AsyncIterable<readonly StateObject[]> {
    yield [...this.all.values()];
  }

  create(enclaveId: string, modifiedAt: number): void {
    this.all.set(enclaveId, { enclaveId, key: stateKey(enclaveId), modifiedAt });
  }
}

interface InjectedFault {
  readonly attribute: Attribute;
  readonly revert: (() => void) | undefined;
  isReported: boolean;
}

export interface Fleet {
  readonly running: readonly string[];
  readonly paused: readonly string[];
  own(id: string): MemoryHost | undefined;
  /** Its policy allows a replacement of the host, and failed checks are reported, not repaired. */
  isLenient(id: string): boolean;
  /** In the world, and by the lifecycle. */
  isWell(id: string): boolean;
}

export class ConcurrentActor {
  /** Attributes that the operator has reported at least once. */
  readonly reported = new Set<Attribute>();
  /** Enclaves whose hosts were changed. */
  readonly touched = new Set<string>();
  readonly violations: string[] = [];
  /** Faults to come. */
  #ahead = 0;
  readonly #v: VirtualOperator;
  readonly #states: States;
  readonly #fleet: Fleet;
  readonly #random: SeededRandom;
  /** One fault at a time for each enclave: the operator might report two as one. */
  readonly #injected = new Map<string, InjectedFault>();
  readonly #mayEnd = new Set<MemoryHost>();
  readonly #cures = new Map<MemoryHost, () => void>();

  constructor(v: VirtualOperator, states: States, fleet: Fleet, random: SeededRandom) {
    this.#v = v;
    this.#states = states;
    this.#fleet = fleet;
    this.#random = random;
    v.world.hosts.onState = (host) => this.#onState(host);
    v.world.runs.fleet.plan = ({ id }) => {
      const differences = [...(v.world.surroundings.all.get(id)?.hidden ?? [])];
      return { drifted: differences.length > 0, differences, planDigest: 'of-this-plan' };
    };
    v.world.tables.state.watch((_before, after) => {
      if (after?.sk === 'lifecycle') this.#read(after as unknown as Lifecycle);
    });
    v.world.tables.history.watch((_before, after) => {
      const { id, reason } = (after ?? {}) as unknown as OperatorEvent;
      if (reason === 'OrphanFound') this.#onReport(id.slice(0, -strayOf('').length), 'orphans');
    });
  }

  /** All faults were injected, reported, and repaired or reverted. */
  get isOver(): boolean {
    return this.#ahead === 0 && this.#injected.size === 0;
  }

  /** The faults that are not over, for an error message. */
  get left(): readonly string[] {
    const open = [...this.#injected].map(([id, { attribute, isReported }]) => {
      const lifecycle = this.#v.lifecycle(id);
      const inSync = conditionOf(lifecycle?.conditions ?? [], 'InSync');
      return `${attribute} of ${id}, ${isReported ? 'reported' : 'not reported'} (${lifecycle?.phase}, ${inSync?.status} ${inSync?.reason} ${inSync?.message ?? ''})`;
    });
    return [...open, `${this.#ahead} ahead`];
  }

  /** Injects `count` faults at random times within `withinMs`, attribute by attribute. */
  injectFaults(count: number, withinMs: number): void {
    const isThere = (attribute: Attribute) => this.#candidates(attribute).length > 0;
    const rows = this.#shuffled().filter(isThere);
    this.#ahead += count;
    for (let n = 0; n < count; n += 1) {
      const attribute = rows[n % rows.length]!;
      this.#v.clock.schedule(this.#random.between(0, withinMs), () => this.#inject(attribute));
    }
  }

  #shuffled(): readonly Attribute[] {
    return ATTRIBUTES.map((attribute) => ({ attribute, order: this.#random.port.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ attribute }) => attribute);
  }

  #candidates(attribute: Attribute): readonly string[] {
    const { of } = FAULTS_BY_ATTRIBUTE[attribute];
    if (of !== 'lenient') return this.#fleet[of];
    return this.#fleet.running.filter((id) => this.#fleet.isLenient(id));
  }

  #inject(attribute: Attribute): void {
    const { clock, world } = this.#v;
    const { faults } = FAULTS_BY_ATTRIBUTE[attribute];
    const free = this.#candidates(attribute).filter((id) => !this.#injected.has(id));
    const id = free.length === 0 ? undefined : this.#random.pick(free);
    const host = this.#fleet.own(id ?? '');
    const around = world.surroundings.all.get(id ?? '');
    if (id === undefined || host === undefined || around === undefined || !this.#fleet.isWell(id)) {
      clock.schedule(AGAIN_MS, () => this.#inject(attribute));
      return;
    }
    this.touched.add(id);
    this.#ahead -= 1;
    const revert = this.#random.pick(faults)({
      world,
      host,
      around,
      replaceable: this.#fleet.isLenient(id),
      now: clock.now(),
      mayEnd: (each) => this.#mayEnd.add(each),
      curedByBoot: (cure) => this.#cures.set(host, cure),
      loseState: () => {
        this.#states.all.delete(id);
        return () => this.#states.create(id, clock.now());
      },
    });
    this.#injected.set(id, { attribute, revert, isReported: false });
  }

  /** A fault is reported when InSync has its reason or the findings name its attribute. */
  #read({ id, conditions, findings = [] }: Lifecycle): void {
    const fault = this.#injected.get(id);
    if (fault === undefined) return;
    const { reason } = FAULTS_BY_ATTRIBUTE[fault.attribute];
    const inSync = conditionOf(conditions, 'InSync');
    const isNamed = findings.some(({ attribute }) => attribute === fault.attribute);
    if (isNamed || (reason !== undefined && inSync?.reason === reason)) this.#onReport(id, fault.attribute);
    if (fault.isReported && this.#fleet.isWell(id)) this.#injected.delete(id);
  }

  #onReport(id: string, attribute: Attribute): void {
    const fault = this.#injected.get(id);
    if (fault?.attribute !== attribute || fault.isReported) return;
    fault.isReported = true;
    this.reported.add(attribute);
    const { revert } = fault;
    if (revert === undefined) return;
    this.#v.clock.schedule(this.#random.between(MINUTE, PERSON_MS), () => {
      revert();
      if (attribute === 'orphans') this.#injected.delete(id);
    });
  }

  #onState(host: MemoryHost): void {
    if (host.state === 'pending') {
      this.#cures.get(host)?.();
      this.#cures.delete(host);
    }
    if (host.state !== 'shutting-down' || this.#mayEnd.has(host)) return;
    this.violations.push(`a host of ${host.environment} under the tag of ${host.enclaveId} is ended`);
  }
}
