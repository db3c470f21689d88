/** From a full plan to what has drifted: the attributes the operator owns, and nothing else. */
import type { DriftResult } from '../../src/enclave/items/fleet-run.ts';
import { MOST_DIFFERENCES } from '../../src/enclave/items/plan.ts';
import { canonicalJson, equalJson, isPlainMap } from '../../src/enclave/json.ts';
import { comparedAttributes } from '../../src/enclave/resource-types.ts';
import type { PlannedChange, TerraformPlan } from './engine/port.ts';

type Differences = NonNullable<DriftResult['differences']>;
export interface DriftVerdict {
  readonly drifted: boolean;
  readonly differences: Differences;
}

/** Members of these blocks that AWS fills in by itself. */
const FILLED_IN: ReadonlySet<string> = new Set(['volume_id', 'device_name', 'tags', 'tags_all', 'kms_key_id']);
/** Stands for a resource that is not there, or is no longer what the stack knows. */
export const WHOLE = '*';

type Attributes = Readonly<Record<string, unknown>>;

/**
 * `resource_changes` say what the stack would put right: wanted is `after`, found is `before`. `resource_drift` says
 * what Terraform saw change since its last apply, also where the stack ignores it: wanted is `before`, found `after`.
 * Foreign tags are nobody's drift. Exit codes and `-refresh-only` say nothing of the kind.
 */
export function driftOf(plan: TerraformPlan): DriftVerdict {
  const found = new Map<string, Set<string>>();
  const note = (address: string, attributes: readonly string[]) => {
    if (attributes.length === 0) return;
    const known = found.get(address) ?? new Set();
    for (const attribute of attributes) known.add(attribute);
    found.set(address, known);
  };
  for (const each of plan.resource_changes) note(each.address, changedOwned(each));
  for (const each of plan.resource_drift) note(each.address, moved(each));
  const differences = [...found]
    .map(([address, attributes]) => ({ address, attributes: [...attributes].sort() }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return {
    drifted: differences.length > 0,
    differences: differences.slice(0, MOST_DIFFERENCES),
  };
}

/** Owned attributes the plan would put right, or all of a resource it would make or remove. */
export function changedOwned({ type, change }: PlannedChange): readonly string[] {
  const { actions, before, after } = change;
  if (actions.every((action) => action === 'no-op' || action === 'read')) return [];
  if (actions.join() === 'update' && before && after) return differing(type, after, before);
  return [WHOLE];
}

function moved({ type, change }: PlannedChange): readonly string[] {
  if (change.before && change.after) return differing(type, change.before, change.after);
  return [WHOLE];
}

function differing(type: string, wanted: Attributes, found: Attributes): readonly string[] {
  const names = comparedAttributes(type) ?? [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
  return names.filter((name) => !agrees(name, wanted[name], found[name]));
}

function agrees(name: string, wanted: unknown, found: unknown): boolean {
  if (name !== 'tags') return equalJson(comparable(wanted), comparable(found));
  const [ours, theirs] = [asMap(wanted), asMap(found)];
  return Object.keys(ours).every((key) => ours[key] === theirs[key]);
}

const asMap = (value: unknown): Attributes => (isPlainMap(value) ? value : {});

/** Sets come as lists in any order; null, empty and absent mean the same. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) {
    const members = value.map(comparable);
    return members.length === 0 ? null : members.sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  }
  if (isPlainMap(value)) {
    const members = Object.entries(value).filter(
      ([name, each]) => !FILLED_IN.has(name) && each !== null && each !== '',
    );
    return Object.fromEntries(members.map(([name, each]) => [name, comparable(each)]));
  }
  return value === '' || value === undefined ? null : value;
}
