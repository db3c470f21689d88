import { beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../../src/enclave/items/items.ts';
import type { RunItem } from '../../../src/enclave/items/run.ts';
import { OperatorError } from '../../../src/reconciler/ports/index.ts';
import { aLifecycle, aLock, aRun } from '../../support/conformance-harness.ts';
import { createMemoryWorld, type MemoryWorld } from '../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../support/virtual-clock.ts';

describe('the world in memory', () => {
  let clock: VirtualClock;
  let world: MemoryWorld;
  beforeEach(() => {
    clock = new VirtualClock();
    world = createMemoryWorld({ clock, random: seededRandom(1) });
  });

  /** Records an intent as the reconciler does; starting it is the test's. */
  const intend = async (id: string, name: string, changes: Partial<RunItem> = {}) => {
    const { lifecycle } = await world.ports.state.read(id);
    const revision = (lifecycle?.revision ?? 0) + 1;
    const start = { lock: aLock(name), run: aRun(id, name, changes) };
    const next = aLifecycle(id, { revision });
    return world.ports.state.commit({ lifecycle: next, readRevision: lifecycle?.revision, start, consumed: [] });
  };
  const outcomeOf = async (id: string, name: string) => (await world.ports.history.run(id, name))?.outcome;
  const reportsOf = (id: string) => world.ports.state.reports(id, [...world.hosts.all.keys()]);
  const lockOf = async (id: string) => (await world.ports.state.read(id)).lock;

  describe('a run', () => {
    it('claims the lock, works, records, releases; its host boots and reports', async () => {
      await intend('a', 'r1');
      expect(await world.ports.workflows.start('r1', 'deploy', 'a')).toBe('started');
      await clock.advance(1_000);
      expect(await lockOf('a')).toMatchObject({ run: 'r1', state: 'claimed' });
      expect([...(await world.ports.workflows.running('deploy'))]).toEqual(['r1']);
      await clock.advance(4_000);
      const [task] = await world.ports.workflows.tasks('r1', 'deploy');
      expect((await world.ports.tasks.describe([task!])).get(task!)).toBe('active');
      await clock.advance(20_000);
      const outcome = await outcomeOf('a', 'r1');
      expect(outcome).toMatchObject({ result: 'succeeded', by: 'runner' });
      expect(await lockOf('a')).toBeUndefined();
      expect(await world.ports.workflows.describe('r1', 'deploy')).toMatchObject({ state: 'succeeded' });
      expect((await world.ports.tasks.describe([task!, 'other'])).get(task!)).toBe('stopped');
      expect(await world.ports.hosts.find('us-west-2', 'a')).toMatchObject([{ instanceId: outcome?.instanceId }]);
      await clock.advance(60_000);
      expect(await reportsOf('a')).toMatchObject([{ sequence: 1, appliedGeneration: 1 }]);
    });

    it('ends without Terraform where the lock is not its own', async () => {
      await intend('a', 'r1');
      await world.ports.workflows.start('other', 'destroy', 'a');
      await clock.advance(60_000);
      expect(world.runs.executions.get('other')).toMatchObject({ state: 'succeeded', coalesced: true, tasks: [] });
      expect(await lockOf('a')).toMatchObject({ run: 'r1', state: 'intended' });
    });

    it('does not take over a lock that another execution has claimed', async () => {
      await intend('a', 'r1');
      const claimed = aLock('r1', { state: 'claimed', executionArn: 'arn of another' });
      world.tables.state.put({ ...claimed, ...keys.lock('a') });
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await clock.advance(60_000);
      expect(world.runs.executions.get('r1')).toMatchObject({ coalesced: true });
      expect(await lockOf('a')).toEqual(claimed);
    });

    it('exists once by its name', async () => {
      await intend('a', 'r1');
      await world.ports.workflows.start('r1', 'deploy', 'a');
      expect(await world.ports.workflows.start('r1', 'deploy', 'a')).toBe('exists');
      await clock.advance(60_000);
      expect(await world.ports.workflows.start('r1', 'deploy', 'a')).toBe('exists');
      expect(world.hosts.all.size).toBe(1);
      expect(await world.ports.workflows.describe('r2', 'deploy')).toMatchObject({ state: 'missing' });
    });

    it('is cancelled by the flag before it works, and by StopTask while it works', async () => {
      await intend('a', 'r1');
      await world.ports.history.requestCancel('a', 'r1', clock.iso());
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await intend('b', 'r2');
      await world.ports.workflows.start('r2', 'deploy', 'b');
      await clock.advance(5_000);
      expect(await outcomeOf('a', 'r1')).toMatchObject({ result: 'cancelled' });
      const [task] = await world.ports.workflows.tasks('r2', 'deploy');
      await world.ports.tasks.stop(task!, 'why');
      await clock.advance(3_000);
      expect(await outcomeOf('b', 'r2')).toMatchObject({ result: 'cancelled' });
      expect([await lockOf('a'), await lockOf('b')]).toEqual([undefined, undefined]);
      expect(world.hosts.all.size).toBe(0);
    });

    it.each([
      { dies: 'task' as const, by: 'workflow', lock: undefined },
      { dies: 'workflow' as const, by: undefined, lock: 'r1' },
    ])('may die: its $dies', async ({ dies, by, lock }) => {
      world.runs.script = () => ({ dies });
      await intend('a', 'r1');
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await clock.advance(60_000);
      expect((await outcomeOf('a', 'r1'))?.by).toBe(by);
      expect((await lockOf('a'))?.run).toBe(lock);
      expect(await world.ports.workflows.describe('r1', 'deploy')).toMatchObject({ state: 'failed' });
    });

    it('fails as scripted, and leaves its lock when it is aborted', async () => {
      world.runs.script = () => ({ fails: { class: 'quota', message: 'too many' } });
      await intend('a', 'r1');
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await intend('b', 'r2');
      await world.ports.workflows.start('r2', 'deploy', 'b');
      await clock.advance(5_000);
      await world.ports.workflows.abort('r2', 'deploy', 'last resort');
      await clock.advance(60_000);
      expect(await outcomeOf('a', 'r1')).toMatchObject({ result: 'failed', class: 'quota' });
      expect((await lockOf('b'))?.run).toBe('r2');
      expect(await world.ports.workflows.describe('r2', 'deploy')).toMatchObject({
        state: 'failed',
        cause: 'ABORTED: last resort',
      });
    });

    it('updates the host there is; a destroy terminates it', async () => {
      const host = world.hosts.launch({ enclaveId: 'a', region: 'us-west-2', state: 'running' });
      await intend('a', 'r1', { generation: 2, variables: { ...aRun('a', 'r').variables, generation: 2 } });
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await clock.advance(60_000);
      expect(world.hosts.all.size).toBe(1);
      expect(await reportsOf('a')).toMatchObject([{ appliedGeneration: 2, sequence: 2 }]);
      await intend('a', 'r2', { action: 'destroy' });
      await world.ports.workflows.start('r2', 'destroy', 'a');
      await clock.advance(60_000);
      expect(host.state).toBe('terminated');
      expect(await world.ports.hosts.find('us-west-2', 'a')).toEqual([]);
      expect(await world.ports.hosts.byInstanceId('us-west-2', host.instanceId)).toMatchObject({ state: 'terminated' });
    });

    it('shows two Terraforms on one enclave, should they ever be', async () => {
      await intend('a', 'r1');
      await world.ports.workflows.start('r1', 'deploy', 'a');
      await clock.advance(5_000);
      expect(world.runs.peak).toEqual({ perEnclave: 1, all: 1 });
      // The lock is lost: what must never happen.
      world.tables.state.delete(keys.lock('a').pk, keys.lock('a').sk);
      await intend('a', 'r2');
      await world.ports.workflows.start('r2', 'deploy', 'a');
      await clock.advance(5_000);
      expect(world.runs.peak).toEqual({ perEnclave: 2, all: 2 });
    });
  });

  describe('a host', () => {
    it('stops, starts with a new boot, and reports again', async () => {
      const { instanceId } = world.hosts.launch({ enclaveId: 'a', region: 'us-west-2', state: 'running' });
      const [first] = await reportsOf('a');
      await world.ports.hosts.stop('us-west-2', instanceId);
      expect(await world.ports.hosts.find('us-west-2', 'a')).toMatchObject([{ state: 'stopping' }]);
      await expect(world.ports.hosts.start('us-west-2', instanceId)).rejects.toMatchObject({ class: 'Conflict' });
      await clock.advance(10_000);
      await world.ports.hosts.start('us-west-2', instanceId);
      await clock.advance(40_000);
      const [second] = await reportsOf('a');
      expect(second?.bootId).not.toBe(first?.bootId);
      expect(second).toMatchObject({ sequence: 1, enclaves: [{ state: 'RUNNING' }] });
    });

    it('stays terminated, though it was booting', async () => {
      const host = world.hosts.launch({ enclaveId: 'a', region: 'us-west-2' });
      await clock.advance(5_000);
      world.hosts.terminate(host);
      // Past the end of its boot, before the end of its termination.
      await clock.advance(7_000);
      expect(host.state).toBe('shutting-down');
      await clock.advance(120_000);
      expect(host.state).toBe('terminated');
      expect(await reportsOf('a')).toEqual([]);
    });

    it('reports every five minutes, a crash at once, and nothing while its agent is frozen', async () => {
      const host = world.hosts.launch({ enclaveId: 'a', region: 'us-west-2', state: 'running' });
      await clock.advance(300_000);
      expect(await reportsOf('a')).toMatchObject([{ sequence: 2 }]);
      world.hosts.crashEnclave(host);
      expect(await reportsOf('a')).toMatchObject([{ sequence: 3, enclaves: [{ state: 'TERMINATED' }] }]);
      await world.ports.hosts.restartEnclave('us-west-2', host.instanceId);
      await clock.advance(5_000);
      expect(await reportsOf('a')).toMatchObject([{ sequence: 4, enclaves: [{ state: 'RUNNING' }] }]);
      world.hosts.freezeReports(host);
      await clock.advance(900_000);
      expect(await reportsOf('a')).toMatchObject([{ sequence: 4 }]);
    });

    it('of another environment or region is not found, and is known by its id in its own region', async () => {
      const foreign = world.hosts.launch({ enclaveId: 'a', region: 'us-west-2', environment: 'prod' });
      world.hosts.launch({ enclaveId: 'a', region: 'eu-west-1' });
      expect(await world.ports.hosts.find('us-west-2', 'a')).toEqual([]);
      const swept: unknown[] = [];
      for await (const page of world.ports.hosts.sweep('us-west-2', new AbortController().signal)) swept.push(...page);
      expect(swept).toEqual([]);
      expect(await world.ports.hosts.byInstanceId('us-west-2', foreign.instanceId)).toMatchObject({
        environment: 'prod',
      });
      expect(await world.ports.hosts.byInstanceId('eu-west-1', foreign.instanceId)).toBeUndefined();
    });
  });

  describe('a stream', () => {
    const follow = async (from: 'LATEST' | 'TRIM_HORIZON') => {
      const stream = world.ports.streams.records;
      const { streamArn } = await stream.describeTable();
      const shards = await stream.shards(streamArn!);
      return Promise.all(
        shards.map(async (shard) => ({ ...shard, iterator: await stream.iterator(streamArn!, shard.shardId, from) })),
      );
    };
    const put = (id: string) => world.putRecord({ id, status: 'PENDING_DEPLOY' });

    it('splits: the parent ends after its last change, the children carry on', async () => {
      const [parent] = await follow('LATEST');
      put('a');
      world.tables.records.stream.split();
      put('b');
      put('c');
      const page = await world.ports.streams.records.page(parent!.iterator!);
      expect(page).toMatchObject({ kind: 'page', changes: [{ keys: { id: 'a' } }], next: undefined });
      const children = (await follow('TRIM_HORIZON')).filter((shard) => shard.parentShardId === parent!.shardId);
      expect(children).toHaveLength(2);
      const pages = await Promise.all(children.map((child) => world.ports.streams.records.page(child.iterator!)));
      const ids = pages.flatMap((each) => (each.kind === 'page' ? each.changes.map((change) => change.keys.id) : []));
      expect(ids.sort()).toEqual(['b', 'c']);
      expect(pages.every((each) => each.kind === 'page' && each.next !== undefined)).toBe(true);
    });

    it('has gaps: trimmed, expired, made anew, and gone with its shard', async () => {
      const gap = async (iterator: string | undefined) => {
        const page = await world.ports.streams.records.page(iterator!);
        return page.kind === 'gap' ? page.reason : page.kind;
      };
      const [before] = await follow('LATEST');
      put('a');
      world.tables.records.stream.trim();
      expect(await gap(before?.iterator)).toBe('trimmed');
      const [again] = await follow('LATEST');
      expect(await gap(again?.iterator)).toBe('page');
      world.tables.records.stream.expireIterators();
      expect(await gap(again?.iterator)).toBe('expired');
      const [parent] = await follow('LATEST');
      world.tables.records.stream.split();
      world.tables.records.stream.trim();
      expect(await gap(parent?.iterator)).toBe('notFound');
      const [child] = await follow('LATEST');
      const { tableId } = await world.ports.streams.records.describeTable();
      world.tables.records.recreate();
      expect(await gap(child?.iterator)).toBe('notFound');
      expect((await world.ports.streams.records.describeTable()).tableId).not.toBe(tableId);
    });

    it('is late while held, loses nothing by it, and tells nothing where nothing changed', async () => {
      const [shard] = await follow('LATEST');
      world.tables.records.stream.hold();
      put('a');
      expect(await world.ports.streams.records.page(shard!.iterator!)).toMatchObject({ changes: [] });
      world.tables.records.stream.deliver();
      put('a');
      expect(await world.ports.streams.records.page(shard!.iterator!)).toMatchObject({
        changes: [{ keys: { id: 'a' } }],
      });
    });
  });

  describe('faults', () => {
    const broken = new OperatorError('Transient', 'test', 'broken');
    const commit = () => intend('a', 'r1');

    it('fail a call without effect, or take its reply away', async () => {
      world.faults.failNext('state.commit', broken);
      await expect(commit()).rejects.toBe(broken);
      expect((await world.ports.state.read('a')).lifecycle).toBeUndefined();
      world.faults.loseNextReply('state.commit', broken);
      await expect(commit()).rejects.toBe(broken);
      expect((await world.ports.state.read('a')).lifecycle?.revision).toBe(1);
      expect(world.faults.calls('state.commit')).toBe(2);
    });

    it('fail scans and sweeps too', async () => {
      world.faults.failNext('hosts.sweep', broken);
      const sweep = async () => {
        for await (const _ of world.ports.hosts.sweep('us-west-2', new AbortController().signal)) {
          // Nothing to look at.
        }
      };
      await expect(sweep()).rejects.toBe(broken);
      await sweep();
    });

    it('kill one connection between commit and act; the world and other connections go on', async () => {
      const doomed = world.connect();
      doomed.faults.crashBefore('workflows.start');
      let reached = 'nothing';
      const operator = async () => {
        const start = { lock: aLock('r1'), run: aRun('a', 'r1') };
        await doomed.ports.state.commit({ lifecycle: aLifecycle('a'), readRevision: undefined, start, consumed: [] });
        reached = 'committed';
        await doomed.ports.workflows.start('r1', 'deploy', 'a');
        reached = 'started';
      };
      doomed.ports.clock.schedule(1_000, () => {
        reached = 'a timer after death';
      });
      void operator();
      await clock.advance(10_000);
      expect(reached).toBe('committed');
      expect(world.runs.executions.size).toBe(0);
      expect(await lockOf('a')).toMatchObject({ run: 'r1', state: 'intended' });
      expect(await world.ports.workflows.start('r1', 'deploy', 'a')).toBe('started');
    });

    it('kill right after an act, whose effect stands', async () => {
      const doomed = world.connect();
      doomed.faults.crashAfter('workflows.start');
      await intend('a', 'r1');
      let answered = false;
      void doomed.ports.workflows.start('r1', 'deploy', 'a').then(() => {
        answered = true;
      });
      await clock.advance(60_000);
      expect(answered).toBe(false);
      expect(await outcomeOf('a', 'r1')).toMatchObject({ result: 'succeeded' });
    });
  });

  it('hands out frozen items: nobody changes the world in place', async () => {
    world.putRecord({ id: 'a', status: 'PENDING_DEPLOY', providerConfig: { image: 'x' } });
    const record = (await world.ports.records.get('a')) as { providerConfig: { image: string } } | undefined;
    expect(() => {
      record!.providerConfig.image = 'y';
    }).toThrow(TypeError);
  });

  it('goes the same way for the same seed', async () => {
    const play = async () => {
      const ownClock = new VirtualClock();
      const own = createMemoryWorld({ clock: ownClock, random: seededRandom(9) });
      for (const id of ['a', 'b', 'c']) own.hosts.launch({ enclaveId: id, region: 'us-west-2' });
      await ownClock.advance(1_000_000);
      return JSON.stringify([...own.tables.state.items()]);
    };
    expect(await play()).toBe(await play());
  });
});
