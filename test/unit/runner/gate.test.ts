/** The gate: what each action and policy lets a plan do. */
import { describe, expect, it } from 'vitest';
import type { PlannedChange } from '../../../runner/src/engine/port.ts';
import {
  changesAnything,
  createsHost,
  type GateInput,
  judge,
  readPolicy,
  summarize,
} from '../../../runner/src/gate.ts';

const change = (address: string, ...actions: string[]): PlannedChange => ({
  address,
  type: address.slice(0, address.indexOf('.')),
  change: { actions, before: null },
});
const HOST = 'aws_instance.enclave_instance';
const GROUP = 'aws_security_group.enclave_sg';
const ROLE = 'aws_iam_role.enclave_instance_role';

interface Row {
  readonly reason: string;
  readonly run: 'create' | 'update' | 'repair' | 'adopt' | 'destroy' | 'resize';
  readonly changes: readonly PlannedChange[];
  readonly policy?: unknown;
  readonly pinned?: GateInput['pinned'];
  /** The operator's word that the run is for a difference that only a new host cures. */
  readonly forNewHost?: boolean;
  readonly allowed: boolean;
  /** A part of the message, where refused. */
  readonly says?: string;
}

const gone = { instanceId: 'i-1', isGone: true };
const there = { instanceId: 'i-1', isGone: false };
const recreate = { upgrade: { strategy: 'Recreate' } };
const blueGreen = { upgrade: { strategy: 'BlueGreen' } };
const retain = { deletionPolicy: 'Retain' };
const repairsHost = { drift: { overrides: { aws_instance: 'repair' } } };

const replacesHost = { drift: { overrides: { 'host.enclaveOptions': 'replace' } } };

const rows: readonly Row[] = [
  { reason: 'what is taken over may differ', run: 'adopt', changes: [change(HOST, 'update')], allowed: true },
  {
    reason: 'what is taken over must exist',
    run: 'adopt',
    changes: [change(HOST, 'no-op'), change(ROLE, 'create')],
    allowed: false,
    says: 'would create aws_iam_role.enclave_instance_role',
  },
  {
    reason: 'what is taken over is not replaced',
    run: 'adopt',
    changes: [change(HOST, 'delete', 'create')],
    policy: recreate,
    pinned: there,
    allowed: false,
    says: 'would replace aws_instance.enclave_instance',
  },
  { reason: 'a first deploy creates', run: 'create', changes: [change(HOST, 'create')], allowed: true },
  { reason: 'nothing to do is always allowed', run: 'repair', changes: [change(HOST, 'no-op')], allowed: true },
  { reason: 'reading is nothing', run: 'repair', changes: [change(GROUP, 'read')], allowed: true },
  { reason: 'forgetting keeps the resource', run: 'update', changes: [change(GROUP, 'forget')], allowed: true },
  { reason: 'updates in place are for every run', run: 'repair', changes: [change(HOST, 'update')], allowed: true },
  {
    reason: 'a change of the spec may replace by default',
    run: 'update',
    changes: [change(HOST, 'delete', 'create')],
    pinned: there,
    allowed: true,
  },
  {
    reason: 'create before destroy is a replacement too',
    run: 'update',
    changes: [change(HOST, 'create', 'delete')],
    policy: blueGreen,
    allowed: false,
    says: 'would replace aws_instance.enclave_instance',
  },
  {
    reason: 'a change of the spec may replace under Recreate',
    run: 'create',
    changes: [change(GROUP, 'delete', 'create')],
    policy: recreate,
    allowed: true,
  },
  {
    reason: 'another strategy forbids replacement',
    run: 'update',
    changes: [change(HOST, 'delete', 'create')],
    policy: blueGreen,
    allowed: false,
    says: 'BlueGreen',
  },
  {
    reason: 'a change of the spec never only deletes',
    run: 'update',
    changes: [change(ROLE, 'delete')],
    policy: recreate,
    allowed: false,
    says: 'would delete aws_iam_role',
  },
  {
    reason: 'Retain forbids replacement',
    run: 'update',
    changes: [change(HOST, 'delete', 'create')],
    policy: retain,
    allowed: false,
    says: 'Retain',
  },
  {
    reason: 'a repair does not replace unasked',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    policy: recreate,
    allowed: false,
    says: 'never does so unasked',
  },
  {
    reason: 'a repair does not delete unasked',
    run: 'repair',
    changes: [change(GROUP, 'delete')],
    allowed: false,
    says: 'would delete',
  },
  {
    reason: 'a repair replaces what the overrides name',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    policy: repairsHost,
    allowed: true,
  },
  {
    reason: 'and nothing else',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create'), change(GROUP, 'delete', 'create')],
    policy: repairsHost,
    allowed: false,
    says: GROUP,
  },
  {
    reason: 'a repair for a difference that only a new host cures gets one where an override says so',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    policy: replacesHost,
    forNewHost: true,
    allowed: true,
  },
  {
    reason: 'and deletes none',
    run: 'repair',
    changes: [change(HOST, 'delete')],
    policy: replacesHost,
    forNewHost: true,
    allowed: false,
  },
  {
    reason: 'and replaces nothing besides',
    run: 'repair',
    changes: [change(GROUP, 'delete', 'create')],
    policy: replacesHost,
    forNewHost: true,
    allowed: false,
    says: GROUP,
  },
  {
    reason: 'a repair for something else gets no new host by that override',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    policy: replacesHost,
    allowed: false,
  },
  {
    reason: 'nor is there one without the override',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    forNewHost: true,
    allowed: false,
  },
  {
    reason: 'an override that says alert allows nothing',
    run: 'repair',
    changes: [change(HOST, 'delete', 'create')],
    policy: { drift: { overrides: { aws_instance: 'alert' } } },
    allowed: false,
  },
  {
    reason: 'a reason nobody knows allows no replacement',
    run: 'resize',
    changes: [change(HOST, 'delete', 'create')],
    policy: recreate,
    allowed: false,
  },
  {
    reason: 'no host is made while the pinned one may exist',
    run: 'repair',
    changes: [change(HOST, 'create')],
    pinned: there,
    allowed: false,
    says: 'i-1 is not known to be gone',
  },
  {
    reason: 'a host is made when the pinned one is gone',
    run: 'repair',
    changes: [change(HOST, 'create')],
    pinned: gone,
    allowed: true,
  },
  {
    reason: 'the pinned host does not hinder other creations',
    run: 'repair',
    changes: [change(GROUP, 'create')],
    pinned: there,
    allowed: true,
  },
  { reason: 'a destroy deletes', run: 'destroy', changes: [change(HOST, 'delete')], allowed: true },
  {
    reason: 'a destroy deletes although a host is pinned',
    run: 'destroy',
    changes: [change(HOST, 'delete')],
    pinned: there,
    allowed: true,
  },
  { reason: 'a destroy creates nothing', run: 'destroy', changes: [change(HOST, 'create')], allowed: false },
  { reason: 'a destroy updates nothing', run: 'destroy', changes: [change(HOST, 'update')], allowed: false },
  {
    reason: 'a destroy replaces nothing',
    run: 'destroy',
    changes: [change(HOST, 'delete', 'create')],
    allowed: false,
  },
  {
    reason: 'Retain holds even against a destroy',
    run: 'destroy',
    changes: [change(HOST, 'delete')],
    policy: retain,
    allowed: false,
    says: 'Retain',
  },
  { reason: 'Retain with nothing left is fine', run: 'destroy', changes: [], policy: retain, allowed: true },
  {
    reason: 'an action nobody knows counts as a deletion',
    run: 'repair',
    changes: [change(HOST, 'obliterate')],
    allowed: false,
  },
];

