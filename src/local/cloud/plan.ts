/** Terraform's plan: what the state says, what exists, what is declared, and the steps between them. */
import { canonicalJson, isPlainMap } from '../../enclave/json.ts';
import { resourceTypeOf } from '../../enclave/resource-types.ts';
import type { Attributes, Recorded } from './model.ts';
import { type Declared, KEPT } from './stack.ts';

export type Action = 'no-op' | 'create' | 'update' | 'delete';

/** One entry of `resource_changes` or `resource_drift`, as `terraform show -json` has them. */
export interface Change {
  readonly address: string;
  readonly type: string;
  readonly name: string;
  readonly change: {
    readonly actions: readonly Action[];
    /** With the `id` the resource has. */
    readonly before: Attributes | null;
    readonly after: Attributes | null;
    readonly importing?: { readonly id: string };
  };
}

export interface Plan {
  readonly resource_changes: readonly Change[];
  readonly resource_drift: readonly Change[];
}

/** A resource that exists. */
export interface Found {
  readonly id: string;
  readonly attributes: Attributes;
}

/** Looks at what exists. A host on its way out does not. */
export interface Reality {
  byId(type: string, id: string): Found | undefined;
  byName(type: string, name: string): Found | undefined;
}

const entry = (address: string, change: Change['change']): Change => {
  const dot = address.indexOf('.');
  return { address, type: address.slice(0, dot), name: address.slice(dot + 1), change };
};

/** The members of `actual` that `declared` speaks of: what else exists is nobody's business here. */
function project(actual: unknown, declared: unknown): unknown {
  if (!isPlainMap(declared)) return actual;
  const map = isPlainMap(actual) ? actual : {};
  return Object.fromEntries(Object.keys(declared).map((key) => [key, map[key]]));
}

function differing(actual: Attributes, declared: Attributes): readonly string[] {
  return Object.keys(declared).filter((key) => {
    const value = key === 'tags' ? project(actual[key], declared[key]) : actual[key];
    return canonicalJson(value) !== canonicalJson(declared[key]);
  });
}

function actionsOf(type: string, found: Found, declared: Attributes, isForced: boolean): readonly Action[] {
  if (isForced) return ['delete', 'create'];
  const changed = differing(found.attributes, declared);
  if (changed.length === 0) return ['no-op'];
  const replaced = changed.some((key) => resourceTypeOf(type)?.immutable?.includes(key));
  return replaced ? ['delete', 'create'] : ['update'];
}

const withId = (found: Found): Attributes => ({ ...found.attributes, id: found.id });

/** What the refresh saw: resources of the state that are gone or are no longer as the state has them. */
function driftOf(recorded: Recorded, actual: Found | undefined): Change | undefined {
  const before = { ...recorded.attributes, id: recorded.id };
  if (actual === undefined) return entry(recorded.address, { actions: ['delete'], before, after: null });
  if (differing(actual.attributes, recorded.attributes).length === 0) return undefined;
  return entry(recorded.address, { actions: ['update'], before, after: withId(actual) });
}

function stepTo(declared: Declared, known: Found | undefined, reality: Reality, replaced: string | undefined): Change {
  const found = known ?? reality.byName(declared.type, declared.name);
  if (found === undefined) {
    return entry(declared.address, { actions: ['create'], before: null, after: declared.attributes });
  }
  return entry(declared.address, {
    actions: actionsOf(declared.type, found, declared.attributes, declared.address === replaced),
    before: withId(found),
    after: declared.attributes,
    // It exists although the state does not know it: taken over, never made twice.
    ...(known === undefined ? { importing: { id: found.id } } : {}),
  });
}

function removal(address: string, found: Found, imported: boolean): Change {
  const importing = imported ? { importing: { id: found.id } } : {};
  return entry(address, { actions: ['delete'], before: withId(found), after: null, ...importing });
}

/**
 * Plans towards `declared`, or towards nothing.
 *
 * Guarantees: pure; what exists under a declared name is imported, even where a destroy removes it at once; a
 * resource of the state that nothing declares is deleted, unless it is one the stack keeps. `replaced`: the address of
 * what is made anew whether it differs or not.
 */
export function makePlan(
  recorded: readonly Recorded[],
  declared: readonly Declared[],
  reality: Reality,
  destroy: boolean,
  replaced?: string,
): Plan {
  const actual = new Map(recorded.map((each) => [each.address, reality.byId(each.type, each.id)] as const));
  const resource_drift = recorded
    .map((each) => driftOf(each, actual.get(each.address)))
    .filter((change) => change !== undefined);
  const declaredAddresses = new Set(declared.map(({ address }) => address));
  const undeclared = recorded.filter(({ address }) => !declaredAddresses.has(address));

  const changes = declared.flatMap((each): readonly Change[] => {
    const known = actual.get(each.address);
    if (!destroy) return [stepTo(each, known, reality, replaced)];
    const found = known ?? reality.byName(each.type, each.name);
    return found === undefined ? [] : [removal(each.address, found, known === undefined)];
  });
  const others = undeclared.flatMap(({ address }): readonly Change[] => {
    const found = actual.get(address);
    if (found === undefined) return [];
    if (!destroy && KEPT.has(address)) {
      const attributes = withId(found);
      return [entry(address, { actions: ['no-op'], before: attributes, after: attributes })];
    }
    return [removal(address, found, false)];
  });
  const steps = [...others, ...changes];
  return { resource_changes: destroy ? steps.reverse() : steps, resource_drift };
}
