/** Conformance suite of a table's change stream. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import type { ChangeStream, TableChange } from '../../src/reconciler/ports/index.ts';
import { aLifecycle, freshId, type MakeHarness, putPlain, type TablesHarness } from './conformance-harness.ts';

/** Reads shards on from their iterators; `until` holds, or the poll fails with what was seen. */
class Follower {
  readonly seen: TableChange[] = [];
  readonly #stream: ChangeStream;
  #iterators: (string | undefined)[] = [];

  constructor(stream: ChangeStream) {
    this.#stream = stream;
  }

  async subscribe(from: 'LATEST' | 'TRIM_HORIZON'): Promise<this> {
    const { streamArn } = await this.#stream.describeTable();
    const shards = await this.#stream.shards(streamArn!);
    this.#iterators = await Promise.all(shards.map((shard) => this.#stream.iterator(streamArn!, shard.shardId, from)));
    return this;
  }

  async until(holds: (seen: readonly TableChange[]) => boolean): Promise<readonly TableChange[]> {
    await expect
      .poll(
        async () => {
          await this.#round();
          return holds(this.seen);
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBe(true);
    return this.seen;
  }

  async #round(): Promise<void> {
    this.#iterators = await Promise.all(
      this.#iterators.map(async (iterator) => {
        if (iterator === undefined) return undefined;
        const page = await this.#stream.page(iterator);
        expect(page.kind).toBe('page');
        if (page.kind !== 'page') return undefined;
        this.seen.push(...page.changes);
        return page.next;
      }),
    );
  }
}

export function changeStreamConformance(name: string, makeHarness: MakeHarness): void {
  describe(`change stream: ${name}`, () => {
    let harness: TablesHarness;
    let stream: ChangeStream;
    beforeAll(async () => {
      harness = await makeHarness();
      stream = harness.ports.streams.records;
    });
    afterAll(() => harness.close());

    const put = async (attributes: object = {}) => {
      const id = freshId();
      await putPlain(harness, 'records', { id, status: 'PENDING_DEPLOY', ...attributes });
      return id;
    };
    const of = (id: string) => (change: TableChange) => change.keys.id === id;

    it('names the table and its stream, the same each time, and tells tables apart', async () => {
      const first = await stream.describeTable();
      expect(first.tableId).not.toBe('');
      expect(first.streamArn).toBeDefined();
      expect(await stream.describeTable()).toEqual(first);
      expect((await harness.ports.streams.state.describeTable()).tableId).not.toBe(first.tableId);
      expect((await stream.shards(first.streamArn!)).length).toBeGreaterThan(0);
    });

    it('LATEST: a put after the subscription is seen, one before it is not', async () => {
      const before = await put();
      const follower = await new Follower(stream).subscribe('LATEST');
      const after = await put();
      const seen = await follower.until((changes) => changes.some(of(after)));
      expect(seen.some(of(before))).toBe(false);
    });

    it('TRIM_HORIZON: all of an item in order, its removal last', async () => {
      const id = await put();
      await putPlain(harness, 'records', { id, status: 'DEPLOYING' });
      await harness.delete('records', { id });
      const follower = await new Follower(stream).subscribe('TRIM_HORIZON');
      const seen = await follower.until((changes) => changes.some((each) => of(id)(each) && each.kind === 'remove'));
      const mine = seen.filter(of(id));
      expect(mine.map((change) => [change.kind, change.strings.status])).toEqual([
        ['put', 'PENDING_DEPLOY'],
        ['put', 'DEPLOYING'],
        ['remove', undefined],
      ]);
      expect(mine.at(-1)).toEqual({ kind: 'remove', keys: { id }, strings: {}, attributes: [] });
    });

    it('a change carries keys, the strings of the new image, and the names of all its attributes', async () => {
      const follower = await new Follower(stream).subscribe('LATEST');
      const id = await put({ name: 'n', size: 5, providerConfig: { inner: 'i' } });
      const seen = await follower.until((changes) => changes.some(of(id)));
      const change = seen.find(of(id))!;
      expect({ ...change, attributes: [...change.attributes].sort() }).toEqual({
        kind: 'put',
        keys: { id },
        strings: { id, status: 'PENDING_DEPLOY', name: 'n' },
        attributes: ['id', 'name', 'providerConfig', 'size', 'status'],
      });
    });

    it('a hostile attribute name hides no change', async () => {
      const follower = await new Follower(stream).subscribe('LATEST');
      const id = await put(Object.fromEntries([['__proto__', 'a name']]));
      const seen = await follower.until((changes) => changes.some(of(id)));
      expect(seen.find(of(id))?.strings).toMatchObject({ id, status: 'PENDING_DEPLOY' });
    });

    it("shows each write of a commit in its own table's stream", async () => {
      const inState = await new Follower(harness.ports.streams.state).subscribe('LATEST');
      const inHistory = await new Follower(harness.ports.streams.history).subscribe('LATEST');
      const lifecycle = aLifecycle(freshId());
      const { id } = lifecycle;
      const { variables } = { variables: lifecycle.snapshot! };
      const run = {
        v: 1,
        minReader: 1,
        id,
        name: 'run-1',
        action: 'deploy' as const,
        reason: 'create',
        generation: 1,
        requestedAt: lifecycle.commandAt,
        variables,
      };
      const start = { lock: { run: 'run-1', state: 'intended' as const }, run };
      await harness.ports.state.commit({ lifecycle, readRevision: undefined, start, consumed: [] });
      const inOrder = (changes: readonly TableChange[]) => changes.filter((each) => each.keys.pk === keys.enclave(id));
      const state = await inState.until((changes) => inOrder(changes).length === 2);
      expect(
        inOrder(state)
          .map((each) => each.keys.sk)
          .sort(),
      ).toEqual(['lifecycle', 'lock']);
      await inHistory.until((changes) =>
        changes.some((each) => each.keys.pk === keys.runs(id) && each.keys.sk === 'run-1'),
      );
    });

    it('reads on from an iterator that has been read before: a reply may be lost', async () => {
      const { streamArn } = await stream.describeTable();
      const shards = await stream.shards(streamArn!);
      const iterators = await Promise.all(shards.map((shard) => stream.iterator(streamArn!, shard.shardId, 'LATEST')));
      const id = await put();
      const seesIt = async () => {
        const pages = await Promise.all(iterators.map((iterator) => stream.page(iterator!)));
        return pages.some((page) => page.kind === 'page' && page.changes.some(of(id)));
      };
      await expect.poll(seesIt, { timeout: 20_000, interval: 20 }).toBe(true);
      expect(await seesIt()).toBe(true);
    });

    it('an iterator that is none means a gap, not a failure', async () => {
      expect(await stream.page('nonsense')).toMatchObject({ kind: 'gap' });
    });
  });
}
