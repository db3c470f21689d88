/** Conformance suite of the history table's port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventKey } from '../../src/enclave/items/event-window.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Outcome } from '../../src/enclave/items/run.ts';
import type { HistoryStore } from '../../src/reconciler/ports/index.ts';
import { AT, anEvent, aRun, freshId, type MakeHarness, putPlain, type TablesHarness } from './conformance-harness.ts';

const succeeded: Outcome = { result: 'succeeded', at: AT, by: 'runner', instanceId: 'i-1' };
const failed: Outcome = { result: 'failed', class: 'quota', message: 'no', at: AT, by: 'operator' };

export function historyStoreConformance(name: string, makeHarness: MakeHarness): void {
  describe(`history store: ${name}`, () => {
    let harness: TablesHarness;
    let history: HistoryStore;
    beforeAll(async () => {
      harness = await makeHarness();
      history = harness.ports.history;
    });
    afterAll(() => harness.close());

    const aStoredRun = async (id = freshId(), changes: Parameters<typeof aRun>[2] = {}, runName = 'run-1') => {
      const run = aRun(id, runName, changes);
      await putPlain(harness, 'history', { ...run, ...keys.run(id, runName) });
      return run;
    };

    it('reads one run, and nothing where there is none or it is malformed', async () => {
      const run = await aStoredRun();
      expect(await history.run(run.id, run.name)).toEqual(run);
      expect(await history.run(run.id, 'other')).toBeUndefined();
      await putPlain(harness, 'history', { action: 'dance', ...keys.run(run.id, 'bad') });
      expect(await history.run(run.id, 'bad')).toBeUndefined();
    });

    it('lists runs newest first, by time and not by name', async () => {
      const id = freshId();
      for (const [seq, hour] of [
        [9, '09'],
        [10, '10'],
        [8, '08'],
      ] as const) {
        await aStoredRun(id, { requestedAt: `2030-01-01T${hour}:00:00.000Z` }, `e-${seq}-deploy`);
      }
      const names = async (limit: number) => (await history.runs(id, limit)).map((run) => run.name);
      expect(await names(10)).toEqual(['e-10-deploy', 'e-9-deploy', 'e-8-deploy']);
      expect(await names(2)).toEqual(['e-10-deploy', 'e-9-deploy']);
      expect(await names(0)).toEqual([]);
      expect(await history.runs(freshId(), 5)).toEqual([]);
    });

    it('settles a run once', async () => {
      const { id, name: runName } = await aStoredRun();
      expect(await history.settle(id, runName, succeeded)).toBe('settled');
      expect(await history.settle(id, runName, failed)).toBe('already');
      expect((await history.run(id, runName))?.outcome).toEqual(succeeded);
    });

    it('lets one of two outcomes win', async () => {
      const { id, name: runName } = await aStoredRun();
      const answers = await Promise.all([history.settle(id, runName, succeeded), history.settle(id, runName, failed)]);
      expect([...answers].sort()).toEqual(['already', 'settled']);
      expect((await history.run(id, runName))?.outcome).toEqual(answers[0] === 'settled' ? succeeded : failed);
    });

    it('settles no run that does not exist: it would leave an item without a run', async () => {
      const id = freshId();
      expect(await history.settle(id, 'run-1', succeeded)).toBe('already');
      expect(await harness.item('history', keys.run(id, 'run-1'))).toBeUndefined();
    });

    it('requests a cancel once, and the first time stands', async () => {
      const { id, name: runName } = await aStoredRun();
      expect(await history.requestCancel(id, runName, AT)).toBe('requested');
      expect(await history.requestCancel(id, runName, '2031-01-01T00:00:00.000Z')).toBe('requested');
      expect((await history.run(id, runName))?.cancelRequestedAt).toBe(AT);
    });

    it('does not cancel what is settled or unknown', async () => {
      const { id, name: runName } = await aStoredRun(freshId(), { outcome: succeeded });
      expect(await history.requestCancel(id, runName, AT)).toBe('settled');
      expect((await history.run(id, runName))?.cancelRequestedAt).toBeUndefined();
      const cancelled = await aStoredRun(freshId(), { outcome: succeeded, cancelRequestedAt: AT });
      expect(await history.requestCancel(cancelled.id, cancelled.name, AT)).toBe('settled');
      const unknown = freshId();
      expect(await history.requestCancel(unknown, 'run-1', AT)).toBe('settled');
      expect(await harness.item('history', keys.run(unknown, 'run-1'))).toBeUndefined();
    });

    it('appends any number of events, of one instant too, each with an expiry, in the stream of the table', async () => {
      const { records: _, history: stream } = harness.ports.streams;
      const { streamArn } = await stream.describeTable();
      const [shard] = await stream.shards(streamArn!);
      const from = await stream.iterator(streamArn!, shard!.shardId, 'LATEST');
      const id = freshId();
      const events = Array.from({ length: 60 }, (_each, index) => anEvent(id, { message: `event ${index}` }));
      await history.append(events);
      await history.append([]);
      const keysSeen = new Set<string>();
      let next = from;
      await expect
        .poll(
          async () => {
            const page = await stream.page(next!);
            if (page.kind === 'page') {
              next = page.next;
              for (const change of page.changes) {
                if (change.keys.pk === keys.events(id)) keysSeen.add(change.keys.sk!);
                expect(change.attributes).toContain('expiresAt');
              }
            }
            return keysSeen.size;
          },
          { timeout: 20_000, interval: 20 },
        )
        .toBe(60);
      for (const key of keysSeen) expect(key.startsWith(`${AT}-`)).toBe(true);
    });

    it('counts the repeats of an event within ten minutes in one item, whoever appends them when', async () => {
      const id = freshId();
      const at = (time: string) => anEvent(id, { at: `2030-01-01T00:${time}.000Z`, generation: 1 });
      await history.append([at('03:00'), at('01:00')]);
      await Promise.all([history.append([{ ...at('04:00'), generation: 2 }]), history.append([at('02:00')])]);
      await history.append([{ ...at('09:59'), run: 'run-2' }]);
      const stored = await harness.item('history', eventKey(at('00:00')));
      expect(stored).toMatchObject({ id, firstAt: '2030-01-01T00:01:00.000Z', count: 5, run: 'run-2' });
      expect(stored).toMatchObject({ at: '2030-01-01T00:09:59.000Z', actor: 'operator', reason: 'PhaseChanged' });
      expect(Number.isInteger(stored?.expiresAt)).toBe(true);
      await history.append([at('10:00')]);
      expect(await harness.item('history', eventKey(at('10:00')))).toMatchObject({ count: 1 });
    });

    it('writes the answer to a request once', async () => {
      const id = freshId();
      const row = { attribute: 'tags', verdict: 'Match', severity: 'low', repair: 'apply', owned: 'operator' } as const;
      const rows = [{ ...row, security: false, desired: 'a=b', observed: null, observedAt: AT }];
      const answer = { v: 1, minReader: 1, id, key: 'k', at: AT, rows, unseen: [], expiresAt: 1_893_456_000 };
      expect(await history.answer(answer)).toBe('answered');
      expect(await history.answer({ ...answer, rows: [] })).toBe('already');
      expect(await history.answer({ ...answer, key: 'k2' })).toBe('answered');
      expect(await harness.item('history', keys.driftAnswer(id, 'k'))).toMatchObject(answer);
    });

    it.each([
      { what: 'reason', changes: { reason: 'ObserveOnly' } },
      { what: 'message', changes: { message: 'other' } },
      { what: 'type', changes: { type: 'Warning' } },
      { what: 'actor', changes: { actor: 'somebody' } },
    ] as const)('another $what is another event', async ({ changes }) => {
      const id = freshId();
      const other = anEvent(id, changes);
      await history.append([anEvent(id), other, other]);
      expect(await harness.item('history', eventKey(anEvent(id)))).toMatchObject({ count: 1 });
      expect(await harness.item('history', eventKey(other))).toMatchObject({ ...changes, count: 2 });
    });
  });
}
