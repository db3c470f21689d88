/** How many enclaves at rest one core looks at in a second. */

import { assemble } from '../../src/reconciler/assemble.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { createMetrics } from '../../src/reconciler/metrics/index.ts';
import type { Host, Ports } from '../../src/reconciler/ports/index.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { reconcile } from '../../src/reconciler/reconcile/reconcile.ts';
import { memoryHistory, memoryLeases, memoryRecords, memoryState } from '../support/memory-stores.ts';
import { MemoryTable } from '../support/memory-table.ts';
import { memoryLog } from '../support/memory-world.ts';
import { enclaveAtRest } from './at-rest.ts';
import type { Figures } from './measurement.ts';
import { median, perCoreSecond } from './statistics.ts';

const ENCLAVES = 10_000;
const ROUNDS = 5;

const never = (): never => {
  throw new Error('an enclave at rest asks for nothing of the kind');
};

/** The stores in memory, and hosts that stand as they are; whatever else is called was not to be. */
function portsOver(records: MemoryTable, state: MemoryTable, hosts: readonly Host[]): Ports {
  const history = new MemoryTable('history', ['pk', 'sk']);
  const stream = { describeTable: never, shards: never, iterator: never, page: never };
  return {
    clock: systemClock,
    random: systemRandom,
    log: memoryLog(),
    records: memoryRecords(records),
    state: memoryState(state, history, never),
    leases: memoryLeases(state),
    history: memoryHistory(history, never),
    fleetRuns: { ledger: never, commit: never, run: never, settle: never, deliver: never },
    workflows: { start: never, startFleetRun: never, running: never, describe: never, tasks: never, abort: never },
    tasks: { describe: never, stop: never },
    hosts: {
      async *sweep() {
        yield hosts;
      },
      find: never,
      byInstanceId: never,
      status: never,
      start: never,
      stop: never,
      askToReport: never,
      restartEnclave: never,
      restartAllocator: never,
    },
    surroundings: {
      groups: never,
      volumes: never,
      logGroups: never,
      agents: never,
      roles: never,
      attestations: never,
      key: never,
    },
    inspector: {
      instanceAttributes: never,
      rootVolume: never,
      agentOnline: never,
      rules: never,
      logGroup: never,
      role: never,
    },
    streams: { records: stream, state: stream, history: stream },
  };
}

export async function benchReconcile(): Promise<Figures> {
  const template = await enclaveAtRest();
  const records = new MemoryTable('enclaves', ['id']);
  const state = new MemoryTable('state', ['pk', 'sk']);
  const hosts: Host[] = [];
  const ids: string[] = [];
  for (let n = 0; n < ENCLAVES; n += 1) {
    const id = `enc_1755986905612_${n}`;
    const instanceId = `i-${String(n).padStart(17, '0')}`;
    records.put(template.record(id, instanceId));
    state.put(template.lifecycle(id, instanceId));
    state.put(template.report(id, instanceId));
    hosts.push(template.host(id, instanceId));
    ids.push(id);
  }
  const control = { v: 1, minReader: 1, installedAt: '2026-01-01T00:00:00.000Z' };
  const term = { epoch: 1, lost: new AbortController().signal, assert: () => 1, release: async () => {} };
  const ports = portsOver(records, state, hosts);
  const { context } = assemble({ ports, config: ConfigSchema.parse({}), control, term, metrics: createMetrics() });
  // No list is made here that would count the active runs.
  context.limits.slots.allListed();
  const round = () =>
    perCoreSecond(ENCLAVES, async () => {
      for (const id of ids) {
        const result = await reconcile({ id, requested: false, log: ports.log }, context);
        if (result.kind !== 'done' || result.changed) throw new Error(`${id}: ${JSON.stringify(result)}`);
      }
    });
  await round();
  const rates: number[] = [];
  while (rates.length < ROUNDS) rates.push(await round());
  return { reconcile_noop_per_second: Math.round(median(rates)) };
}
