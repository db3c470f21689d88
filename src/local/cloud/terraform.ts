/** Simulated Terraform: plan, apply, interrupt, on states with locks. */
import { isPlainMap } from '../../enclave/json.ts';
import { HOST_ADDRESS } from '../../enclave/names.ts';
import type { Random } from '../../reconciler/ports/index.ts';
import type { Journal } from '../journal.ts';
import { carryOut, type Step, TerraformFailure, type World } from './carry-out.ts';
import { DELAYS } from './delays.ts';
import type { Diagnostic } from './faults.ts';
import { hex } from './ids.ts';
import { type Attributes, type SimState, StateSchema } from './model.ts';
import { type Change, makePlan, type Plan } from './plan.ts';
import { lookAt } from './reality.ts';
import { Shelf } from './shelf.ts';
import { CONFIGURATION_ADDRESS, type Declared, declare, HOST_TYPE } from './stack.ts';
import type { Tally } from './tally.ts';
import * as ui from './terraform-ui.ts';

export interface PlanRequest {
  readonly enclaveId: string;
  readonly stateKey: string;
  readonly destroy: boolean;
  /** `RunVariables`, as they come: read with care. */
  readonly variables: Readonly<Record<string, unknown>>;
}

export type PlanAnswer = { readonly planId: string } & Plan;
export interface ApplyResult {
  readonly ok: boolean;
  readonly interrupted: boolean;
}

interface SavedPlan {
  readonly planId: string;
  readonly request: PlanRequest;
  readonly region: string;
  readonly declared: readonly Declared[];
  readonly plan: Plan;
  /** Serial of the state it was made from. */
  readonly serial: number;
  interrupted: boolean;
}

/** A diagnostic thrown where Terraform would print one and exit. */
export class PlanRefused extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.summary);
    this.diagnostic = diagnostic;
  }
}

const isOurs = ({ resources }: SimState) => resources.some(({ address }) => address === CONFIGURATION_ADDRESS);
const text = (value: unknown, fallback: string) => (typeof value === 'string' && value !== '' ? value : fallback);

export class SimTerraform {
  readonly #world: World;
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #region: string;
  readonly #environment: string;
  readonly #states: Shelf<SimState>;
  /** Holder by state key. Not kept on disk: who held a lock has died with this process. */
  readonly #locks = new Map<string, string>();
  readonly #plans = new Map<string, SavedPlan>();

  constructor(options: {
    readonly world: World;
    readonly random: Random;
    readonly tally: Tally;
    readonly journal: Journal;
    readonly region: string;
    readonly environment: string;
  }) {
    this.#world = options.world;
    this.#random = options.random;
    this.#tally = options.tally;
    this.#region = options.region;
    this.#environment = options.environment;
    this.#states = new Shelf(options.journal, 'state/', StateSchema);
  }

  state(key: string): SimState {
    return this.#states.get(key) ?? { key, serial: 0, resources: [], outputs: {} };
  }

  save(state: SimState): void {
    this.#states.put(state.key, { ...state, serial: state.serial + 1 });
  }

  /** As if somebody had deleted the state object. */
  lose(key: string): void {
    this.#states.delete(key);
  }

  /** Named look-ups of every resource type, and hosts by tag; also one host by its id. */
  inventory(enclaveId: string, instanceId?: string): readonly { type: string; id: string; name: string }[] {
    const { hosts, resources } = this.#world;
    const found = [...hosts.all()].filter(
      (host) => host.state !== 'terminated' && (host.tags.EnclaveId === enclaveId || host.instanceId === instanceId),
    );
    return [
      ...resources.ofEnclave(enclaveId).map(({ type, id, name }) => ({ type, id, name })),
      ...found.map((host) => ({ type: HOST_TYPE, id: host.instanceId, name: host.tags.Name ?? '' })),
    ];
  }

