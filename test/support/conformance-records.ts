/** Conformance suite of the enclaves table's port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordStore } from '../../src/reconciler/ports/index.ts';
import { AT, collect, freshId, type MakeHarness, putPlain, type TablesHarness } from './conformance-harness.ts';

const TEMPLATE = '${var.x} %{ if } $(reboot) \u0000 \ud83d\ude00';
const LATER = '2030-01-01T00:00:01.000Z';

export function recordStoreConformance(name: string, makeHarness: MakeHarness): void {
  describe(`record store: ${name}`, () => {
    let harness: TablesHarness;
    let records: RecordStore;
    beforeAll(async () => {
      harness = await makeHarness();
      records = harness.ports.records;
    });
    afterAll(() => harness.close());

    const read = { status: 'PENDING_DEPLOY', updatedAt: AT, createdAt: AT };
    const aRecord = async (changes: object = {}) => {
      const id = freshId();
      await putPlain(harness, 'records', { id, ...read, ...changes });
      return id;
    };
    const deploying = { set: { status: 'DEPLOYING', updatedAt: LATER }, remove: [] };

    it('reads what was put, and nothing where there is nothing', async () => {
      const id = await aRecord({ providerConfig: { ports: [80], empty: null } });
      expect(await records.get(id)).toEqual({ id, ...read, providerConfig: { ports: [80], empty: null } });
      expect(await records.get(freshId())).toBeUndefined();
    });

    it('reads hostile attributes as plain JSON, and never throws', async () => {
      const id = freshId();
      const digits = '12345678901234567890123456789012345678';
      const huge = `1${'0'.repeat(125)}`;
      const named = Object.fromEntries([['__proto__', { S: 'a name' }]]);
      await harness.put('records', {
        id: { S: id },
        updatedAt: { N: '1.5' },
        // An attribute of this name, and nobody's prototype.
        ...named,
        map: { M: named },
        safe: { N: '9007199254740991' },
        unsafe: { N: '9007199254740993' },
        digits: { N: digits },
        huge: { N: huge },
        negative: { N: '-0.25' },
        strings: { SS: ['a'] },
        numbers: { NS: ['1.5'] },
        binary: { B: new Uint8Array([1, 2, 255]) },
        binaries: { BS: [new Uint8Array([0])] },
        nested: { L: [{ M: { none: { NULL: true }, deeper: { L: [{ L: [{ BOOL: false }] }] } } }] },
        empty: { S: '' },
        template: { S: TEMPLATE },
      });
      const item = await records.get(id);
      expect(Object.getPrototypeOf(item)).toBe(Object.prototype);
      expect(Object.entries(item?.map ?? {})).toEqual([['__proto__', 'a name']]);
      expect({ ...item }).toMatchObject({
        id,
        updatedAt: 1.5,
        safe: 9_007_199_254_740_991,
        unsafe: '9007199254740993',
        digits,
        huge,
        negative: -0.25,
        strings: ['a'],
        numbers: [1.5],
        binary: 'AQL/',
        binaries: ['AA=='],
        nested: [{ none: null, deeper: [[false]] }],
        empty: '',
        template: TEMPLATE,
      });
    });

    it('publishes attributes, a member of providerConfig, and removals in one write', async () => {
      const id = await aRecord({ error_message: 'old', providerConfig: { image: 'nginx' }, kept: [1, 'two'] });
      const answer = await records.publish(id, read, {
        set: { status: 'DEPLOYED', updatedAt: LATER, updated_at: LATER, operator: { phase: 'ready', conditions: [] } },
        providerInstanceId: 'i-1',
        remove: ['error_message', 'error_type'],
      });
      expect(answer).toBe('published');
      expect(await harness.item('records', { id })).toEqual({
        id,
        status: 'DEPLOYED',
        createdAt: AT,
        updatedAt: LATER,
        updated_at: LATER,
        operator: { phase: 'ready', conditions: [] },
        providerConfig: { image: 'nginx', instanceId: 'i-1' },
        kept: [1, 'two'],
      });
    });

    it.each([
      { reason: 'the status moved', changes: { status: 'PENDING_DESTROY' } },
      { reason: 'updatedAt moved', changes: { updatedAt: LATER } },
      { reason: 'createdAt moved: another record of the same id', changes: { createdAt: LATER } },
      { reason: 'updatedAt is no text now', changes: { updatedAt: 5 } },
    ])('refuses to publish when $reason', async ({ changes }) => {
      const id = await aRecord(changes);
      const before = await harness.item('records', { id });
      expect(await records.publish(id, read, deploying)).toBe('conflict');
      expect(await harness.item('records', { id })).toEqual(before);
    });

    it('never creates an item', async () => {
      const id = freshId();
      const nothing = { status: undefined, updatedAt: undefined, createdAt: undefined };
      expect(await records.publish(id, nothing, deploying)).toBe('conflict');
      expect(await harness.item('records', { id })).toBeUndefined();
    });

    it.each([
      { reason: 'absent', attributes: {} },
      { reason: 'null', attributes: { updatedAt: null, createdAt: null } },
      { reason: 'a number', attributes: { updatedAt: 1.5, createdAt: 7 } },
      { reason: 'empty', attributes: { updatedAt: '', createdAt: '' } },
    ])('publishes where updatedAt and createdAt were read as $reason', async ({ attributes }) => {
      const id = freshId();
      await putPlain(harness, 'records', { id, status: 'PENDING_DEPLOY', ...attributes });
      const asRead = { status: 'PENDING_DEPLOY', updatedAt: undefined, createdAt: undefined };
      expect(await records.publish(id, asRead, deploying)).toBe('published');
      expect(await harness.item('records', { id })).toMatchObject({ status: 'DEPLOYING' });
    });

    it('refuses to publish where something came to be that was absent when read', async () => {
      const id = await aRecord();
      expect(await records.publish(id, { ...read, updatedAt: undefined }, deploying)).toBe('conflict');
    });

    it.each([
      { reason: 'is gone', attributes: {} },
      { reason: 'is a string', attributes: { providerConfig: 'text' } },
      { reason: 'is a list', attributes: { providerConfig: [] } },
    ])('calls it a conflict when providerConfig $reason', async ({ attributes }) => {
      const id = await aRecord(attributes);
      const before = await harness.item('records', { id });
      expect(await records.publish(id, read, { ...deploying, providerInstanceId: 'i-1' })).toBe('conflict');
      expect(await harness.item('records', { id })).toEqual(before);
    });

    it('says tooLarge where the item would pass 400 KB, and writes nothing', async () => {
      const id = await aRecord({ junk: 'x'.repeat(408_000) });
      const large = { ...deploying, set: { ...deploying.set, operator: { message: 'm'.repeat(4_000) } } };
      expect(await records.publish(id, read, large)).toBe('tooLarge');
      expect(await harness.item('records', { id })).toMatchObject(read);
      expect(await records.publish(id, read, deploying)).toBe('published');
    });

    it('scans every record, over pages', async () => {
      // 25 × 60 KB: more than the megabyte DynamoDB gives at a time.
      const ids = await Promise.all(Array.from({ length: 25 }, () => aRecord({ junk: 'x'.repeat(60_000) })));
      const scanned = new Map((await collect(records.scan)).map((record) => [record.id, record]));
      for (const id of ids) expect(scanned.get(id)).toMatchObject({ id, ...read });
    });

    it('ends a scan by throwing when it is aborted: part of a table is never taken for all', async () => {
      await aRecord();
      const scan = async () => {
        for await (const _ of records.scan(AbortSignal.abort())) {
          // Pages before the abort shows are allowed.
        }
      };
      await expect(scan()).rejects.toThrow();
    });
  });
}
