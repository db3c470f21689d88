/** `plan` and `approve` against a real database: what they refuse, and what they leave for the operator. */
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { Planned } from '../../src/enclave/items/plan.ts';
import { cliDatabase, stateTable } from '../support/cli-database.ts';
import { aLifecycle } from '../support/conformance-harness.ts';

const AT = '2026-01-02T03:04:05.678Z';
const DIGEST = `3f2a9c81d7e4${'0'.repeat(52)}`;
const PLANNED: Planned = {
  askedAt: AT,
  at: AT,
  run: 'drift-1-1',
  generation: 2,
  verdict: 'Drift',
  differences: [{ address: 'aws_security_group.enclave_sg', attributes: ['ingress'] }],
  summary: { create: 0, update: 1, replace: 0, delete: 0 },
  digest: DIGEST,
  failures: 0,
};
const MARKER = {
  name: 'e-2',
  action: 'deploy',
  seq: 2,
  generation: 1,
  reason: 'update',
  startedAt: AT,
  deadlineAt: AT,
} as const;

const database = cliDatabase();
const { run } = database;

async function remember(id: string, more: Partial<Lifecycle> = {}): Promise<string> {
  const lifecycle = aLifecycle(id, { phase: 'ready', generation: 2, observedGeneration: 1, planned: PLANNED, ...more });
  await database.client.send(
    new PutItemCommand({ TableName: stateTable, Item: toItem({ ...keys.lifecycle(id), ...lifecycle }) }),
  );
  return id;
}
async function requests(id: string) {
  const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': `request#${id}` }) };
  const { Items = [] } = await database.client.send(new QueryCommand({ TableName: stateTable, ...query }));
  return Items.map(toPlain);
}

describe('plan', () => {
  it('leaves a request, waits, and shows what was planned since', async () => {
    const id = await remember('enc_plan', { policy: { drift: { approval: 'manual' } } });
    const asked = run(['plan', id]);
    await expect
      .poll(() => requests(id))
      .toMatchObject([{ id, verb: 'plan', actor: expect.stringContaining('enclavectl') }]);
    const fresh = { ...PLANNED, run: 'drift-1-2' };
    await remember(id, { planned: fresh, policy: { drift: { approval: 'manual' } } });
    const { code, out, err } = await asked;
    expect(code, err).toBe(1);
    expect(out).toContain('0 to create, 1 to update, 0 to replace, 0 to delete');
    expect(out).toMatch(/aws_security_group\.enclave_sg +ingress/);
    expect(err).toContain(`enclavectl approve ${id} --generation 2 --digest ${DIGEST}`);
  });

  it('gives up in the end, and says so', async () => {
    const id = await remember('enc_slow');
    const { code, err } = await run(['plan', id, '--timeout', '1']);
    expect(code).toBe(2);
    expect(err).toContain('no plan of enc_slow within 1 s');
  });

  it.each<{ why: string; id: string; more?: Partial<Lifecycle>; exit: number; says: string }>([
    { why: 'a run is at work', id: 'enc_busy', more: { run: MARKER }, exit: 4, says: 'e-2 is at work on enc_busy' },
    { why: 'it is being destroyed', id: 'enc_going', more: { desired: 'Absent' }, exit: 4, says: 'is being destroyed' },
    { why: 'it was never deployed', id: 'enc_new', more: { touched: false }, exit: 4, says: 'was never deployed' },
    {
      why: 'its state is not prepared',
      id: 'enc_old',
      more: { adopted: true },
      exit: 4,
      says: 'enclavectl adopt enc_old',
    },
  ])('refuses where $why', async ({ id, more, exit, says }) => {
    await remember(id, more);
    const { code, err } = await run(['plan', id]);
    expect(code).toBe(exit);
    expect(err).toContain(says);
    expect(await requests(id)).toEqual([]);
  });

  it('knows nothing of what nobody knows, and of no timeout that is none', async () => {
    expect(await run(['plan', 'enc_nobody'])).toMatchObject({ code: 1, err: expect.stringContaining('enc_nobody') });
    expect(await run(['plan', 'enc_nobody', '--timeout', 'soon'])).toMatchObject({ code: 2 });
  });
});

describe('approve', () => {
  const named = (id: string, generation = '2', digest = DIGEST.slice(0, 12)) => [
    'approve',
    id,
    '--generation',
    generation,
    '--digest',
    digest,
  ];

  it('leaves a request that names generation and whole digest', async () => {
    const id = await remember('enc_yes');
    const { code, err } = await run(named(id));
    expect(code, err).toBe(0);
    expect(await requests(id)).toMatchObject([{ id, verb: 'approve', generation: 2, digest: DIGEST }]);
  });

  it('shows the plan and asks, where nothing is named', async () => {
    const id = await remember('enc_asked');
    expect((await run(['approve', id])).code).toBe(4);
    const no = await run(['approve', id], { interactive: true, answer: 'n' });
    expect(no.code).toBe(4);
    expect(no.err).toContain('aws_security_group.enclave_sg');
    expect(await requests(id)).toEqual([]);
    expect((await run(['approve', id], { interactive: true, answer: 'y' })).code).toBe(0);
    expect(await requests(id)).toHaveLength(1);
  });

  it.each<{
    why: string;
    id: string;
    more?: Partial<Lifecycle>;
    argv?: readonly [string, string];
    exit: number;
    says: string;
  }>([
    {
      why: 'nothing is planned',
      id: 'enc_none',
      more: { planned: undefined },
      exit: 4,
      says: 'no plan of enc_none is known',
    },
    { why: 'another generation is wanted', id: 'enc_moved', more: { generation: 3 }, exit: 4, says: '3 is wanted' },
    {
      why: 'a run has ended since',
      id: 'enc_ran',
      more: { ranAt: '2026-02-01T00:00:00.000Z' },
      exit: 4,
      says: 'a run of enc_ran has ended',
    },
    {
      why: 'another digest is named',
      id: 'enc_other',
      argv: ['2', 'f'.repeat(12)],
      exit: 4,
      says: 'is 3f2a9c81d7e4 of generation 2',
    },
    { why: 'another generation is named', id: 'enc_first', argv: ['1', DIGEST], exit: 4, says: 'look at it before' },
    { why: 'the digest is too short', id: 'enc_short', argv: ['2', '3f2a'], exit: 2, says: '12 characters' },
  ])('refuses where $why', async ({ id, more, argv = ['2', DIGEST], exit, says }) => {
    await remember(id, more);
    const { code, err } = await run(named(id, ...argv));
    expect(code).toBe(exit);
    expect(err).toContain(says);
    expect(await requests(id)).toEqual([]);
  });
});