  /** Throws {@link PlanRefused}. The plan is forgotten when it has been applied. */
  async plan(request: PlanRequest, killed: AbortSignal): Promise<PlanAnswer> {
    const { enclaveId, stateKey } = request;
    const planId = `plan-${hex(this.#random, 16)}`;
    const done = this.#tally.begin(enclaveId);
    try {
      this.#tally.of(enclaveId).plans += 1;
      const unlock = this.#lock(stateKey, planId);
      try {
        await this.#world.timers.sleep(DELAYS.plan, killed);
        await this.#world.faults.whileHeld(enclaveId, 'plan', killed);
        const fault = this.#world.faults.takeRun(enclaveId, 'plan');
        if (fault !== undefined) throw new PlanRefused(fault);
        const saved = this.#makePlan(planId, request);
        this.#plans.set(planId, saved);
        return { planId, ...saved.plan };
      } finally {
        unlock();
      }
    } finally {
      done();
    }
  }

  /** One SIGINT to Terraform. Also before its apply has begun, which then ends at once. */
  interrupt(planId: string): boolean {
    const saved = this.#plans.get(planId);
    if (saved === undefined) return false;
    this.#tally.interrupt(saved.request.enclaveId, planId);
    saved.interrupted = true;
    this.#world.faults.wake();
    return true;
  }

  /**
   * Applies a plan, telling of it line by line as `terraform apply -json` does.
   *
   * When `killed` aborts, Terraform is dead: what it had asked of AWS happens, and its state does not learn of it.
   */
  async apply(planId: string, emit: (line: object) => void, killed: AbortSignal): Promise<ApplyResult> {
    const saved = this.#plans.get(planId);
    if (saved === undefined) {
      emit(ui.diagnostic({ severity: 'error', summary: 'Failed to load plan file', detail: `There is no ${planId}.` }));
      return { ok: false, interrupted: false };
    }
    const { enclaveId, stateKey } = saved.request;
    const tally = this.#tally.of(enclaveId);
    const done = this.#tally.begin(enclaveId);
    const dead = () => done();
    killed.addEventListener('abort', dead, { once: true });
    tally.appliesStarted += 1;
    let unlock = () => {};
    try {
      unlock = this.#lock(stateKey, planId);
      if (this.state(stateKey).serial !== saved.serial) {
        tally.stalePlans += 1;
        const detail =
          'The given plan file can no longer be applied because the state was changed by another operation.';
        throw new PlanRefused({ severity: 'error', summary: 'Saved plan is stale', detail });
      }
      this.#refresh(saved);
      for (const change of saved.plan.resource_changes) {
        await this.#world.faults.whileHeld(enclaveId, 'apply', killed, () => saved.interrupted);
        if (killed.aborted || saved.interrupted) break;
        await this.#step(saved, change, emit, killed);
      }
      return this.#end(saved, emit, killed);
    } catch (error) {
      if (error instanceof PlanRefused) emit(ui.diagnostic(error.diagnostic));
      else if (error instanceof TerraformFailure) {
        emit(ui.diagnostic({ severity: 'error', summary: error.summary, detail: error.detail }));
      } else throw error;
      return { ok: false, interrupted: saved.interrupted };
    } finally {
      killed.removeEventListener('abort', dead);
      this.#plans.delete(planId);
      unlock();
      done();
      tally.appliesFinished += 1;
    }
  }

