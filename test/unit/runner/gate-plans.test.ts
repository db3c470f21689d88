/** The gate on what real Terraform planned of the enclave stack: action × policy × plan. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readPlan } from '../../../runner/src/engine/terraform-output.ts';
import { changesAnything, createsHost, judge, readPolicy, summarize } from '../../../runner/src/gate.ts';

/** Recorded by test/fixtures/plans/record.ts. */
const planned = (name: string) =>
  readPlan(readFileSync(new URL(`../../fixtures/plans/${name}.json`, import.meta.url), 'utf8'));

describe('what real plans are', () => {
  it.each([
    { name: 'create', plan: { create: 10, update: 0, replace: 0, delete: 0 }, applies: true, host: true },
    { name: 'nothing', plan: { create: 0, update: 0, replace: 0, delete: 0 }, applies: false, host: false },
    { name: 'more-memory', plan: { create: 0, update: 2, replace: 0, delete: 0 }, applies: true, host: false },
    { name: 'larger-type', plan: { create: 0, update: 2, replace: 0, delete: 0 }, applies: true, host: false },
    { name: 'another-image', plan: { create: 0, update: 1, replace: 1, delete: 0 }, applies: true, host: false },
    { name: 'by-hand', plan: { create: 0, update: 3, replace: 0, delete: 0 }, applies: true, host: false },
    { name: 'host-gone', plan: { create: 1, update: 0, replace: 0, delete: 0 }, applies: true, host: true },
    { name: 'destroy', plan: { create: 0, update: 0, replace: 0, delete: 9 }, applies: true, host: false },
  ])('$name', ({ name, plan, applies, host }) => {
    expect(summarize(planned(name))).toEqual(plan);
    expect(changesAnything(planned(name))).toBe(applies);
    expect(createsHost(planned(name))).toBe(host);
  });
});

type Run = 'create' | 'update' | 'repair' | 'destroy';
interface Row {
  readonly plan: string;
  readonly run: Run;
  readonly policy?: keyof typeof POLICIES;
  readonly change?: string;
  readonly pinned?: 'there' | 'gone';
  /** `yes`, or a part of the refusal. */
  readonly verdict: string;
}

const POLICIES = {
  default: {},
  retain: { deletionPolicy: 'Retain' },
  inPlace: { upgrade: { strategy: 'InPlace' } },
  repairsHost: { drift: { overrides: { aws_instance: 'repair' } } },
} as const;

const rows: readonly Row[] = [
  { plan: 'create', run: 'create', verdict: 'yes' },
  { plan: 'create', run: 'create', policy: 'retain', verdict: 'yes' },
  { plan: 'create', run: 'repair', pinned: 'there', verdict: 'not known to be gone' },
  { plan: 'create', run: 'destroy', verdict: 'a destroy only deletes' },
  { plan: 'nothing', run: 'update', policy: 'retain', verdict: 'yes' },
  { plan: 'nothing', run: 'destroy', policy: 'retain', verdict: 'yes' },
  { plan: 'more-memory', run: 'update', change: 'enclaveRestart', pinned: 'there', verdict: 'yes' },
  { plan: 'more-memory', run: 'update', policy: 'retain', pinned: 'there', verdict: 'yes' },
  { plan: 'more-memory', run: 'destroy', verdict: 'would update' },
  { plan: 'larger-type', run: 'update', change: 'stopStart', policy: 'inPlace', pinned: 'there', verdict: 'yes' },
  { plan: 'another-image', run: 'update', change: 'replace', pinned: 'there', verdict: 'yes' },
  { plan: 'another-image', run: 'update', change: 'replace', policy: 'inPlace', verdict: 'strategy is InPlace' },
  { plan: 'another-image', run: 'update', change: 'replace', policy: 'retain', verdict: 'Retain' },
  { plan: 'another-image', run: 'update', change: 'enclaveRestart', verdict: 'needs no new host' },
  { plan: 'another-image', run: 'repair', verdict: 'never does so unasked' },
  { plan: 'another-image', run: 'repair', policy: 'repairsHost', verdict: 'yes' },
  { plan: 'another-image', run: 'destroy', verdict: 'a destroy only deletes' },
  { plan: 'by-hand', run: 'repair', pinned: 'there', verdict: 'yes' },
  { plan: 'by-hand', run: 'repair', policy: 'retain', pinned: 'there', verdict: 'yes' },
  { plan: 'host-gone', run: 'repair', pinned: 'gone', verdict: 'yes' },
  { plan: 'host-gone', run: 'repair', policy: 'retain', pinned: 'gone', verdict: 'yes' },
  { plan: 'host-gone', run: 'repair', pinned: 'there', verdict: 'not known to be gone' },
  { plan: 'import', run: 'create', verdict: 'yes' },
  { plan: 'import', run: 'repair', policy: 'retain', pinned: 'there', verdict: 'yes' },
  { plan: 'destroy', run: 'destroy', verdict: 'yes' },
  { plan: 'destroy', run: 'destroy', policy: 'retain', verdict: 'Retain forbids' },
  { plan: 'destroy', run: 'update', verdict: 'would delete' },
  { plan: 'destroy', run: 'repair', policy: 'repairsHost', verdict: 'would delete' },
];

describe('the gate on real plans', () => {
  it.each(rows)('$plan for $run, policy $policy, class $change: $verdict', (row) => {
    const { plan, run, policy = 'default', change, pinned, verdict } = row;
    const judged = judge({
      action: run === 'destroy' ? 'destroy' : 'deploy',
      reason: run,
      policy: readPolicy(POLICIES[policy]),
      change,
      plan: planned(plan),
      pinned: pinned === undefined ? undefined : { instanceId: 'i-1', isGone: pinned === 'gone' },
    });
    expect(judged.allowed ? 'yes' : judged.message).toContain(verdict);
  });

  it('takes over what exists: the import makes and replaces no host', () => {
    const plan = planned('import');
    const imported = plan.resource_changes.filter(({ change }) => change.importing !== undefined);
    expect(imported.map(({ type }) => type)).toEqual(expect.arrayContaining(['aws_instance', 'aws_security_group']));
    expect(summarize(plan)).toMatchObject({ replace: 0, delete: 0 });
    expect(createsHost(plan)).toBe(false);
  });
});
