/** Everything of the simulated cloud that is not a host: groups, roles, profiles, log groups, objects. */
import { resourceTypeOf } from '../../enclave/resource-types.ts';
import type { Random } from '../../reconciler/ports/index.ts';
import type { Journal } from '../journal.ts';
import { hex } from './ids.ts';
import { type Attributes, ResourceSchema, type SimResource } from './model.ts';
import { Shelf } from './shelf.ts';

const keyOf = (region: string, type: string, name: string) => JSON.stringify([region, type, name]);

export class SimResources {
  readonly #random: Random;
  readonly #shelf: Shelf<SimResource>;
  /** Keys by enclave: its resources are asked for at every plan. */
  readonly #byEnclave = new Map<string, Set<string>>();
  /** Keys by region and id, of types whose id is not their name. */
  readonly #byId = new Map<string, string>();

  constructor(random: Random, journal: Journal) {
    this.#random = random;
    this.#shelf = new Shelf(journal, 'resource/', ResourceSchema);
    for (const resource of this.all()) this.#index(resource);
  }

  all(): IterableIterator<SimResource> {
    return this.#shelf.values();
  }

  byName(region: string, type: string, name: string): SimResource | undefined {
    return this.#shelf.get(keyOf(region, type, name));
  }

  byId(region: string, type: string, id: string): SimResource | undefined {
    if (resourceTypeOf(type)?.idPrefix === undefined) return this.byName(region, type, id);
    const key = this.#byId.get(keyOf(region, type, id));
    return key === undefined ? undefined : this.#shelf.get(key);
  }

  ofEnclave(enclaveId: string): readonly SimResource[] {
    return [...(this.#byEnclave.get(enclaveId) ?? [])].flatMap((key) => this.#shelf.get(key) ?? []);
  }

  create(fields: Omit<SimResource, 'id'>): SimResource {
    const prefix = resourceTypeOf(fields.type)?.idPrefix;
    const id = prefix === undefined ? fields.name : prefix + hex(this.#random, 17);
    const resource = { ...fields, id };
    this.#index(resource);
    return this.#shelf.put(keyOf(fields.region, fields.type, fields.name), resource);
  }

  update(resource: SimResource, attributes: Attributes): SimResource {
    const next = { ...resource, attributes: { ...resource.attributes, ...attributes } };
    return this.#shelf.put(keyOf(resource.region, resource.type, resource.name), next);
  }

  delete(resource: SimResource): void {
    const key = keyOf(resource.region, resource.type, resource.name);
    this.#shelf.delete(key);
    this.#byId.delete(keyOf(resource.region, resource.type, resource.id));
    const keys = this.#byEnclave.get(resource.enclaveId);
    keys?.delete(key);
    if (keys?.size === 0) this.#byEnclave.delete(resource.enclaveId);
  }

  #index(resource: SimResource): void {
    const key = keyOf(resource.region, resource.type, resource.name);
    this.#byId.set(keyOf(resource.region, resource.type, resource.id), key);
    this.#byEnclave.set(resource.enclaveId, (this.#byEnclave.get(resource.enclaveId) ?? new Set()).add(key));
  }
}