  #end(saved: SavedPlan, emit: (line: object) => void, killed: AbortSignal): ApplyResult {
    const { stateKey, destroy } = saved.request;
    if (killed.aborted) return { ok: false, interrupted: false };
    if (saved.interrupted) {
      emit(ui.diagnostic({ severity: 'error', summary: 'execution halted', detail: '' }));
      return { ok: false, interrupted: true };
    }
    const state = this.state(stateKey);
    if (destroy && state.resources.length === 0) this.lose(stateKey);
    emit(ui.summary(saved.plan, destroy));
    emit(ui.outputs(state.outputs));
    return { ok: true, interrupted: false };
  }

  #lock(stateKey: string, planId: string): () => void {
    const holder = this.#locks.get(stateKey);
    if (holder !== undefined) {
      const detail = `Error message: state blob is already locked\nLock Info:\n  ID:        ${holder}\n  Path:      ${stateKey}`;
      throw new PlanRefused({ severity: 'error', summary: 'Error acquiring the state lock', detail });
    }
    this.#locks.set(stateKey, planId);
    return () => {
      if (this.#locks.get(stateKey) === planId) this.#locks.delete(stateKey);
    };
  }

  #makePlan(planId: string, request: PlanRequest): SavedPlan {
    const { variables, enclaveId, stateKey, destroy } = request;
    const region = text(variables.region, this.#region);
    const spec = isPlainMap(variables.spec) ? variables.spec : undefined;
    if (spec === undefined && !destroy) {
      const detail = 'The root module input variable "spec" is not set, and has no default value.';
      throw new PlanRefused({ severity: 'error', summary: 'No value for required variable', detail });
    }
    const pinned = isPlainMap(variables.pinned) ? variables.pinned : {};
    const state = this.state(stateKey);
    const reality = lookAt(this.#world, enclaveId, region, text(pinned.instanceId, ''));
    const recorded = state.resources.find(({ address }) => address === HOST_ADDRESS);
    const found = (recorded && reality.byId(HOST_TYPE, recorded.id)) ?? reality.byName(HOST_TYPE, enclaveId);
    const present = found === undefined ? undefined : this.#world.hosts.get(found.id);
    // A host of the system before this one stays as its state has it, until a change asks for a new one.
    const isLegacy = present !== undefined && recorded !== undefined && !isOurs(state);
    const replaces = isLegacy && variables.change === 'replace';
    const input = {
      enclaveId,
      region,
      environment: text(variables.environment, this.#environment),
      generation: typeof variables.generation === 'number' ? variables.generation : 0,
      spec: spec ?? {},
      pinnedAmiId: pinned.amiId === undefined || replaces ? undefined : text(pinned.amiId, '') || undefined,
    };
    const declared =
      isLegacy && !replaces && !destroy
        ? state.resources.map(({ address, type, id, attributes }) => ({ address, type, name: id, attributes }))
        : declare(
            input,
            present === undefined || replaces ? undefined : { ami: present.amiId, architecture: present.architecture },
          );
    const isAsked = variables.change === 'replace' && found !== undefined && found.id === variables.replaces;
    const replaced = isAsked ? HOST_ADDRESS : undefined;
    const plan = makePlan(state.resources, declared, reality, destroy, replaced);
    return { planId, request, region, declared, plan, serial: state.serial, interrupted: false };
  }

  /** What the plan's refresh saw enters the state before anything is changed. */
  #refresh({ request, plan }: SavedPlan): void {
    const gone = new Set(
      plan.resource_drift.filter(({ change }) => change.after === null).map(({ address }) => address),
    );
    if (gone.size === 0) return;
    const state = this.state(request.stateKey);
    this.save({ ...state, resources: state.resources.filter(({ address }) => !gone.has(address)) });
  }

  async #step(saved: SavedPlan, change: Change, emit: (line: object) => void, killed: AbortSignal): Promise<void> {
    const { enclaveId, stateKey, destroy } = saved.request;
    const { address, type } = change;
    const { actions, before, after, importing } = change.change;
    let id = typeof before?.id === 'string' ? before.id : undefined;
    if (importing !== undefined && !destroy) this.#record(stateKey, address, id, after ?? {});
    const name = saved.declared.find((each) => each.address === address)?.name ?? id ?? '';
    for (const action of actions) {
      if (action === 'no-op') return;
      if (type === HOST_TYPE) {
        const fault = this.#world.faults.takeRun(enclaveId, 'apply');
        if (fault !== undefined) throw new PlanRefused({ ...fault, address });
      }
      emit(ui.started(change, action));
      const step: Step = { address, type, name, action, id, after: after ?? {}, enclaveId, region: saved.region };
      id = await carryOut(step, this.#world, killed);
      if (killed.aborted) return;
      this.#record(stateKey, address, id, after ?? {});
      emit(ui.completed(change, action, id));
      // A replacement is two resources to Terraform: an interrupt comes between them.
      if (saved.interrupted) return;
    }
  }

  /** Saves the state with one resource as it is now; undefined id: gone. */
  #record(stateKey: string, address: string, id: string | undefined, attributes: Attributes): void {
    const state = this.state(stateKey);
    const others = state.resources.filter((each) => each.address !== address);
    const type = address.slice(0, address.indexOf('.'));
    const resources = id === undefined ? others : [...others, { address, type, id, attributes }];
    const host = resources.find((each) => each.address === HOST_ADDRESS);
    const outputs: Record<string, string> = host === undefined ? {} : { instance_id: host.id };
    const ami = host?.attributes.ami;
    if (typeof ami === 'string') outputs.ami_id = ami;
    this.save({ ...state, resources, outputs });
  }
}
