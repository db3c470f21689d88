/** `freeze`, `unfreeze`, `confirm-deletions`, `orphans` against a real database. */
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, it } from 'vitest';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { cliDatabase, stateTable } from '../support/cli-database.ts';

const INSTALLED = { ...keys.control, v: 1, minReader: 1, installedAt: '2026-01-01T00:00:00.000Z' };
const HOLD = { reason: 'the records of 4 of 10 enclaves vanished', since: '2026-02-01T00:00:00.000Z' };

const database = cliDatabase();
const { run } = database;
const put = (item: object) => database.client.send(new PutItemCommand({ TableName: stateTable, Item: toItem(item) }));
async function control() {
  const { Item } = await database.client.send(new GetItemCommand({ TableName: stateTable, Key: toItem(keys.control) }));
  return Item === undefined ? undefined : toPlain(Item);
}

describe('before an operator has run', () => {
  it.each([['freeze', '--reason', 'x'], ['unfreeze'], ['confirm-deletions', '--yes']])(
    '%s says so',
    async (...argv) => {
      const { code, err } = await run(argv);
      expect(code).toBe(1);
      expect(err).toContain('no operator has run here yet');
      expect(await control()).toBeUndefined();
    },
  );
});

describe('freeze and unfreeze', () => {
  beforeEach(() => put({ ...INSTALLED, tableId: 'table-1' }));

  it('writes why, who and until when, and nothing else', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect(await run(['freeze', '--reason', 'incident 42', '--until', until])).toMatchObject({ code: 0 });
    expect(await control()).toEqual({
      ...INSTALLED,
      tableId: 'table-1',
      freeze: { reason: 'incident 42', actor: expect.stringContaining('enclavectl'), at: expect.any(String), until },
    });
    expect(await run(['unfreeze'])).toMatchObject({ code: 0, out: expect.stringContaining('incident 42') });
    expect(await control()).toEqual({ ...INSTALLED, tableId: 'table-1' });
    expect(await run(['unfreeze'])).toMatchObject({ code: 1 });
  });

  it.each(['yesterday', '2020-01-01T00:00:00Z'])('refuses a freeze until %s', async (until) => {
    expect(await run(['freeze', '--reason', 'x', '--until', until])).toMatchObject({ code: 2 });
    expect(await control()).not.toHaveProperty('freeze');
  });

  it('wants a reason', async () => {
    expect(await run(['freeze'])).toMatchObject({ code: 2 });
  });
});

describe('confirm-deletions', () => {
  beforeEach(() => put({ ...INSTALLED, tableId: 'table-1', deletionHold: HOLD }));

  it('asks, and without a terminal wants --yes', async () => {
    expect(await run(['confirm-deletions'])).toMatchObject({ code: 4, err: expect.stringContaining(HOLD.reason) });
    expect(await run(['confirm-deletions'], { interactive: true, answer: 'n' })).toMatchObject({ code: 4 });
    expect(await control()).toHaveProperty('deletionHold');
    expect(await run(['confirm-deletions'], { interactive: true, answer: 'y' })).toMatchObject({ code: 0 });
    expect(await control()).toEqual({
      ...INSTALLED,
      deletionsConfirmed: { actor: expect.stringContaining('enclavectl'), at: expect.any(String) },
    });
  });

  it('confirms nothing that is not held', async () => {
    await put(INSTALLED);
    expect(await run(['confirm-deletions', '--yes'])).toMatchObject({ code: 1 });
    expect(await control()).toEqual(INSTALLED);
  });

  it('confirms the hold also where the clock of this machine is slow', async () => {
    const clock = { ...systemClock, now: () => Date.parse(HOLD.since) - 60_000 };
    expect(await run(['confirm-deletions', '--yes'], { clock })).toMatchObject({ code: 0 });
    expect(await control()).toMatchObject({ deletionsConfirmed: { at: HOLD.since } });
  });
});

describe('orphans', () => {
  const now = Date.parse('2030-01-01T12:00:00.000Z');
  const clock = { ...systemClock, now: () => now };
  const host = {
    id: 'enc_host',
    region: 'us-west-2',
    instanceId: 'i-1',
    state: 'running',
    since: new Date(now - 42_250).toISOString(),
  };
  const state = {
    id: 'enc_state',
    key: 'terraform-states/enc_state.tfstate',
    modifiedAt: '2029-12-01T00:00:00.000Z',
    since: new Date(now - 3 * 3_600_000).toISOString(),
  };
  const lines = (out: string) =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/));

  it('says where there are none, or nobody has looked yet', async () => {
    await put(INSTALLED);
    expect(await run(['orphans'], { clock })).toMatchObject({ code: 0, out: '', err: 'no orphans\n' });
    expect(await run(['orphans', '-o', 'json'], { clock })).toMatchObject({ code: 0, out: '[]\n' });
  });

  it('shows hosts and states in a table each, with how long they are known', async () => {
    await put({ ...INSTALLED, orphans: [host], orphanStates: [state] });
    const { code, out, err } = await run(['orphans'], { clock });
    expect(lines(out)).toEqual([
      ['ENCLAVE', 'HOST', 'REGION', 'STATE', 'KNOWN FOR'],
      ['enc_host', 'i-1', 'us-west-2', 'running', '42s'],
      ['ENCLAVE', 'TERRAFORM STATE', 'WRITTEN', 'KNOWN FOR'],
      ['enc_state', 'terraform-states/enc_state.tfstate', '2029-12-01T00:00:00.000Z', '3h'],
    ]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it.each([
    ['hosts', { orphans: [host] }, 'HOST'],
    ['states', { orphanStates: [state] }, 'TERRAFORM STATE'],
  ])('shows no empty table beside one of %s', async (_which, found, column) => {
    await put({ ...INSTALLED, ...found });
    const all = lines((await run(['orphans'], { clock })).out);
    expect(all).toHaveLength(2);
    expect(all[0]?.[1]).toBe(column);
  });

  it('prints both as one list of JSON', async () => {
    await put({ ...INSTALLED, orphans: [host], orphanStates: [state] });
    const { code, out } = await run(['orphans', '-o', 'json'], { clock });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual([host, state]);
  });
});
