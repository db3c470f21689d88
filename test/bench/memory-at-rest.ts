/** A process with a controller over many enclaves at rest: prints its resident set in bytes. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import { assemble } from '../../src/reconciler/assemble.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { createMetrics } from '../../src/reconciler/metrics/index.ts';
import type { ChangeStream, Host, Ports } from '../../src/reconciler/ports/index.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { memoryLog } from '../support/memory-world.ts';
import { enclaveAtRest } from './at-rest.ts';

const PAGE = 1_000;
const enclaves = Number(process.argv[2]);
const template = await enclaveAtRest();

const idOf = (n: number) => `enc_1755986905612_${n}`;
const instanceOf = (id: string) => `i-${id.slice(id.lastIndexOf('_') + 1).padStart(17, '0')}`;

/** What stands for the world is made anew at every call and kept nowhere: only the operator's own memory remains. */
const made = {
  record: (id: string) => template.record(id, instanceOf(id)),
  lifecycle: (id: string) => template.lifecycle(id, instanceOf(id)) as unknown as Lifecycle,
  report: (id: string) => template.report(id, instanceOf(id)) as unknown as Report,
  host: (id: string): Host => template.host(id, instanceOf(id)),
};

function* pages<T>(item: (id: string) => T): IterableIterator<readonly T[]> {
  for (let first = 0; first < enclaves; first += PAGE) {
    const size = Math.min(PAGE, enclaves - first);
    yield Array.from({ length: size }, (_, n) => item(idOf(first + n)));
  }
}

/** No two enclaves have equal rules: the worst there is. */
const ruleOf = (id: string) =>
  ({ direction: 'ingress', protocol: 'tcp', fromPort: 443, toPort: 443, peer: id }) as const;

const never = (): never => {
  throw new Error('an enclave at rest asks for nothing of the kind');
};
const stream: ChangeStream = {
  describeTable: async () => ({ tableId: 'table', streamArn: undefined }),
  shards: never,
  iterator: never,
  page: never,
};
let reconciled = 0;
const log = memoryLog();
const ports: Ports = {
  clock: systemClock,
  random: systemRandom,
  log,
  records: {
    get: async (id) => made.record(id),
    publish: never,
    async *scan() {
      yield* pages(made.record);
    },
  },
  state: {
    read: async (id) => ({
      lifecycle: made.lifecycle(id),
      lock: undefined,
      fromTheFuture: false,
    }),
    reports: async (id) => [made.report(id)],
    requests: async () => [],
    planResults: async () => [],
    dismiss: never,
    discardPlanResults: never,
    commit: never,
    forget: never,
    release: never,
    async *scan() {
      for (const lifecycles of pages(made.lifecycle)) yield { lifecycles, requested: [] };
    },
    control: never,
    install: never,
    amendControl: never,
  },
  leases: { read: never, replace: never },
  history: { run: never, runs: never, requestCancel: never, settle: never, append: never, answer: never },
  fleetRuns: { ledger: never, commit: never, run: never, settle: never, deliver: never },
  workflows: { start: never, startFleetRun: never, running: never, describe: never, tasks: never, abort: never },
  tasks: { describe: never, stop: never },
  hosts: {
    async *sweep() {
      yield* pages(made.host);
    },
    find: never,
    byInstanceId: never,
    async *status(_region, instanceIds) {
      yield instanceIds.map((instanceId) => ({
        instanceId,
        checks: { system: 'ok', instance: 'ok', ebs: 'ok' },
        events: [],
      }));
    },
    start: never,
    stop: never,
    askToReport: never,
    restartEnclave: never,
    restartAllocator: never,
  },
  surroundings: {
    async *groups() {
      yield* pages((id) => ({ enclaveId: id, groupId: `sg-${instanceOf(id).slice(2)}`, rules: [ruleOf(id)] }));
    },
    async *volumes() {
      const volume = { volumeId: 'vol-1', encrypted: true, deleteOnTermination: true };
      yield* pages((id) => ({ enclaveId: id, instanceId: instanceOf(id), ...volume }));
    },
    async *logGroups() {
      yield* pages((id) => ({ enclaveId: id, retentionDays: 30, kmsKeyArn: null }));
    },
    async *agents() {
      yield* pages((id) => ({ instanceId: instanceOf(id), online: true }));
    },
    attestations: never,
    async *roles() {
      yield* pages((id) => ({
        enclaveId: id,
        name: id,
        trust: '{}',
        attachedArns: [],
        inline: { own: `{"Sid":"${id}"}` },
      }));
    },
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

const metrics = createMetrics();
const { controller } = assemble({
  ports,
  // One list and one sweep: what a later one leaves behind for a moment is no growth.
  config: ConfigSchema.parse({ relistMs: 3_600_000, sweepMs: 3_600_000 }),
  control: { v: 1, minReader: 1, installedAt: '2026-01-01T00:00:00.000Z' },
  term: { epoch: 1, lost: new AbortController().signal, assert: () => 1, release: async () => {} },
  metrics: {
    ...metrics,
    reconciled(result) {
      if (result !== 'done') throw new Error(`a reconcile ended in ${result}: ${JSON.stringify(log.lines.at(-1))}`);
      reconciled += 1;
    },
  },
});
controller.start();
// Every key waits for its next look, and every one was looked at: twice, where the lists of two tables found it.
while (!controller.synced || reconciled < enclaves || controller.queueDepth < enclaves) await pause(100);
for (let look = reconciled; ; look = reconciled) {
  await pause(1_000);
  if (look === reconciled) break;
}
// What the collector may take at any time is no growth: it gives back all it can.
const collect = globalThis.gc;
if (collect === undefined) throw new Error('this program is to be run with --expose-gc');
for (let round = 0; round < 2; round += 1) {
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  await pause(200);
}
process.stdout.write(String(process.memoryUsage.rss()));
process.exit(0);
