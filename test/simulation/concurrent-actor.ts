/** The meddler: does mischief to a fleet at random times, each row of the comparison in turn, and keeps account of it. */
import type { Attribute } from '../../src/drift/index.ts';
import { ATTRIBUTES } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import type { OperatorEvent } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { stateKey } from '../../src/enclave/names.ts';
import type { StateObject, TerraformStates } from '../../src/reconciler/ports/index.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';
import { MISCHIEF, strayOf } from './faults.ts';
import type { Dice } from './random.ts';

const MINUTE = 60_000;
/** A person takes back what is only told of this long after it was told, at most. */
const PERSON_MS = 20 * MINUTE;
/** Where nobody is left to do it to, it is tried again. */
const AGAIN_MS = 5 * MINUTE;

/** Terraform's states, as the bucket lists them. */
export class States implements TerraformStates {
  readonly all = new Map<string, StateObject>();

  async *list(): AsyncIterable<readonly StateObject[]> {
    yield [...this.all.values()];
  }

  make(enclaveId: string, modifiedAt: number): void {
    this.all.set(enclaveId, { enclaveId, key: stateKey(enclaveId), modifiedAt });
  }
}

interface Wrong {
  readonly attribute: Attribute;
  readonly takeBack: (() => void) | undefined;
  isTold: boolean;
}

export interface Fleet {
  readonly running: readonly string[];
  readonly paused: readonly string[];
  own(id: string): MemoryHost | undefined;
  /** Its policy lets the host be replaced, and has its checks told and not repaired. */
  isLenient(id: string): boolean;
  /** In truth, and as the operator has it. */
  isWell(id: string): boolean;
}

export class Meddler {
  /** What was told of at least once. */
  readonly told = new Set<Attribute>();
  /** Enclaves whose hosts were changed. */
  readonly touched = new Set<string>();
  readonly violations: string[] = [];
  /** Not done yet. */
  #ahead = 0;
  readonly #v: VirtualOperator;
  readonly #states: States;
  readonly #fleet: Fleet;
  readonly #dice: Dice;
  /** One wrong at a time of one enclave: two might be told as one. */
  readonly #wrongs = new Map<string, Wrong>();
  readonly #mayEnd = new Set<MemoryHost>();
  readonly #cures = new Map<MemoryHost, () => void>();

  constructor(v: VirtualOperator, states: States, fleet: Fleet, dice: Dice) {
    this.#v = v;
    this.#states = states;
    this.#fleet = fleet;
    this.#dice = dice;
    v.world.hosts.onState = (host) => this.#moved(host);
    v.world.runs.fleet.plan = ({ id }) => {
      const differences = [...(v.world.surroundings.all.get(id)?.hidden ?? [])];
      return { drifted: differences.length > 0, differences, planDigest: 'of-this-plan' };
    };
    v.world.tables.state.watch((_before, after) => {
      if (after?.sk === 'lifecycle') this.#read(after as unknown as Lifecycle);
    });
    v.world.tables.history.watch((_before, after) => {
      const { id, reason } = (after ?? {}) as unknown as OperatorEvent;
      if (reason === 'OrphanFound') this.#tell(id.slice(0, -strayOf('').length), 'orphans');
    });
  }

  /** All was done, was told of, and is over. */
  get isOver(): boolean {
    return this.#ahead === 0 && this.#wrongs.size === 0;
  }

  /** What is not over, in words. */
  get left(): readonly string[] {
    const wrongs = [...this.#wrongs].map(([id, { attribute, isTold }]) => {
      const lifecycle = this.#v.lifecycle(id);
      const inSync = conditionOf(lifecycle?.conditions ?? [], 'InSync');
      return `${attribute} of ${id}, ${isTold ? 'told' : 'not told'} (${lifecycle?.phase}, ${inSync?.status} ${inSync?.reason} ${inSync?.message ?? ''})`;
    });
    return [...wrongs, `${this.#ahead} ahead`];
  }

  /** Does so many, at random times within `withinMs`, row by row. */
  meddle(many: number, withinMs: number): void {
    const isThere = (attribute: Attribute) => this.#candidates(attribute).length > 0;
    const rows = this.#shuffled().filter(isThere);
    this.#ahead += many;
    for (let n = 0; n < many; n += 1) {
      const attribute = rows[n % rows.length]!;
      this.#v.clock.schedule(this.#dice.between(0, withinMs), () => this.#do(attribute));
    }
  }

  #shuffled(): readonly Attribute[] {
    return ATTRIBUTES.map((attribute) => ({ attribute, luck: this.#dice.random.next() }))
      .sort((a, b) => a.luck - b.luck)
      .map(({ attribute }) => attribute);
  }

  #candidates(attribute: Attribute): readonly string[] {
    const { of } = MISCHIEF[attribute];
    if (of !== 'lenient') return this.#fleet[of];
    return this.#fleet.running.filter((id) => this.#fleet.isLenient(id));
  }

  #do(attribute: Attribute): void {
    const { clock, world } = this.#v;
    const { deeds } = MISCHIEF[attribute];
    const free = this.#candidates(attribute).filter((id) => !this.#wrongs.has(id));
    const id = free.length === 0 ? undefined : this.#dice.pick(free);
    const host = this.#fleet.own(id ?? '');
    const around = world.surroundings.all.get(id ?? '');
    if (id === undefined || host === undefined || around === undefined || !this.#fleet.isWell(id)) {
      clock.schedule(AGAIN_MS, () => this.#do(attribute));
      return;
    }
    this.touched.add(id);
    this.#ahead -= 1;
    const takeBack = this.#dice.pick(deeds)({
      world,
      host,
      around,
      replaceable: this.#fleet.isLenient(id),
      now: clock.now(),
      mayEnd: (each) => this.#mayEnd.add(each),
      curedByBoot: (cure) => this.#cures.set(host, cure),
      loseState: () => {
        this.#states.all.delete(id);
        return () => this.#states.make(id, clock.now());
      },
    });
    this.#wrongs.set(id, { attribute, takeBack, isTold: false });
  }

  /** Told where InSync is False for its reason, or its findings name it. */
  #read({ id, conditions, findings = [] }: Lifecycle): void {
    const wrong = this.#wrongs.get(id);
    if (wrong === undefined) return;
    const { reason } = MISCHIEF[wrong.attribute];
    const inSync = conditionOf(conditions, 'InSync');
    const isNamed = findings.some(({ attribute }) => attribute === wrong.attribute);
    if (isNamed || (reason !== undefined && inSync?.reason === reason)) this.#tell(id, wrong.attribute);
    if (wrong.isTold && this.#fleet.isWell(id)) this.#wrongs.delete(id);
  }

  #tell(id: string, attribute: Attribute): void {
    const wrong = this.#wrongs.get(id);
    if (wrong?.attribute !== attribute || wrong.isTold) return;
    wrong.isTold = true;
    this.told.add(attribute);
    const { takeBack } = wrong;
    if (takeBack === undefined) return;
    this.#v.clock.schedule(this.#dice.between(MINUTE, PERSON_MS), () => {
      takeBack();
      if (attribute === 'orphans') this.#wrongs.delete(id);
    });
  }

  #moved(host: MemoryHost): void {
    if (host.state === 'pending') {
      this.#cures.get(host)?.();
      this.#cures.delete(host);
    }
    if (host.state !== 'shutting-down' || this.#mayEnd.has(host)) return;
    this.violations.push(`a host of ${host.environment} under the tag of ${host.enclaveId} is ended`);
  }
}
