/** Commits that conflict, on virtual time: a restored state table, and items that stand in the way for long. */
import { describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import { scrape } from '../support/scrape.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_restored';
const PARTITIONS = [keys.lifecycle(ID).pk, keys.control.pk];
const CONFLICTS = 'reconcile_total{result="conflict"}';

const saved = (v: VirtualOperator): readonly JsonMap[] =>
  PARTITIONS.flatMap((pk) => v.world.tables.state.partition(pk));

/** What a point-in-time restore does: later items are gone, and the earlier ones are back. */
function restore(v: VirtualOperator, items: readonly JsonMap[]): void {
  const { state } = v.world.tables;
  for (const { pk, sk } of saved(v)) state.delete(String(pk), String(sk));
  for (const item of items) state.put(item);
}

async function deploy(v: VirtualOperator, image: string): Promise<void> {
  v.edit(ID, { dockerImage: image });
  await v.until(() => {
    const lifecycle = v.lifecycle(ID);
    return lifecycle?.applied?.dockerImage === image && lifecycle.phase === 'ready';
  }, `${image} runs`);
}

describe('a state table that is put back to an earlier time', () => {
  it.each([
    { when: 'a time at rest', isSaved: (v: VirtualOperator) => v.status(ID) === 'DEPLOYED' },
    {
      when: 'a time in the middle of a run',
      isSaved: (v: VirtualOperator) =>
        v.world.tables.state.get(keys.lock(ID).pk, keys.lock(ID).sk)?.state === 'claimed',
    },
  ])('the operator converges with fewer than 5 conflicts after a restore to $when', async ({ isSaved }) => {
    const v = virtualOperator();
    const first = v.start();
    v.post(ID);
    await v.until(() => isSaved(v), 'the moment of the backup');
    const backup = saved(v);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    await deploy(v, 'nginx:1.28');
    await deploy(v, 'nginx:1.29');
    first.kill();
    v.edit(ID, { dockerImage: 'nginx:1.30' });
    restore(v, backup);
    const second = v.start();
    await v.clock.advance(20 * MINUTE);
    expect(v.lifecycle(ID)).toMatchObject({ phase: 'ready', applied: { dockerImage: 'nginx:1.30' } });
    expect(v.status(ID)).toBe('DEPLOYED');
    expect(v.world.hosts.living(ID)).toHaveLength(1);
    expect((await scrape(second.metrics)).get(CONFLICTS) ?? 0).toBeLessThan(5);
  });
});

describe('an enclave whose commits conflict without end', () => {
  it('holds no run slot between its attempts', async () => {
    const v = virtualOperator({ maxRuns: 1 });
    const { loop, metrics } = v.start();
    await v.clock.advance(5_000);
    v.world.tables.state.put({ run: 'e-unknown', state: 'claimed', ...keys.lock(ID) });
    v.post(ID);
    const held = new Set<number | undefined>();
    for (let time = 0; time < 500; time += 1) {
      await v.clock.advance(10);
      held.add(loop.controller?.runsInFlight);
    }
    expect((await scrape(metrics)).get(CONFLICTS)).toBeGreaterThan(2);
    expect([...held]).toEqual([0]);
  });

  it('the operator retries with growing pauses, logs and counts the conflicts, and recovers once the lock is deleted', async () => {
    const v = virtualOperator({ maxRuns: 1 });
    const { metrics, connection } = v.start();
    // The lock of a run that no lifecycle knows of: no run can start beside it.
    const lock = { run: 'e-unknown', state: 'claimed', ...keys.lock(ID) };
    v.world.tables.state.put(lock);
    v.post(ID);
    await v.clock.advance(MINUTE);
    v.post('enc_other');
    await v.clock.advance(29 * MINUTE);
    expect(v.status('enc_other')).toBe('DEPLOYED');
    const stuck = await scrape(metrics);
    expect(stuck.get(CONFLICTS)).toBeGreaterThan(4);
    expect(stuck.get(CONFLICTS)).toBeLessThan(40);
    expect(stuck.get('enclaves_conflicting')).toBe(1);
    const warnings = connection.log.lines.filter(
      ({ level, message }) => level === 'warn' && message.includes('conflict'),
    );
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThan(6);
    expect(warnings[0]?.fields).toMatchObject({ enclaveId: ID, conflicts: 4 });
    v.world.tables.state.delete(lock.pk, lock.sk);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 10 * MINUTE);
    expect((await scrape(metrics)).get('enclaves_conflicting')).toBe(0);
  });
});
