/** Conformance suite of the tasks' port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MakeServices, runAtWork, type ServicesHarness } from './conformance-services.ts';

export function tasksConformance(name: string, makeServices: MakeServices): void {
  describe(`tasks: ${name}`, () => {
    let harness: ServicesHarness;
    beforeAll(async () => {
      harness = await makeServices();
    });
    afterAll(() => harness?.close());

    it('tells the state of each task it is asked for, known or not', async () => {
      const { tasks } = harness.ports;
      const { task } = await runAtWork(harness);
      const unknown = task.replace(/[^/]+$/, '0'.repeat(32));
      expect(await tasks.describe([])).toEqual(new Map());
      expect(await tasks.describe([task, unknown, task])).toEqual(
        new Map([
          [task, 'active'],
          [unknown, 'unknown'],
        ]),
      );
      await tasks.stop(task, 'the test is over');
    });

    it('a task that is stopped records that it was, and is stopped', async () => {
      const { tasks, history } = harness.ports;
      const { id, name: run, task } = await runAtWork(harness);
      await tasks.stop(task, 'a test says so');
      await harness.until('it has stopped', async () => (await tasks.describe([task])).get(task) === 'stopped');
      expect((await history.run(id, run))?.outcome).toMatchObject({ result: 'cancelled' });
      await tasks.stop(task, 'once more');
    });

    it('a task nobody knows need not be stopped', async () => {
      const { tasks } = harness.ports;
      const { task } = await runAtWork(harness);
      await tasks.stop(task.replace(/[^/]+$/, '1'.repeat(32)), 'none');
      expect((await tasks.describe([task])).get(task)).toBe('active');
      await tasks.stop(task, 'the test is over');
    });
  });
}
