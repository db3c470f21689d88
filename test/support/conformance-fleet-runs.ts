/** Conformance suites of runs over several enclaves: their store, and their workflow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FleetLedger, FleetRunItem } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import {
  AT,
  aPlanResult,
  aRun,
  freshId,
  type MakeHarness,
  putPlain,
  type TablesHarness,
} from './conformance-harness.ts';
import { intend, type MakeServices, runToItsEnd, type ServicesHarness } from './conformance-services.ts';

const freshRun = () => `drift-1-${freshId().slice(2, 10)}`;

function aFleetRun(name: string, id = 'enc_1', changes: Partial<FleetRunItem> = {}): FleetRunItem {
  const { variables } = aRun(id, name);
  const enclaves = [{ id, generation: 1, variables }];
  return { v: 1, minReader: 1, name, action: 'drift', requestedAt: AT, enclaves, ...changes };
}

export function fleetRunStoreConformance(name: string, makeHarness: MakeHarness): void {
  describe(`fleet run store: ${name}`, () => {
    let harness: TablesHarness;
    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.close());

    const aLedger = async (epoch = 1): Promise<{ next: FleetLedger; readRevision: number | undefined }> => {
      const known = await harness.ports.fleetRuns.ledger();
      const revision = (known?.revision ?? 0) + 1;
      return { next: { v: 1, minReader: 1, runs: [], revision, epoch }, readRevision: known?.revision };
    };

    it('commits ledger and run together, and the ledger of a revision once', async () => {
      const { fleetRuns } = harness.ports;
      const { next, readRevision } = await aLedger();
      const run = aFleetRun(freshRun());
      const ledger = { ...next, runs: [{ name: run.name, startedAt: AT, deadlineAt: AT, enclaves: ['enc_1'] }] };
      expect(await fleetRuns.commit({ ledger, readRevision, start: run })).toBe('committed');
      expect(await fleetRuns.ledger()).toEqual(ledger);
      expect(await fleetRuns.run(run.name)).toMatchObject(run);
      expect(await harness.item('history', keys.fleetRun(run.name))).toHaveProperty('expiresAt');
      const other = aFleetRun(freshRun());
      expect(await fleetRuns.commit({ ledger, readRevision, start: other })).toBe('conflict');
      expect(await fleetRuns.run(other.name)).toBeUndefined();
    });

    it('begins no run under a name that was used', async () => {
      const { fleetRuns } = harness.ports;
      const run = aFleetRun(freshRun());
      const first = await aLedger();
      await fleetRuns.commit({ ledger: first.next, readRevision: first.readRevision, start: run });
      const second = await aLedger();
      const again = { ledger: second.next, readRevision: second.readRevision, start: run };
      expect(await fleetRuns.commit(again)).toBe('conflict');
      expect((await fleetRuns.ledger())?.revision).toBe(first.next.revision);
    });

    it('lets no earlier leader write', async () => {
      const { fleetRuns } = harness.ports;
      const newer = await aLedger(7);
      await fleetRuns.commit({ ledger: newer.next, readRevision: newer.readRevision });
      const older = await aLedger(6);
      expect(await fleetRuns.commit({ ledger: older.next, readRevision: older.readRevision })).toBe('conflict');
    });

    it('settles a run once, and none that does not exist', async () => {
      const { fleetRuns } = harness.ports;
      const run = aFleetRun(freshRun());
      await putPlain(harness, 'history', { ...run, ...keys.fleetRun(run.name) });
      const outcome = { result: 'succeeded' as const, at: AT, by: 'runner' };
      expect(await fleetRuns.settle(run.name, outcome)).toBe('settled');
      expect(await fleetRuns.settle(run.name, { ...outcome, by: 'operator' })).toBe('already');
      expect((await fleetRuns.run(run.name))?.outcome).toEqual(outcome);
      expect(await fleetRuns.settle(freshRun(), outcome)).toBe('already');
    });

    it('delivers plan results to their enclaves, where what is there stays as it is', async () => {
      const { fleetRuns, state } = harness.ports;
      const [one, other] = [freshId(), freshId()];
      const results = [aPlanResult(one, 'drift-1-1'), aPlanResult(other, 'drift-1-1', { drifted: true })];
      await fleetRuns.deliver(results.slice(0, 1));
      await fleetRuns.deliver(results.map((result) => ({ ...result, planDigest: 'again' })));
      expect(await state.planResults(one)).toEqual(results.slice(0, 1));
      expect(await state.planResults(other)).toEqual([{ ...results[1], planDigest: 'again' }]);
      await fleetRuns.deliver([]);
    });

    it('an enclave called drift has its runs to itself', async () => {
      const { fleetRuns, history } = harness.ports;
      const run = aFleetRun(freshRun());
      await putPlain(harness, 'history', { ...run, ...keys.fleetRun(run.name) });
      expect(await history.run('drift', run.name)).toBeUndefined();
      await putPlain(harness, 'history', { ...aRun('drift', 'run-1'), ...keys.run('drift', 'run-1') });
      expect(await fleetRuns.run('run-1')).toBeUndefined();
    });
  });
}

export function fleetWorkflowConformance(name: string, makeServices: MakeServices): void {
  describe(`fleet workflow: ${name}`, () => {
    let harness: ServicesHarness;
    beforeAll(async () => {
      harness = await makeServices();
    });
    afterAll(() => harness?.close());

    it('looks at each enclave, writes each result and the outcome, and starts a name once', async () => {
      const { workflows, fleetRuns, history } = harness.ports;
      const { id, name: deploy } = await intend(harness);
      await runToItsEnd(harness, 'deploy', id, deploy);
      const variables = (await history.run(id, deploy))?.variables;
      const run = freshRun();
      const known = await fleetRuns.ledger();
      const item = aFleetRun(run, id, { enclaves: [{ id, generation: 1, variables: variables! }] });
      const revision = (known?.revision ?? 0) + 1;
      const ledger = { v: 1, minReader: 1, runs: [], revision, epoch: 1 };
      await fleetRuns.commit({ ledger, readRevision: known?.revision, start: item });
      expect((await workflows.describe(run, 'drift')).state).toBe('missing');
      expect(await workflows.startFleetRun(run, 'drift')).toBe('started');
      const view = await harness.until(`the end of ${run}`, async () => {
        const seen = await workflows.describe(run, 'drift');
        return seen.state !== 'running' && seen;
      });
      expect(view.state).toBe('succeeded');
      expect(await workflows.startFleetRun(run, 'drift')).toBe('exists');
      const ended = await fleetRuns.run(run);
      expect(ended?.outcome).toMatchObject({ result: 'succeeded' });
      expect(ended?.results?.[id]).toMatchObject({ id, generation: 1, drifted: false });
      expect(ended?.results?.[id]?.planDigest).toBeTypeOf('string');
    });

    it('is listed while it runs, by its own machine alone', async () => {
      const { workflows } = harness.ports;
      const run = freshRun();
      await workflows.startFleetRun(run, 'drift');
      expect((await workflows.running('deploy')).has(run)).toBe(false);
      expect((await workflows.describe(run, 'deploy')).state).toBe('missing');
      // Without an item there is nothing to look at.
      const view = await harness.until(`the end of ${run}`, async () => {
        const seen = await workflows.describe(run, 'drift');
        return seen.state !== 'running' && seen;
      });
      expect(view.state).toBe('failed');
      expect((await workflows.running('drift')).has(run)).toBe(false);
    });
  });
}
