/** `enclavectl drift ID` against a real database: the request it leaves, and what it makes of an answer or of none. */
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import type { DriftAnswer, DriftRow } from '../../src/enclave/items/drift-answer.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { cliDatabase, historyTable, stateTable } from '../support/cli-database.ts';
import { aLifecycle } from '../support/conformance-harness.ts';

const SINCE = '2026-01-02T03:04:05.678Z';
const database = cliDatabase();
const { run } = database;

async function remember(id: string, more: Partial<Lifecycle> = {}): Promise<string> {
  const lifecycle = aLifecycle(id, { phase: 'ready', observedGeneration: 1, applied: {}, ...more });
  const Item = toItem({ ...keys.lifecycle(id), ...lifecycle });
  await database.client.send(new PutItemCommand({ TableName: stateTable, Item }));
  return id;
}

async function requests(id: string) {
  const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': `request#${id}` }) };
  const { Items = [] } = await database.client.send(new QueryCommand({ TableName: stateTable, ...query }));
  return Items.map(toPlain);
}

const row = (changes: Partial<DriftRow> = {}): DriftRow => ({
  attribute: 'network.rules',
  verdict: 'Drift',
  severity: 'critical',
  repair: 'apply',
  owned: 'operator',
  security: true,
  desired: 'abc',
  observed: 'def',
  observedAt: new Date(Date.now() - 5_000).toISOString(),
  ...changes,
});

/** Waits for the request, and answers it as an operator does. */
async function answer(id: string, changes: Partial<DriftAnswer>): Promise<void> {
  await expect.poll(() => requests(id), { timeout: 10_000 }).toHaveLength(1);
  const key = String((await requests(id))[0]?.key);
  const expiresAt = Math.floor(Date.now() / 1_000) + 3_600;
  const item = { v: 1, minReader: 1, id, key, at: SINCE, rows: [], unseen: [], expiresAt, ...changes };
  const Item = toItem({ ...item, ...keys.driftAnswer(id, key) });
  await database.client.send(new PutItemCommand({ TableName: historyTable, Item }));
}

describe('with an operator', () => {
  it('leaves a request and shows the answer, with the time at which each attribute was observed', async () => {
    const id = await remember('enc_drifted');
    const asked = run(['drift', id]);
    await answer(id, { rows: [row()], unseen: [{ what: 'role', why: 'iam:GetRole: AccessDenied' }] });
    const { code, out, err } = await asked;
    expect(code, err).toBe(1);
    expect(out).toMatch(/\nnetwork\.rules +Drift +critical +apply +abc +def +\d+s ago\n/);
    expect(err).toContain('role: not seen (iam:GetRole: AccessDenied)');
    expect(await requests(id)).toMatchObject([{ id, verb: 'drift', actor: expect.stringContaining('enclavectl') }]);
  });

  it('prints the rows as JSON, and ends with 0 where none drifts', async () => {
    const id = await remember('enc_fine');
    const asked = run(['drift', id, '-o', 'json']);
    const rows = [row({ verdict: 'Match' })];
    await answer(id, { rows });
    const { code, out } = await asked;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(rows);
  });

  it('ends with 4 where the operator refuses', async () => {
    const id = await remember('enc_refused');
    const asked = run(['drift', id]);
    await answer(id, { refused: 'it is not deployed' });
    expect(await asked).toMatchObject({ code: 4, err: expect.stringContaining('it is not deployed') });
  });
});

describe('without an operator', () => {
  const findings = [{ attribute: 'logs.group', severity: 'low', repair: 'apply', since: SINCE }];
  const drift = { fingerprint: 'host:stopped', seen: 2, since: SINCE, observedAt: 1 };

  it('says that nobody answered, shows the last findings with their age, and ends with 2', async () => {
    const id = await remember('enc_alone', { findings, drift });
    const { code, out, err } = await run(['drift', id, '--timeout', '1']);
    expect(code).toBe(2);
    expect(err).toContain(`no operator answered the request for ${id} within 1 s`);
    expect(err).toContain('last findings');
    expect(out).toMatch(/\nhost\.stopped +Drift +critical +startHost +\d+d +\(stored by the operator\)\n/);
    expect(out).toMatch(/\nlogs\.group +Drift +low +apply +\d+d +\(stored by the operator\)\n/);
  });

  it('prints them as JSON, none of them observed now', async () => {
    const id = await remember('enc_alone_json', { findings });
    const { code, out } = await run(['drift', id, '--timeout', '1', '-o', 'json']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject([
      { attribute: 'logs.group', since: SINCE, observed: null, observedAt: null },
    ]);
  });

  it('does not say that nothing differs where nothing is stored', async () => {
    const id = await remember('enc_alone_fine');
    const { code, out, err } = await run(['drift', id, '--timeout', '1']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('It has stored no findings.');
  });

  it('leaves no request of an enclave that is not deployed or not known, nor with a wrong timeout', async () => {
    const gone = await remember('enc_gone', { desired: 'Absent' });
    const fresh = await remember('enc_fresh', { applied: undefined });
    expect(await run(['drift', gone])).toMatchObject({ code: 4 });
    expect(await run(['drift', fresh])).toMatchObject({ code: 4 });
    expect(await run(['drift', 'enc_nobody'])).toMatchObject({ code: 1 });
    const some = await remember('enc_some');
    expect(await run(['drift', some, '--timeout', 'soon'])).toMatchObject({ code: 2 });
    expect(await Promise.all([gone, fresh, 'enc_nobody', some].map(requests))).toEqual([[], [], [], []]);
  });
});
