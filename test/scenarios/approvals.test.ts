/** Approvals on virtual time: what waits for one, what it allows, and when it ends. */
import { describe, expect, it } from 'vitest';
import { keys, type Request } from '../../src/enclave/items/items.ts';
import { DEFAULT_POLICY, type EnclavePolicy } from '../../src/enclave/spec/policy.ts';
import { approvalOf, takeRequests } from '../../src/reconciler/reconcile/approval.ts';
import { aLifecycle } from '../support/conformance-harness.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const MANUAL = { drift: { approval: 'manual' } };
const D1 = '1'.repeat(64);

async function deployed(fields: Record<string, unknown> = {}): Promise<VirtualOperator> {
  const v = virtualOperator({ driftEveryMs: 0 });
  v.world.runs.fleet.plan = () => ({ drifted: true, planDigest: D1, differences: [], summary: NOTHING });
  v.start();
  v.post(ID, { policy: MANUAL, ...fields });
  await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'ready');
  return v;
}
const NOTHING = { create: 0, update: 1, replace: 0, delete: 0 };

const change = (v: VirtualOperator, dockerImage = 'nginx:1.28') => v.editMembers(ID, { dockerImage });

async function plan(v: VirtualOperator): Promise<void> {
  const before = v.lifecycle(ID)?.planned?.run;
  v.world.putRequest(ID, 'plan');
  await v.until(() => ![undefined, before].includes(v.lifecycle(ID)?.planned?.run), 'planned', HOUR / 2);
}

function approve(v: VirtualOperator, changes: Partial<Request> = {}): void {
  const request = v.world.putRequest(ID, 'approve');
  const { generation } = v.lifecycle(ID)!;
  v.world.tables.state.put({ ...request, generation, digest: D1, ...changes, ...keys.request(ID, request.key) });
}
/** A change that is planned and approved, and cannot start because the fleet is frozen. */
async function approvedWhileFrozen(): Promise<VirtualOperator> {
  const v = await deployed();
  change(v);
  await plan(v);
  v.freeze();
  await v.clock.advance(10_000);
  approve(v);
  await v.until(() => v.lifecycle(ID)?.approval !== undefined, 'approved');
  return v;
}
const deploys = (v: VirtualOperator) => v.executions(ID).length;
const runItem = (v: VirtualOperator) => v.runs(ID).at(-1) as unknown as Record<string, never>;

