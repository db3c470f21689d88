/** The operator killed at every write it makes, before it and right after it: nothing is lost, nothing happens twice. */
import { describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import type { Config } from '../../src/reconciler/config.ts';
import type { Faults } from '../support/memory-faults.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';

/** Every call by which the operator changes something. */
const WRITES = [
  'state.commit',
  'state.release',
  'state.forget',
  'history.append',
  'history.requestCancel',
  'history.settle',
  'records.publish',
  'workflows.start',
  'workflows.startFleetRun',
  'fleetRuns.commit',
  'fleetRuns.settle',
  'tasks.stop',
  'hosts.start',
  'hosts.stop',
  'hosts.restartEnclave',
];

interface Story {
  readonly name: string;
  /** Actions of the runs that must have worked, in order. */
  readonly runs: readonly string[];
  readonly config?: Partial<Config>;
  readonly play: (v: VirtualOperator) => Promise<void>;
}

const STORIES: readonly Story[] = [
  {
    name: 'deploy and destroy',
    runs: ['deploy', 'destroy'],
    play: async (v) => {
      await v.deploy(ID);
      v.command(ID, 'PENDING_DESTROY');
      await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED');
    },
  },
  {
    name: 'pause and resume',
    runs: ['deploy'],
    play: async (v) => {
      await v.deploy(ID);
      v.command(ID, 'PAUSING');
      await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED');
      v.command(ID, 'RESUMING');
      await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED again');
    },
  },
  {
    name: 'cancel in mid-run by deletion',
    runs: ['deploy', 'destroy'],
    play: async (v) => {
      v.world.runs.script = (run) => (run.action === 'deploy' ? { workMs: 20 * MINUTE } : {});
      v.post(ID);
      await v.until(() => v.world.runs.peak.all > 0, 'Terraform at work');
      v.world.deleteRecord(ID);
      await v.until(() => v.lifecycle(ID) === undefined, 'forgotten');
    },
  },
  {
    name: 'host terminated behind its back',
    runs: ['deploy', 'deploy'],
    play: async (v) => {
      await v.deploy(ID);
      const lost = v.host(ID);
      v.world.hosts.terminate(lost);
      const replaced = () => v.world.hosts.living(ID).some((host) => host.instanceId !== lost.instanceId);
      await v.until(() => replaced() && v.lifecycle(ID)?.phase === 'ready', 'repaired');
    },
  },
  {
    name: 'a drift run',
    runs: ['deploy'],
    config: { driftEveryMs: 30 * MINUTE },
    play: async (v) => {
      await v.deploy(ID);
      await v.until(() => v.lifecycle(ID)?.planned !== undefined, 'planned');
      await v.until(() => ledgerOf(v).length === 0, 'off the ledger');
      expect(v.lifecycle(ID)?.planned?.verdict).toBe('Match');
      expect([...v.world.runs.fleet.executions]).toHaveLength(1);
    },
  },
];

const ledgerOf = (v: VirtualOperator) =>
  (v.world.tables.state.get(keys.fleetLedger.pk, keys.fleetLedger.sk)?.runs ?? []) as readonly unknown[];

/** Counts the writes of a story that nothing disturbs. */
async function countWrites(story: Story): Promise<number> {
  const v = virtualOperator(story.config);
  const { calls } = v.start();
  await v.clock.advance(5_000);
  await story.play(v);
  return WRITES.reduce((sum, write) => sum + calls(write), 0);
}

/** Kills the process at its `nth` write from now, before it happens or after it has. */
function killAt(faults: Faults, nth: number, when: 'before' | 'after'): void {
  let left = nth;
  for (const write of WRITES) {
    faults[when](write, () => {
      left -= 1;
      if (left === 0) faults.kill();
    });
  }
}

describe.each(STORIES)('$name, killed at every write', (story) => {
  it.each(['before', 'after'] as const)('%s it happens', async (when) => {
    const writes = await countWrites(story);
    expect(writes).toBeGreaterThan(5);
    for (let nth = 1; nth <= writes; nth += 1) {
      const v = virtualOperator(story.config);
      const first = v.start();
      await v.clock.advance(5_000);
      killAt(first.connection.faults, nth, when);
      // The next one starts competing a little later, and waits for the dead one's lease.
      v.clock.schedule(30_000, () => v.start());
      const at = `killed ${when} write ${nth}`;
      await story.play(v);
      if (!first.connection.faults.killed) {
        // With other jitter the story may take a write less: then all of them have been tried.
        expect(nth, at).toBeGreaterThan(writes - 4);
        break;
      }
      const worked = [...v.world.runs.executions.values()].filter((run) => run.tasks.length > 0);
      expect(
        worked.map((run) => run.action),
        at,
      ).toEqual(story.runs);
      expect(v.world.runs.peak.perEnclave, at).toBe(1);
      const hosts = [...v.world.hosts.all.values()];
      expect(hosts, at).toHaveLength(
        story.runs.filter((action) => action === 'deploy').length - (story.name.startsWith('cancel') ? 1 : 0),
      );
    }
  });
});
