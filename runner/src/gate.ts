/** The gate between plan and apply: what this run may do to what exists. */

import type { PlanSummary } from '../../src/enclave/items/run.ts';
import { isPlainMap } from '../../src/enclave/json.ts';
import type { RunAction } from '../../src/enclave/names.ts';
import type { PlannedChange, TerraformPlan } from './engine/port.ts';

export interface GatePolicy {
  /** `Retain` never deletes, not even in a destroy. */
  readonly deletionPolicy: 'Delete' | 'Retain';
  /** Only `Recreate` lets a change of the spec replace a resource. */
  readonly upgradeStrategy: string;
  /** Resource types that a repair may delete or replace; `*`: every type. */
  readonly repairMayReplace: ReadonlySet<string>;
  /** Some difference of the host may be repaired by another host: the run says whether it is for that one. */
  readonly repairMayReplaceHost: boolean;
  /** Only the plan that a person has approved may be applied. */
  readonly wantsApproval: boolean;
}

export interface GateInput {
  readonly action: RunAction;
  /** Why the run was started: `create`, `update`, `repair`, `adopt`, `destroy`. */
  readonly reason: string;
  readonly policy: GatePolicy;
  /** Class of the spec change the run was started for, or `replace` for a repair; undefined where it is not known. */
  readonly change?: string | undefined;
  readonly plan: TerraformPlan;
  /** The host the operator knows, and whether AWS was asked and says that it is gone. */
  readonly pinned: { readonly instanceId: string; readonly isGone: boolean } | undefined;
}

export type Verdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** `validation`: only another spec or policy helps; `state`: only a person. `unknown`: trying again may. */
      readonly class: 'validation' | 'state' | 'unknown';
      readonly message: string;
      readonly fix: string;
    };

const HOST_TYPE = 'aws_instance';
const HARMLESS: ReadonlySet<string> = new Set(['no-op', 'read', 'forget']);

type Effect = 'nothing' | 'create' | 'update' | 'replace' | 'delete';

/** Total: what Terraform may call by a name we do not know counts as a deletion. */
function effectOf({ change }: PlannedChange): Effect {
  const actions = change.actions.filter((action) => !HARMLESS.has(action));
  const creates = actions.includes('create');
  const deletes = actions.includes('delete');
  if (actions.length === 0) return 'nothing';
  if (actions.some((action) => !['create', 'update', 'delete'].includes(action))) return 'delete';
  if (deletes) return creates ? 'replace' : 'delete';
  return creates ? 'create' : 'update';
}

/** Reads the policy from a run's variables; what is absent or malformed is what a fresh record has. */
export function readPolicy(policy: unknown): GatePolicy {
  const map = isPlainMap(policy) ? policy : {};
  const upgrade = isPlainMap(map.upgrade) ? map.upgrade : {};
  const drift = isPlainMap(map.drift) ? map.drift : {};
  const overrides = isPlainMap(drift.overrides) ? drift.overrides : {};
  return {
    deletionPolicy: map.deletionPolicy === 'Retain' ? 'Retain' : 'Delete',
    upgradeStrategy: typeof upgrade.strategy === 'string' ? upgrade.strategy : 'Recreate',
    wantsApproval: drift.approval === 'manual',
    repairMayReplace: new Set(Object.keys(overrides).filter((type) => overrides[type] === 'repair')),
    repairMayReplaceHost: Object.values(overrides).includes('replace'),
  };
}

/** True where applying the plan would change anything, the state included. */
export function changesAnything(plan: TerraformPlan): boolean {
  if (plan.applyable !== undefined) return plan.applyable;
  return (
    plan.resource_drift.length > 0 ||
    plan.resource_changes.some((each) => effectOf(each) !== 'nothing' || each.change.importing !== undefined)
  );
}

export function createsHost(plan: TerraformPlan): boolean {
  return plan.resource_changes.some((each) => each.type === HOST_TYPE && effectOf(each) === 'create');
}

export function summarize(plan: TerraformPlan): PlanSummary {
  const count = (effect: Effect) => plan.resource_changes.filter((each) => effectOf(each) === effect).length;
  return { create: count('create'), update: count('update'), replace: count('replace'), delete: count('delete') };
}

const refuse = (message: string, fix: string): Verdict => ({ allowed: false, class: 'validation', message, fix });

