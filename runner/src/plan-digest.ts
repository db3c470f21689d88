/** Plan digest: what names a plan, so that the one that is applied can be told to be the one that was approved. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../src/enclave/json.ts';
import { changedOwned, WHOLE } from './drift.ts';
import type { TerraformPlan } from './engine/port.ts';

/**
 * Over what each resource would become: address, actions, and the owned attributes that change, by their values. Equal
 * plans have equal digests, whenever and by whom they are made. What is known only after the apply is no part of it, and
 * of a value nothing but the digest leaves this process.
 */
export function digestOf(plan: TerraformPlan): string {
  const changes = plan.resource_changes
    .map((each) => ({ ...each, attributes: changedOwned(each) }))
    .filter(({ attributes }) => attributes.length > 0)
    .map(({ address, change, attributes }) => {
      const after = change.after ?? {};
      const names = attributes.includes(WHOLE) ? Object.keys(after) : attributes;
      const values = Object.fromEntries(names.map((name) => [name, after[name] ?? null]));
      return { address, actions: change.actions, values };
    })
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return createHash('sha256').update(canonicalJson(changes)).digest('hex');
}