describe('a policy that wants approval', () => {
  it('asks nobody for a first deployment, and waits with a change, serving as before', async () => {
    const v = await deployed();
    change(v);
    await v.clock.advance(HOUR);
    expect(deploys(v)).toBe(1);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', generation: 2, observedGeneration: 1 });
    expect(v.condition(ID, 'Progressing')?.reason).toBe('AwaitingApproval');
    expect(v.lifecycle(ID)?.message).toContain('enclavectl approve enc_1');
  });

  it('applies what was planned and approved, and hands the digest to the run', async () => {
    const v = await deployed();
    change(v);
    await plan(v);
    expect(v.lifecycle(ID)?.planned).toMatchObject({ generation: 2, digest: D1, summary: NOTHING });
    const [planned] = v.world.tables.history.partition(keys.fleetRuns);
    expect(planned).toMatchObject({ enclaves: [{ id: ID, variables: { spec: { dockerImage: 'nginx:1.28' } } }] });
    expect(deploys(v)).toBe(1);
    approve(v);
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2, 'applied');
    expect(runItem(v)).toMatchObject({ variables: { approved: D1 }, reason: 'update' });
    await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'ready');
    expect(v.lifecycle(ID)?.approval).toBeUndefined();
    expect(v.reasons(ID)).toContain('Approved');
    change(v, 'nginx:1.29');
    await v.clock.advance(HOUR);
    expect(v.lifecycle(ID)).toMatchObject({ generation: 3, observedGeneration: 2 });
  });

  it.each<{ why: string; changes: Partial<Request> }>([
    { why: 'another plan', changes: { digest: '2'.repeat(64) } },
    { why: 'another generation', changes: { generation: 1 } },
    { why: 'nothing', changes: { digest: undefined, generation: undefined } },
  ])('takes no approval of $why', async ({ changes }) => {
    const v = await deployed();
    change(v);
    await plan(v);
    approve(v, changes);
    await v.until(() => v.reasons(ID).includes('ApprovalRefused'), 'refused');
    await v.clock.advance(HOUR);
    expect(v.lifecycle(ID)).toMatchObject({ observedGeneration: 1 });
    expect(v.lifecycle(ID)?.approval).toBeUndefined();
  });

  it('takes none without a plan', async () => {
    const v = await deployed();
    change(v);
    await v.until(() => v.lifecycle(ID)?.generation === 2, 'noticed');
    approve(v);
    await v.until(() => v.reasons(ID).includes('ApprovalRefused'), 'refused');
    expect(v.lifecycle(ID)?.approval).toBeUndefined();
  });

  it('waits again, and says why, where the run plans something else', async () => {
    const v = await deployed();
    change(v);
    await plan(v);
    v.world.runs.script = () => ({ unapproved: '3'.repeat(64) });
    approve(v);
    await v.until(() => v.reasons(ID).includes('ApprovalVoid'), 'void');
    await v.clock.advance(HOUR);
    expect(deploys(v)).toBe(2);
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', observedGeneration: 1, attempts: { count: 0 } });
    expect(v.condition(ID, 'Progressing')?.reason).toBe('AwaitingApproval');
    // What a run has overtaken cannot be approved: it takes a fresh plan.
    v.world.runs.script = () => ({});
    approve(v);
    await v.until(() => v.reasons(ID).includes('ApprovalRefused'), 'refused');
    await plan(v);
    approve(v);
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2, 'applied');
  });

  it('forgets an approval after a day in which nothing could be begun', async () => {
    const v = await approvedWhileFrozen();
    await v.until(() => v.reasons(ID).includes('ApprovalExpired'), 'expired', 26 * HOUR);
    expect(v.lifecycle(ID)?.approval).toBeUndefined();
    v.unfreeze();
    await v.clock.advance(HOUR);
    expect(v.lifecycle(ID)).toMatchObject({ observedGeneration: 1 });
  });

  it('goes with the generation it was given for', async () => {
    const v = await approvedWhileFrozen();
    change(v, 'nginx:1.29');
    await v.until(() => v.reasons(ID).includes('ApprovalVoid'), 'void');
    expect(v.lifecycle(ID)?.approval).toBeUndefined();
  });

  it('lets a repair restart what it may, and waits before Terraform makes a new host', async () => {
    const v = await deployed();
    v.world.hosts.terminate(v.host(ID));
    await v.until(() => v.condition(ID, 'Progressing')?.reason === 'AwaitingApproval', 'waiting', HOUR);
    await v.clock.advance(HOUR);
    expect(deploys(v)).toBe(1);
    expect(v.lifecycle(ID)?.message).toContain('host.gone awaits approval');
    await plan(v);
    approve(v);
    await v.until(() => v.lifecycle(ID)?.phase === 'ready' && v.world.hosts.living(ID).length === 1, 'repaired');
    expect(runItem(v)).toMatchObject({ reason: 'repair', variables: { approved: D1 } });
  });

  it('never stands in the way of a deletion', async () => {
    const v = await deployed();
    change(v);
    await v.until(() => v.lifecycle(ID)?.generation === 2, 'noticed');
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.status(ID) === 'DESTROYED', 'destroyed');
  });

  it('where the policy asks nobody, a plan can be looked at all the same', async () => {
    const v = await deployed({ policy: {} });
    await plan(v);
    expect(v.lifecycle(ID)?.planned).toMatchObject({ generation: 1, digest: D1 });
    expect(v.lifecycle(ID)?.planAsked).toBeUndefined();
    change(v);
    await v.until(() => v.lifecycle(ID)?.observedGeneration === 2, 'applied unasked');
  });
});

describe('an approval', () => {
  const AT = Date.parse('2030-01-01T00:00:00.000Z');
  const policy: EnclavePolicy = { ...DEFAULT_POLICY, drift: { ...DEFAULT_POLICY.drift, approval: 'manual' } };
  const planned = {
    askedAt: '2029-12-31T00:00:00.000Z',
    at: '2029-12-31T00:01:00.000Z',
    run: 'drift-1-1',
    generation: 2,
    verdict: 'Drift' as const,
    digest: D1,
    failures: 0,
  };
  const request: Request = {
    v: 1,
    minReader: 1,
    id: ID,
    key: 'k',
    verb: 'approve',
    actor: 'test',
    at: '2029-12-31T23:59:59.000Z',
    generation: 2,
    digest: D1,
  };
  const given = takeRequests(aLifecycle(ID, { generation: 2, observedGeneration: 1, planned }), [request], AT);

  it('ends a day after it was taken up, to the millisecond', () => {
    expect(given.approval).toMatchObject({ at: '2030-01-01T00:00:00.000Z', expiresAt: '2030-01-02T00:00:00.000Z' });
  });

  it.each([
    ['a minute before its end', 24 * HOUR - MINUTE, 'given'],
    ['at its end', 24 * HOUR, 'awaited'],
    ['a minute after its end', 24 * HOUR + MINUTE, 'awaited'],
  ])('%s is kept only where it still counts', (_when, afterMs, answer) => {
    expect(approvalOf(given, policy, AT + afterMs)).toBe(answer);
    expect(takeRequests(given, [], AT + afterMs).approval).toEqual(answer === 'given' ? given.approval : undefined);
  });

  it('is not lost while the run that it lets begin is under way', () => {
    const at = '2030-01-01T23:59:00.000Z';
    const run = { name: 'e-1', action: 'deploy' as const, seq: 2, generation: 2, reason: 'update' };
    expect(
      takeRequests({ ...given, run: { ...run, startedAt: at, deadlineAt: at } }, [], AT + 25 * HOUR).approval,
    ).toEqual(given.approval);
  });
});