function judgeDestroy({ plan, policy }: GateInput): Verdict {
  const other = plan.resource_changes.find((each) => !['nothing', 'delete'].includes(effectOf(each)));
  if (other !== undefined) {
    return refuse(
      `The destroy plan would ${effectOf(other)} ${other.address}; a destroy only deletes.`,
      'This is a fault of the stack: report it with the run.',
    );
  }
  const deletes = plan.resource_changes.some((each) => effectOf(each) === 'delete');
  if (deletes && policy.deletionPolicy === 'Retain') {
    return refuse('The deletion policy Retain forbids deleting anything.', 'Set deletionPolicy to Delete.');
  }
  return { allowed: true };
}

/** Taken over is what is found, and nothing is applied: but what is made on this ground later must not be made twice. */
function judgeAdoption({ plan }: GateInput): Verdict {
  const other = plan.resource_changes.find((each) => !['nothing', 'update'].includes(effectOf(each)));
  if (other === undefined) return { allowed: true };
  return {
    allowed: false,
    class: 'state',
    message: `The Terraform state does not describe what exists: a plan would ${effectOf(other)} ${other.address}.`,
    fix: 'Put the resource or the state back as it was (the state bucket keeps versions), then `enclavectl adopt` again.',
  };
}

function judgeRemoval(
  each: PlannedChange,
  effect: 'replace' | 'delete',
  { reason, policy, change }: GateInput,
): Verdict {
  const verb = effect === 'replace' ? 'replace' : 'delete';
  if (policy.deletionPolicy === 'Retain') {
    return refuse(
      `The plan would ${verb} ${each.address}, and the deletion policy Retain forbids that.`,
      'Undo the change of the spec, or set deletionPolicy to Delete.',
    );
  }
  if (reason === 'repair') {
    if (policy.repairMayReplace.has(each.type) || policy.repairMayReplace.has('*')) return { allowed: true };
    const isTheHost = each.type === HOST_TYPE && effect === 'replace' && change === 'replace';
    if (isTheHost && policy.repairMayReplaceHost) return { allowed: true };
    return refuse(
      `The repair would ${verb} ${each.address}; a repair never does so unasked.`,
      `Allow it with drift.overrides {"${each.type}": "repair"}, or change the spec.`,
    );
  }
  const isSpecChange = reason === 'create' || reason === 'update';
  if (isSpecChange && effect === 'replace') {
    if (policy.upgradeStrategy === 'Recreate') {
      // A host that failed half-made is replaced by the next create; a host that serves only where a field asks for it.
      const asked = reason === 'create' || each.type !== HOST_TYPE || change === undefined || change === 'replace';
      if (asked) return { allowed: true };
      return refuse(
        `The plan would replace ${each.address} for a change of class ${change}, which needs no new host.`,
        'This is a fault of the stack, or drift that only a replacement cures: report it with the run.',
      );
    }
    return refuse(
      `The change of the spec would replace ${each.address}; the upgrade strategy is ${policy.upgradeStrategy}.`,
      'Set upgrade.strategy to Recreate, or undo the change.',
    );
  }
  return refuse(
    `The plan would ${verb} ${each.address}; a ${reason || 'deploy'} run never does so.`,
    'This is a fault of the stack, or something that was added to the state by hand: report it with the run.',
  );
}

/**
 * Decides whether a plan may be applied.
 *
 * A change of the spec may replace where the upgrade strategy is Recreate; a repair only what `drift.overrides`
 * names; `Retain` never deletes; a destroy only deletes; nothing else ever deletes or replaces; and no host is made
 * while the one the operator knows is not proven gone.
 */
export function judge(input: GateInput): Verdict {
  if (input.action === 'destroy') return judgeDestroy(input);
  if (input.reason === 'adopt') return judgeAdoption(input);
  for (const each of input.plan.resource_changes) {
    const effect = effectOf(each);
    if (effect !== 'replace' && effect !== 'delete') continue;
    const verdict = judgeRemoval(each, effect, input);
    if (!verdict.allowed) return verdict;
  }
  const { pinned } = input;
  if (createsHost(input.plan) && pinned !== undefined && !pinned.isGone) {
    return {
      allowed: false,
      class: 'unknown',
      message: `The plan would create a host although ${pinned.instanceId} is not known to be gone.`,
      fix: 'It is tried again by itself; if it goes on, look for the host in EC2 and at the Terraform state.',
    };
  }
  return { allowed: true };
}
