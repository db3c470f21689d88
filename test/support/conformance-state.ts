/** Conformance suite of the state table's port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import { OperatorError, type StatePage, type StateStore } from '../../src/reconciler/ports/index.ts';
import {
  AT,
  aLifecycle,
  aLock,
  aPlanResult,
  aReport,
  aRequest,
  aRun,
  freshId,
  type MakeHarness,
  putPlain,
  type TablesHarness,
} from './conformance-harness.ts';

export function stateStoreConformance(name: string, makeHarness: MakeHarness): void {
  describe(`state store: ${name}`, () => {
    let harness: TablesHarness;
    let state: StateStore;
    beforeAll(async () => {
      harness = await makeHarness();
      state = harness.ports.state;
    });
    afterAll(() => harness.close());

    /** A lifecycle that is stored, as stored. */
    const stored = async (changes: Parameters<typeof aLifecycle>[1] = {}) => {
      const id = freshId();
      const lifecycle = aLifecycle(id, changes);
      expect(await state.commit({ lifecycle, readRevision: undefined, consumed: [] })).toBe('committed');
      return lifecycle;
    };
    const putRequest = async (id: string, key: string) => {
      const request = aRequest(id, key);
      await putPlain(harness, 'state', { ...request, ...keys.request(id, key) });
      return request;
    };

    const putPlanResult = async (id: string, run: string) => {
      const result = aPlanResult(id, run);
      await putPlain(harness, 'state', { ...result, ...keys.planResult(id, run) });
      return result;
    };

    describe('reading', () => {
      it('remembers nothing of an enclave it never met', async () => {
        expect(await state.read(freshId())).toEqual({ lifecycle: undefined, lock: undefined, fromTheFuture: false });
      });

      it('reads a lifecycle exactly as committed', async () => {
        const lifecycle = await stored({ missingSince: AT, run: undefined });
        const { lifecycle: read } = await state.read(lifecycle.id);
        expect(read).toStrictEqual(JSON.parse(JSON.stringify(lifecycle)));
      });

      it('reads members that were stored as maps, and those stored as text, alike', async () => {
        const lifecycle = aLifecycle(freshId(), { applied: { deep: { list: [1, 'x'] } }, policy: { dependsOn: [] } });
        const { applied, conditions, ...rest } = lifecycle;
        const text = { applied: JSON.stringify(applied), conditions: JSON.stringify(conditions) };
        const key = keys.lifecycle(lifecycle.id);
        for (const item of [lifecycle, { ...rest, ...text }]) {
          await putPlain(harness, 'state', { ...item, ...key });
          expect((await state.read(lifecycle.id)).lifecycle).toStrictEqual(JSON.parse(JSON.stringify(lifecycle)));
        }
        await putPlain(harness, 'state', { ...lifecycle, conditions: 'no JSON', ...key });
        await expect(state.read(lifecycle.id)).rejects.toThrow('conditions');
      });

      it('keeps members a newer version wrote, at any depth, over a rewrite', async () => {
        const lifecycle = await stored();
        const item = { ...lifecycle, later: { deep: [1] }, identity: { ...lifecycle.identity, tenant: 't' } };
        await putPlain(harness, 'state', { ...item, ...keys.lifecycle(lifecycle.id) });
        const { lifecycle: read } = await state.read(lifecycle.id);
        await state.commit({ lifecycle: { ...read!, revision: 2 }, readRevision: 1, consumed: [] });
        expect(await harness.item('state', keys.lifecycle(lifecycle.id))).toMatchObject({
          revision: 2,
          later: { deep: [1] },
          identity: { tenant: 't' },
        });
      });

      it.each(['lifecycle', 'lock'] as const)('tells when the %s asks for a newer reader', async (item) => {
        const id = freshId();
        await putPlain(harness, 'state', { minReader: 99, shape: 'unknown', ...keys[item](id) });
        expect(await state.read(id)).toMatchObject({ fromTheFuture: true });
      });

      it.each([
        { item: 'lifecycle', body: { id: 'x', revision: 'one' } },
        { item: 'lock', body: { run: 5 } },
      ] as const)('refuses a malformed $item by name, rather than take it for none', async ({ item, body }) => {
        const id = freshId();
        await putPlain(harness, 'state', { ...body, ...keys[item](id) });
        const error: unknown = await state.read(id).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(OperatorError);
        expect(error).toMatchObject({ class: 'Blocked' });
        expect(String(error)).toContain(`the ${item} of enclave ${id}`);
      });

      it('reads reports and requests of one enclave, malformed ones left out, requests oldest first', async () => {
        const id = freshId();
        const report = aReport(id, 'i-1');
        await putPlain(harness, 'state', { ...report, ...keys.report(id, 'i-1') });
        await putPlain(harness, 'state', { sequence: 'first', ...keys.report(id, 'i-2') });
        const later = await putRequest(id, '2030-01-02');
        const sooner = await putRequest(id, '2030-01-01');
        await putPlain(harness, 'state', { verb: {}, ...keys.request(id, '2030-01-03') });
        expect(await state.reports(id, ['i-1', 'i-2', 'i-3'])).toEqual([report]);
        expect(await state.requests(id)).toEqual([sooner, later]);
        expect(await state.reports(freshId(), ['i-1'])).toEqual([]);
      });

      it('reads the reports asked for, one call each, however many items a host writes beside them', async () => {
        const id = freshId();
        const padding = 'x'.repeat(3_000);
        const written = Array.from({ length: 2_000 }, (_, index) => `i-${index}`);
        const put = (instanceId: string) =>
          putPlain(harness, 'state', { ...aReport(id, instanceId), padding, ...keys.report(id, instanceId) });
        for (let from = 0; from < written.length; from += 50)
          await Promise.all(written.slice(from, from + 50).map(put));
        const sentBefore = harness.sent?.().length ?? 0;
        expect(await state.reports(id, ['i-7', 'i-1999', 'i-absent'])).toEqual([
          aReport(id, 'i-7'),
          aReport(id, 'i-1999'),
        ]);
        expect(await state.reports(id, [])).toEqual([]);
        if (harness.sent !== undefined) expect(harness.sent().slice(sentBefore)).toEqual(Array(3).fill('GetItem'));
      });

      it('takes a report that is too large, or of another instance than its key names, for none', async () => {
        const id = freshId();
        const error = { class: 'host', message: 'x'.repeat(300_000) };
        await putPlain(harness, 'state', { ...aReport(id, 'i-1', { error }), ...keys.report(id, 'i-1') });
        await putPlain(harness, 'state', { ...aReport(id, 'i-4'), ...keys.report(id, 'i-2') });
        await putPlain(harness, 'state', { ...aReport(id, 'i-3'), ...keys.report(id, 'i-3') });
        expect(await state.reports(id, ['i-1', 'i-2', 'i-3'])).toEqual([aReport(id, 'i-3')]);
      });

      it('lists no lifecycle that a host has written to its report partition', async () => {
        const victim = await stored();
        const forged = { ...victim, phase: 'destroyed' };
        await putPlain(harness, 'state', { ...forged, ...keys.report(victim.id, 'lifecycle') });
        const listed = [];
        for await (const page of state.scan(new AbortController().signal)) listed.push(...page.lifecycles);
        expect(listed.filter(({ id }) => id === victim.id).map(({ phase }) => phase)).toEqual([victim.phase]);
      });

      it('reads plan results of one enclave, malformed ones left out', async () => {
        const id = freshId();
        const results = [await putPlanResult(id, 'drift-1-1'), await putPlanResult(id, 'drift-1-2')];
        await putPlain(harness, 'state', { run: {}, ...keys.planResult(id, 'drift-1-3') });
        await putPlanResult(freshId(), 'drift-1-1');
        expect(await state.planResults(id)).toEqual(results);
        expect(await state.planResults(freshId())).toEqual([]);
      });

      it('discards the plan results it is given, and no others', async () => {
        const id = freshId();
        const discarded = await putPlanResult(id, 'drift-1-1');
        const kept = await putPlanResult(id, 'drift-1-2');
        await state.discardPlanResults([discarded, { ...kept, askedAt: '1999-01-01T00:00:00.000Z' }]);
        expect(await state.planResults(id)).toEqual([kept]);
        await state.discardPlanResults([discarded]);
      });

      it('dismisses the requests it is given, and no others', async () => {
        const id = freshId();
        const dismissed = await putRequest(id, '2030-01-01');
        const kept = await putRequest(id, '2030-01-02');
        await state.dismiss([dismissed, { ...kept, at: '1999-01-01T00:00:00.000Z' }]);
        expect(await state.requests(id)).toEqual([kept]);
        await state.dismiss([dismissed]);
      });

      it('scans lifecycles, and for which a request or a plan result waits; a malformed one hides no other', async () => {
        const lifecycles = await Promise.all([stored(), stored({ message: 'm'.repeat(10) }), stored()]);
        await putPlain(harness, 'state', { phase: 'dancing', ...keys.lifecycle(freshId()) });
        const asked = freshId();
        await putRequest(asked, 'k');
        const planned = freshId();
        await putPlanResult(planned, 'drift-1-1');
        const pages: StatePage[] = [];
        for await (const page of state.scan(new AbortController().signal)) pages.push(page);
        const scanned = new Map(pages.flatMap((page) => page.lifecycles).map((each) => [each.id, each]));
        expect(pages.flatMap((page) => page.requested)).toContain(asked);
        expect(pages.flatMap((page) => page.requested)).toContain(planned);
        for (const lifecycle of lifecycles) expect(scanned.get(lifecycle.id)).toMatchObject({ id: lifecycle.id });
        expect([...scanned.values()].every((each) => typeof each.revision === 'number')).toBe(true);
      });
    });

    describe('committing', () => {
      it('creates a lifecycle once', async () => {
        const lifecycle = await stored();
        const twin = { ...lifecycle, message: 'twin' };
        expect(await state.commit({ lifecycle: twin, readRevision: undefined, consumed: [] })).toBe('conflict');
        expect((await state.read(lifecycle.id)).lifecycle?.message).toBe('');
      });

      it('replaces only the revision that was read', async () => {
        const lifecycle = await stored();
        const next = { ...lifecycle, revision: 2, message: 'second' };
        expect(await state.commit({ lifecycle: next, readRevision: 1, consumed: [] })).toBe('committed');
        const late = { ...lifecycle, revision: 2, message: 'late' };
        expect(await state.commit({ lifecycle: late, readRevision: 1, consumed: [] })).toBe('conflict');
        expect((await state.read(lifecycle.id)).lifecycle).toMatchObject({ revision: 2, message: 'second' });
      });

      it('does not bring back a lifecycle that was forgotten', async () => {
        const lifecycle = await stored();
        await state.forget(lifecycle.id, 1);
        const next = { ...lifecycle, revision: 2 };
        expect(await state.commit({ lifecycle: next, readRevision: 1, consumed: [] })).toBe('conflict');
        expect((await state.read(lifecycle.id)).lifecycle).toBeUndefined();
      });

      it.each([
        { epoch: 4, answer: 'conflict' },
        { epoch: 5, answer: 'committed' },
        { epoch: 6, answer: 'committed' },
      ])('over a lifecycle of epoch 5, a leader of epoch $epoch: $answer', async ({ epoch, answer }) => {
        const lifecycle = await stored({ epoch: 5 });
        const next = { ...lifecycle, revision: 2, epoch };
        expect(await state.commit({ lifecycle: next, readRevision: 1, consumed: [] })).toBe(answer);
      });

      it('records an intent whole: lifecycle, lock and run item; consumed requests are gone', async () => {
        const lifecycle = await stored();
        const { id } = lifecycle;
        const request = await putRequest(id, '1');
        const unread = await putRequest(id, '2');
        const run = aRun(id, 'run-1');
        const next = { ...lifecycle, revision: 2 };
        const start = { lock: aLock('run-1'), run };
        expect(await state.commit({ lifecycle: next, readRevision: 1, start, consumed: [request] })).toBe('committed');
        const remembered = await state.read(id);
        expect(remembered.lifecycle?.revision).toBe(2);
        expect(remembered.lock).toEqual({
          run: 'run-1',
          state: 'intended',
          action: 'deploy',
          // The one execution that may claim it.
          intendedExecution: expect.stringMatching(/^arn:aws:states:.*:execution:.*:run-1$/),
        });
        expect(await harness.ports.history.run(id, 'run-1')).toMatchObject(run);
        expect(await state.requests(id)).toEqual([unread]);
      });

      it('gives the run item an expiry in whole seconds', async () => {
        const lifecycle = await stored();
        const start = { lock: aLock('run-1'), run: aRun(lifecycle.id, 'run-1') };
        await state.commit({ lifecycle: { ...lifecycle, revision: 2 }, readRevision: 1, start, consumed: [] });
        const item = await harness.item('history', keys.run(lifecycle.id, 'run-1'));
        expect(Number.isInteger(item?.expiresAt)).toBe(true);
        // Seconds, not ms: between 2001 and 2286.
        expect(String(item?.expiresAt)).toMatch(/^[0-9]{10}$/);
      });

      it.each([
        { reason: 'a lock exists', revision: 1, lock: true, run: false },
        { reason: 'the run exists', revision: 1, lock: false, run: true },
        { reason: 'the revision moved', revision: 7, lock: false, run: false },
      ])('writes nothing of an intent when $reason', async ({ revision, lock, run }) => {
        const lifecycle = await stored({ revision });
        const { id } = lifecycle;
        const request = await putRequest(id, '1');
        if (lock) await putPlain(harness, 'state', { ...aLock('other'), ...keys.lock(id) });
        if (run)
          await putPlain(harness, 'history', { ...aRun(id, 'run-1', { reason: 'older' }), ...keys.run(id, 'run-1') });
        const start = { lock: aLock('run-1'), run: aRun(id, 'run-1') };
        const next = { ...lifecycle, revision: 2, message: 'new' };
        expect(await state.commit({ lifecycle: next, readRevision: 1, start, consumed: [request] })).toBe('conflict');
        const remembered = await state.read(id);
        expect(remembered.lifecycle).toMatchObject({ revision, message: '' });
        expect(remembered.lock?.run).toBe(lock ? 'other' : undefined);
        expect((await harness.ports.history.run(id, 'run-1'))?.reason).toBe(run ? 'older' : undefined);
        expect(await state.requests(id)).toEqual([request]);
      });

      it('consumes plan results with the lifecycle that takes them in, and does not mind one that is gone', async () => {
        const lifecycle = await stored();
        const { id } = lifecycle;
        const planResults = [await putPlanResult(id, 'drift-1-1'), aPlanResult(id, 'drift-1-0')];
        const unread = await putPlanResult(id, 'drift-1-2');
        const next = { ...lifecycle, revision: 2 };
        expect(await state.commit({ lifecycle: next, readRevision: 7, consumed: [], planResults })).toBe('conflict');
        expect(await state.planResults(id)).toEqual([planResults[0], unread]);
        expect(await state.commit({ lifecycle: next, readRevision: 1, consumed: [], planResults })).toBe('committed');
        expect(await state.planResults(id)).toEqual([unread]);
      });

      it('consumes a request without a run, and does not mind one that is gone', async () => {
        const lifecycle = await stored();
        const request = await putRequest(lifecycle.id, '1');
        const gone = aRequest(lifecycle.id, '0');
        const next = { ...lifecycle, revision: 2 };
        const answer = await state.commit({ lifecycle: next, readRevision: 1, consumed: [request, gone] });
        expect(answer).toBe('committed');
        expect(await state.requests(lifecycle.id)).toEqual([]);
      });

      it('lets one of two commits at the same revision win, whole', async () => {
        const lifecycle = await stored();
        const { id } = lifecycle;
        const attempt = (run: string) =>
          state.commit({
            lifecycle: { ...lifecycle, revision: 2, message: run },
            readRevision: 1,
            start: { lock: aLock(run), run: aRun(id, run) },
            consumed: [],
          });
        const answers = await Promise.all([attempt('run-a'), attempt('run-b')]);
        expect([...answers].sort()).toEqual(['committed', 'conflict']);
        const winner = answers[0] === 'committed' ? 'run-a' : 'run-b';
        const loser = winner === 'run-a' ? 'run-b' : 'run-a';
        const remembered = await state.read(id);
        expect([remembered.lifecycle?.message, remembered.lock?.run]).toEqual([winner, winner]);
        expect(await harness.ports.history.run(id, loser)).toBeUndefined();
      });
    });

    describe('forgetting and releasing', () => {
      it('forgets only the revision that was read', async () => {
        const { id } = await stored({ revision: 3 });
        expect(await state.forget(id, 2)).toBe('conflict');
        expect((await state.read(id)).lifecycle?.revision).toBe(3);
        expect(await state.forget(id, 3)).toBe('committed');
        expect((await state.read(id)).lifecycle).toBeUndefined();
        expect(await state.forget(id, 3)).toBe('conflict');
      });

      it.each([
        { run: 'mine', states: ['intended'] as const, answer: 'released', reason: 'held by the run in that state' },
        { run: 'mine', states: ['intended', 'claimed'] as const, answer: 'released', reason: 'in one of the states' },
        { run: 'mine', states: ['claimed'] as const, answer: 'notHeld', reason: 'in another state' },
        { run: 'other', states: ['intended', 'claimed'] as const, answer: 'notHeld', reason: 'held by another run' },
        { run: 'mine', states: [] as const, answer: 'notHeld', reason: 'no state allowed' },
      ])('release: $answer when $reason', async ({ run, states, answer }) => {
        const id = freshId();
        await putPlain(harness, 'state', { ...aLock('mine'), ...keys.lock(id) });
        expect(await state.release(id, run, states)).toBe(answer);
        expect((await state.read(id)).lock?.run).toBe(answer === 'released' ? undefined : 'mine');
        expect(await state.release(freshId(), run, states)).toBe('notHeld');
      });
    });

    it('installs fleet/control once', async () => {
      expect(await state.control()).toBeUndefined();
      await state.install({ v: 1, minReader: 1, installedAt: AT });
      await state.install({ v: 1, minReader: 1, installedAt: '2031-01-01T00:00:00.000Z' });
      expect(await state.control()).toEqual({ v: 1, minReader: 1, installedAt: AT });
      const deletionHold = { reason: 'many', since: AT };
      await state.amendControl({ deletionHold });
      await state.amendControl({ tableId: 'table-1' });
      expect(await state.control()).toEqual({ v: 1, minReader: 1, installedAt: AT, deletionHold, tableId: 'table-1' });
    });
  });
}
