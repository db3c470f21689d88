/** What exists and a state does not list: taken into the state instead of made twice. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import { resourceTypeOf } from '../../../src/enclave/resource-types.ts';
import type { Found } from '../aws/inventory.ts';
import { EngineFailure, type TerraformPlan } from './port.ts';

/** Terraform's own: written beside the configuration, read at the next plan. */
const IMPORTS_FILE = 'imports.tf.json';

function refuse(summary: string): EngineFailure {
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'state' }]);
}

/** What a plan would create although it exists, by address. Throws where that cannot be decided by us. */
export function toImport(
  plan: TerraformPlan,
  inventory: readonly Found[],
  pinnedInstanceId: string | undefined,
): readonly Found[] {
  const created = plan.resource_changes.filter(({ change }) => change.actions.join() === 'create');
  const addresses = new Set(created.map(({ address }) => address));
  const wanted = inventory.filter(
    ({ address, type, dying }) =>
      addresses.has(address) && resourceTypeOf(type)?.adoption === 'import' && dying !== true,
  );
  const byAddress = Map.groupBy(wanted, ({ address }) => address);
  return [...byAddress].map(([address, found]) => oneOf(address, found, pinnedInstanceId));
}

function oneOf(address: string, found: readonly Found[], pinnedInstanceId: string | undefined): Found {
  const known = found.find(({ importId }) => importId === pinnedInstanceId);
  const [first] = found;
  const one = known ?? (found.length === 1 ? first : undefined);
  if (one === undefined) {
    const ids = found.map(({ importId }) => importId).join(', ');
    throw refuse(`The state does not list ${address}, and several bear its name: ${ids}. Remove all but one.`);
  }
  if (one.foreign === true) {
    throw refuse(
      `${one.importId} has the name of ${address}, but its tags (${TAG_ENCLAVE_ID}, ${TAG_ENVIRONMENT}) do not name this enclave, so the run does not use it. If it belongs to this enclave, restore its tags; otherwise use another id.`,
    );
  }
  return one;
}

/**
 * Addresses that a destroy must not delete: resources tagged for another enclave, and their parts. Untagged resources
 * count as this enclave's.
 */
export function ofAnotherEnclave(plan: TerraformPlan, enclaveId: string): readonly string[] {
  const known = plan.resource_changes.map(({ address, type, change: { before } }) => ({
    address,
    type,
    ...read(before),
  }));
  const others = known.filter(({ owner }) => owner !== undefined && owner !== enclaveId);
  const parents = new Set(others.flatMap(({ type, id }) => (id === undefined ? [] : [`${type} ${id}`])));
  const parts = known.filter(({ parent }) => parent !== undefined && parents.has(parent));
  return [...others, ...parts].map(({ address }) => address);
}

const Before = z.object({
  id: z.string().optional().catch(undefined),
  tags_all: z.record(z.string(), z.string()).optional().catch(undefined),
  role: z.string().optional().catch(undefined),
  role_name: z.string().optional().catch(undefined),
  target_key_id: z.string().optional().catch(undefined),
});

/** The owner of a resource by its tag, and its parent. An instance profile is tagged itself, so its role is no parent. */
function read(before: unknown): { readonly id?: string; readonly owner?: string; readonly parent?: string } {
  const { id, tags_all: tags, role, role_name: roleName, target_key_id: keyId } = Before.safeParse(before).data ?? {};
  const owner = tags?.[TAG_ENCLAVE_ID];
  const ofRole = roleName ?? role;
  const parent = keyId === undefined ? ofRole && `aws_iam_role ${ofRole}` : `aws_kms_key ${keyId}`;
  return {
    ...(id === undefined ? {} : { id }),
    ...(owner === undefined ? {} : { owner }),
    ...(parent === undefined || tags !== undefined ? {} : { parent }),
  };
}

/** Writes `import` blocks. Ids and addresses are data to Terraform: `${` in an id would be a template. */
export function writeImports(folder: string, found: readonly Found[]): void {
  const blocks = found.map(({ address, importId }) => ({ to: address, id: escapeTemplate(importId) }));
  writeFileSync(join(folder, IMPORTS_FILE), JSON.stringify({ import: blocks }));
}

export function escapeTemplate(text: string): string {
  return text.replace(/[$%]\{/g, (start) => `${start.charAt(0)}${start}`);
}
