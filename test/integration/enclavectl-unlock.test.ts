/** `unlock` against a real database: what it asks, what it refuses, what it leaves for the operator. */
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { cliDatabase, stateTable } from '../support/cli-database.ts';
import { aLifecycle } from '../support/conformance-harness.ts';

const AT = '2026-01-02T03:04:05.678Z';
const LOCKED = { class: 'locked' as const, message: 'The state has been locked since then by e-1.', at: AT };

const database = cliDatabase();
const { run } = database;

async function remembered(id: string, more: Partial<Lifecycle>): Promise<string> {
  const Item = toItem({ ...keys.lifecycle(id), ...aLifecycle(id, more) });
  await database.client.send(new PutItemCommand({ TableName: stateTable, Item }));
  return id;
}
async function requests(id: string) {
  const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': `request#${id}` }) };
  const { Items = [] } = await database.client.send(new QueryCommand({ TableName: stateTable, ...query }));
  return Items.map(toPlain);
}

describe('unlock', () => {
  it('says who holds the lock and by what rule it is broken, asks, and leaves one request', async () => {
    const id = await remembered('enc_locked', { failure: LOCKED, phase: 'backingOff' });
    const { code, out, err } = await run(['unlock', id], { interactive: true, answer: 'y' });
    expect(code, err).toBe(0);
    expect(err).toContain('enc_locked: The state has been locked since then by e-1.');
    expect(err).toContain('only if the run that made it is proven dead');
    expect(out).toContain('enc_locked: unlock requested');
    expect(await requests(id)).toMatchObject([{ id, verb: 'unlock', actor: expect.stringContaining('enclavectl') }]);
  });

  it('asks nobody with --yes, and nothing is requested without an answer', async () => {
    const id = await remembered('enc_asked', { failure: LOCKED, phase: 'backingOff' });
    expect((await run(['unlock', id])).code).toBe(4);
    expect((await run(['unlock', id], { interactive: true, answer: 'n' })).code).toBe(4);
    expect(await requests(id)).toEqual([]);
    expect((await run(['unlock', '--yes', id])).code).toBe(0);
    expect(await requests(id)).toHaveLength(1);
  });

  it('refuses where a run is at work, where no lock is in the way, and of what nobody knows', async () => {
    const marker = { name: 'e-2', action: 'deploy', seq: 2, generation: 1, reason: 'create' } as const;
    const busy = await remembered('enc_busy', { failure: LOCKED, run: { ...marker, startedAt: AT, deadlineAt: AT } });
    const fine = await remembered('enc_fine', {});
    const full = await remembered('enc_full', { failure: { ...LOCKED, class: 'capacity' } });
    for (const [id, exit, says] of [
      [busy, 4, 'e-2 is at work on enc_busy'],
      [fine, 4, 'no lock is in the way of enc_fine: its last run did not fail'],
      [full, 4, 'its last failure is of class capacity'],
      ['enc_nobody', 1, 'nothing is known of enc_nobody'],
    ] as const) {
      const { code, err } = await run(['unlock', '--yes', id]);
      expect({ id, code }).toEqual({ id, code: exit });
      expect(err).toContain(says);
      expect(await requests(id)).toEqual([]);
    }
  });
});
