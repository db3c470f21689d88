/** Lines as Terraform's machine-readable UI prints them. */
import type { Diagnostic } from './faults.ts';
import type { Action, Change, Plan } from './plan.ts';

const VERBS: Readonly<Record<Action, readonly [doing: string, done: string]>> = {
  'no-op': ['Reading...', 'Read complete'],
  create: ['Creating...', 'Creation complete'],
  update: ['Modifying...', 'Modifications complete'],
  delete: ['Destroying...', 'Destruction complete'],
};

const line = (type: string, message: string, members: object, level = 'info') => ({
  '@level': level,
  '@message': message,
  '@module': 'terraform.ui',
  type,
  ...members,
});

const resourceOf = ({ address, type, name }: Change) => ({
  addr: address,
  module: '',
  resource: address,
  implied_provider: 'aws',
  resource_type: type,
  resource_name: name,
  resource_key: null,
});

export function started(change: Change, action: Action): object {
  const hook = { resource: resourceOf(change), action };
  return line('apply_start', `${change.address}: ${VERBS[action][0]}`, { hook });
}

export function completed(change: Change, action: Action, id: string | undefined): object {
  const hook = { resource: resourceOf(change), action, ...(id === undefined ? {} : { id_key: 'id', id_value: id }) };
  return line('apply_complete', `${change.address}: ${VERBS[action][1]}${id === undefined ? '' : ` [id=${id}]`}`, {
    hook,
  });
}

export function diagnostic(what: Diagnostic): object {
  const level = what.severity === 'error' ? 'error' : 'warn';
  return line(
    'diagnostic',
    `${what.severity === 'error' ? 'Error' : 'Warning'}: ${what.summary}`,
    { diagnostic: what },
    level,
  );
}

export function summary(plan: Plan, destroy: boolean): object {
  const count = (action: Action) =>
    plan.resource_changes.filter(({ change }) => change.actions.includes(action)).length;
  const changes = {
    add: count('create'),
    change: count('update'),
    import: plan.resource_changes.filter(({ change }) => change.importing !== undefined).length,
    remove: count('delete'),
    operation: destroy ? 'destroy' : 'apply',
  };
  const message = destroy
    ? `Destroy complete! Resources: ${changes.remove} destroyed.`
    : `Apply complete! Resources: ${changes.add} added, ${changes.change} changed, ${changes.remove} destroyed.`;
  return line('change_summary', message, { changes });
}

export function outputs(values: Readonly<Record<string, string>>): object {
  const entries = Object.entries(values).map(([name, value]) => [name, { sensitive: false, type: 'string', value }]);
  return line('outputs', `Outputs: ${entries.length}`, { outputs: Object.fromEntries(entries) });
}
