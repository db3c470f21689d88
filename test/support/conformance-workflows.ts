/** Conformance suite of the workflows' port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshId } from './conformance-harness.ts';
import { intend, type MakeServices, runAtWork, runToItsEnd, type ServicesHarness } from './conformance-services.ts';

export function workflowsConformance(name: string, makeServices: MakeServices): void {
  describe(`workflows: ${name}`, () => {
    let harness: ServicesHarness;
    beforeAll(async () => {
      harness = await makeServices();
    });
    afterAll(() => harness?.close());

    it('starts a name once for all time, and tells how it went', async () => {
      const { workflows, history, state } = harness.ports;
      const { id, name: run } = await intend(harness);
      expect(await workflows.describe(run, 'deploy')).toMatchObject({ state: 'missing' });
      expect(await workflows.start(run, 'deploy', id)).toBe('started');
      expect(await runToItsEnd(harness, 'deploy', id, run)).toMatchObject({ state: 'succeeded' });
      expect(await workflows.start(run, 'deploy', id)).toBe('exists');
      expect((await history.run(id, run))?.outcome).toMatchObject({ result: 'succeeded' });
      expect((await state.read(id)).lock).toBeUndefined();
      expect(await workflows.tasks(run, 'deploy')).toHaveLength(1);
    });

    it('an execution is of one machine', async () => {
      const { workflows } = harness.ports;
      const { name: run, task } = await runAtWork(harness);
      expect((await workflows.describe(run, 'deploy')).state).toBe('running');
      expect((await workflows.describe(run, 'destroy')).state).toBe('missing');
      await harness.until('it is listed', async () => (await workflows.running('deploy')).has(run));
      expect((await workflows.running('destroy')).has(run)).toBe(false);
      await harness.ports.tasks.stop(task, 'the test is over');
    });

    it('without the lock it ends well, and runs no task', async () => {
      const { workflows } = harness.ports;
      const { id } = await intend(harness);
      const other = `${id}-9-deploy`;
      expect(await runToItsEnd(harness, 'deploy', id, other)).toMatchObject({ state: 'succeeded' });
      expect(await workflows.tasks(other, 'deploy')).toEqual([]);
    });

    it('an execution fails on the machine of another action and leaves the run claimable', async () => {
      const { workflows, history, state } = harness.ports;
      const { id, name: run } = await intend(harness);
      const { lock } = await state.read(id);
      expect(await runToItsEnd(harness, 'destroy', id, run)).toMatchObject({
        state: 'failed',
        cause: expect.stringContaining('WrongAction'),
      });
      expect(await workflows.tasks(run, 'destroy')).toEqual([]);
      expect((await state.read(id)).lock).toEqual(lock);
      expect(await runToItsEnd(harness, 'deploy', id, run)).toMatchObject({ state: 'succeeded' });
      expect((await history.run(id, run))?.outcome).toMatchObject({ result: 'succeeded' });
    });

    it('the lock names the execution that starts the run', async () => {
      const { workflows, state } = harness.ports;
      const { id, name: run } = await intend(harness);
      const { lock } = await state.read(id);
      expect(lock).toMatchObject({ action: 'deploy' });
      expect(lock?.intendedExecution).toBe((await workflows.describe(run, 'deploy')).executionArn);
    });

    it('aborted, it has failed, and says so', async () => {
      const { workflows } = harness.ports;
      const { id, name: run, task } = await runAtWork(harness);
      await workflows.abort(run, 'deploy', 'a test says so');
      const view = await runToItsEnd(harness, 'deploy', id, run);
      expect(view.state).toBe('failed');
      expect(view.cause).toContain('ABORTED');
      await harness.ports.tasks.stop(task, 'the test is over');
    });

    it('knows nothing of a name it never had, and need not abort it', async () => {
      const { workflows } = harness.ports;
      const run = `${freshId()}-1-deploy`;
      expect((await workflows.describe(run, 'deploy')).state).toBe('missing');
      expect(await workflows.tasks(run, 'deploy')).toEqual([]);
      await workflows.abort(run, 'deploy', 'none');
    });
  });
}