describe('the gate', () => {
  it.each(rows)('$run: $reason', ({ run, changes, policy, pinned, forNewHost, allowed, says }) => {
    const verdict = judge({
      action: run === 'destroy' ? 'destroy' : 'deploy',
      reason: run,
      policy: readPolicy(policy),
      change: forNewHost ? 'replace' : undefined,
      plan: { resource_changes: changes, resource_drift: [] },
      pinned,
    });
    expect(verdict.allowed).toBe(allowed);
    if (!verdict.allowed) {
      expect(verdict.message).toContain(says ?? '');
      expect(verdict.fix).not.toBe('');
    }
  });

  it('tries again where a host may only be on its way out, and not where the policy forbids', () => {
    const input = { action: 'deploy' as const, reason: 'repair', policy: readPolicy({}) };
    const plan = (...changes: PlannedChange[]) => ({ resource_changes: changes, resource_drift: [] });
    expect(judge({ ...input, plan: plan(change(HOST, 'create')), pinned: there })).toMatchObject({ class: 'unknown' });
    expect(judge({ ...input, plan: plan(change(HOST, 'delete')), pinned: there })).toMatchObject({
      class: 'validation',
    });
  });

  it('replaces a serving host only for a change that asks for a new one', () => {
    const plan = { resource_changes: [change(HOST, 'delete', 'create')], resource_drift: [] };
    const input = { action: 'deploy' as const, policy: readPolicy({}), plan, pinned: there };
    for (const [reason, asked, allowed] of [
      ['update', 'replace', true],
      ['update', 'stopStart', false],
      ['update', 'inPlace', false],
      ['update', undefined, true],
      ['create', 'none', true],
    ] as const) {
      expect(judge({ ...input, reason, change: asked }).allowed, `${reason} ${asked}`).toBe(allowed);
    }
  });

  it('reads any policy, however malformed', () => {
    for (const policy of [undefined, null, 'Retain', [], { upgrade: 'x', drift: [], deletionPolicy: 7 }]) {
      expect(readPolicy(policy)).toEqual({
        deletionPolicy: 'Delete',
        upgradeStrategy: 'Recreate',
        repairMayReplace: new Set(),
        repairMayReplaceHost: false,
        wantsApproval: false,
      });
    }
  });

  it('counts what a plan does', () => {
    const plan = {
      resource_changes: [
        change(GROUP, 'create'),
        change(ROLE, 'no-op'),
        change(HOST, 'delete', 'create'),
        change('aws_s3_object.a', 'update'),
        change('aws_s3_object.b', 'delete'),
      ],
      resource_drift: [],
    };
    expect(summarize(plan)).toEqual({ create: 1, update: 1, replace: 1, delete: 1 });
    expect(createsHost(plan)).toBe(false);
    expect(changesAnything(plan)).toBe(true);
  });

  it('applies a plan that only imports or only refreshes', () => {
    const idle = change(HOST, 'no-op');
    const imported = { ...idle, change: { ...idle.change, importing: { id: 'i-1' } } };
    expect(changesAnything({ resource_changes: [idle], resource_drift: [] })).toBe(false);
    expect(changesAnything({ resource_changes: [imported], resource_drift: [] })).toBe(true);
    expect(changesAnything({ resource_changes: [idle], resource_drift: [change(HOST, 'update')] })).toBe(true);
  });
});
