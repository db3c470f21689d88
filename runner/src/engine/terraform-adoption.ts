/** What exists and a state does not list: taken into the state instead of made twice. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Found } from '../aws/inventory.ts';
import { EngineFailure, type TerraformPlan } from './port.ts';

/** Terraform's own: written beside the configuration, read at the next plan. */
const IMPORTS_FILE = 'imports.tf.json';

/** Types whose creation fails, or makes a second one, where the resource exists. The others are simply put again. */
const NOT_MADE_TWICE: ReadonlySet<string> = new Set([
  'aws_instance',
  'aws_security_group',
  'aws_iam_role',
  'aws_iam_instance_profile',
  'aws_cloudwatch_log_group',
  'aws_kms_key',
  'aws_kms_alias',
]);

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
    ({ address, type, dying }) => addresses.has(address) && NOT_MADE_TWICE.has(type) && dying !== true,
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
    throw refuse(`${one.importId} has the name of ${address} and the tags of another environment: it is left alone.`);
  }
  return one;
}

/** Writes `import` blocks. Ids and addresses are data to Terraform: `${` in an id would be a template. */
export function writeImports(folder: string, found: readonly Found[]): void {
  const blocks = found.map(({ address, importId }) => ({ to: address, id: escapeTemplate(importId) }));
  writeFileSync(join(folder, IMPORTS_FILE), JSON.stringify({ import: blocks }));
}

export function escapeTemplate(text: string): string {
  return text.replace(/[$%]\{/g, (start) => `${start.charAt(0)}${start}`);
}
