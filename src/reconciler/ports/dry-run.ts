/** Dry run: ports that read everything and change nothing. What they would do becomes events. */
import type { EmittedEvent } from '../../enclave/event-reasons.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { withoutNonces } from '../../enclave/names.ts';
import { omit } from '../../enclave/omit.ts';
import type { Commit, Hosts, Log, Ports, StateStore, Workflows } from './index.ts';

/** Events remembered of one enclave: what would be done is derived anew at every look, and told once. */
const REMEMBERED = 100;

/**
 * Every port, method by method, so that one which is added does not compile before it is decided what becomes of it.
 *
 * *Guarantees*: no record, lifecycle, lock, run or request is written; no execution, host or enclave is started or
 * stopped. What is written is the lease, `fleet`/`control` where there is none, and events of the reason `ObserveOnly`.
 * *Caveats*: decisions that would act are made again at every look, from the same ground; the others are remembered
 * until the process ends, so that a difference can be seen twice.
 */
export function observeOnly(ports: Ports): Required<Omit<Ports, 'states'>> & Pick<Ports, 'states'> {
  const { clock, random, leases, streams, records, tasks, history, fleetRuns } = ports;
  return {
    clock,
    random,
    leases,
    streams,
    log: marked(ports.log),
    records: {
      get: (id) => records.get(id),
      scan: (signal) => records.scan(signal),
      publish: async () => 'published',
    },
    state: remembering(ports.state),
    history: {
      run: (id, name) => history.run(id, name),
      runs: (id, limit) => history.runs(id, limit),
      requestCancel: async () => 'requested',
      settle: async () => 'settled',
      answer: async () => 'answered',
      append: onceEach((events) => history.append(events)),
    },
    fleetRuns: {
      ledger: () => fleetRuns.ledger(),
      run: (name) => fleetRuns.run(name),
      commit: async () => 'committed',
      settle: async () => 'settled',
      deliver: async () => {},
    },
    workflows: watching(ports.workflows),
    tasks: { describe: (arns) => tasks.describe(arns), stop: async () => {} },
    hosts: looking(ports.hosts),
    // Nothing there is changed by anybody.
    surroundings: ports.surroundings,
    inspector: ports.inspector,
    states: ports.states,
    // What would be is nothing to be woken for.
    channels: [],
  };
}

function watching(workflows: Workflows): Workflows {
  return {
    start: async () => 'started',
    startFleetRun: async () => 'started',
    running: (action) => workflows.running(action),
    describe: (name, action) => workflows.describe(name, action),
    tasks: (name, action) => workflows.tasks(name, action),
    abort: async () => {},
  };
}

function looking(hosts: Hosts): Hosts {
  return {
    sweep: (region, signal) => hosts.sweep(region, signal),
    find: (region, id) => hosts.find(region, id),
    byInstanceId: (region, instanceId) => hosts.byInstanceId(region, instanceId),
    status: (region, instanceIds, signal) => hosts.status(region, instanceIds, signal),
    // A report is nothing that is done to anybody; but nothing here would come of it.
    askToReport: async () => 'asked',
    start: async () => {},
    stop: async () => {},
    restartEnclave: async () => {},
    restartAllocator: async () => {},
  };
}

/** Lifecycles in memory over the stored ones. */
function remembering(state: StateStore): StateStore {
  const known = new Map<string, { readonly lifecycle: Lifecycle; readonly storedRevision: number | undefined }>();
  const last = new Map<string, Lifecycle | undefined>();
  return {
    async read(id) {
      const stored = await state.read(id);
      const own = known.get(id);
      // Another operator has written since: its word counts.
      const isOver = own !== undefined && own.storedRevision === stored.lifecycle?.revision;
      if (!isOver) known.delete(id);
      const lifecycle = isOver ? own.lifecycle : stored.lifecycle;
      last.set(id, lifecycle);
      return { ...stored, lifecycle };
    },
    async commit(commit) {
      const { lifecycle } = commit;
      const before = last.get(lifecycle.id);
      const storedRevision = known.get(lifecycle.id)?.storedRevision ?? before?.revision;
      if (!acts(commit, before)) known.set(lifecycle.id, { lifecycle, storedRevision });
      else if (before === undefined) known.set(lifecycle.id, { lifecycle: unmet(lifecycle), storedRevision });
      return 'committed';
    },
    reports: (id, instanceIds) => state.reports(id, instanceIds),
    requests: (id) => state.requests(id),
    planResults: (id) => state.planResults(id),
    scan: (signal) => state.scan(signal),
    control: () => state.control(),
    install: (control) => state.install(control),
    amendControl: async () => {},
    dismiss: async () => {},
    discardPlanResults: async () => {},
    forget: async (id) => {
      known.delete(id);
      return 'committed';
    },
    release: async () => 'notHeld',
  };
}

/** The intent of what is not done is not remembered either: nothing would ever come of it. */
function acts({ start, lifecycle: { run, direct } }: Commit, before: Lifecycle | undefined): boolean {
  const isTried = direct !== undefined && (direct.at !== before?.direct?.at || direct.effect !== before.direct.effect);
  const isCancelled = run?.cancelledAt !== undefined && run.cancelledAt !== before?.run?.cancelledAt;
  return start !== undefined || isTried || isCancelled;
}

/** As it was met: the next look comes to the same decision, under the same name. */
function unmet(lifecycle: Lifecycle): Lifecycle {
  return { ...omit(lifecycle, 'run', 'direct', 'baseline', 'snapshot'), phase: 'observing', runSeq: 0 };
}

function onceEach(append: (events: readonly EmittedEvent[]) => Promise<void>) {
  const told = new Map<string, Set<string>>();
  return async (events: readonly EmittedEvent[]) => {
    const fresh = events
      .map((event) => ({
        ...event,
        reason: 'ObserveOnly' as const,
        message: `would be ${event.reason}: ${event.message}`,
      }))
      .filter(({ id, message }) => {
        const known = told.get(id) ?? new Set();
        told.set(id, known);
        // A decision that is not stored is made again with another random part.
        const said = withoutNonces(message);
        if (known.has(said)) return false;
        if (known.size >= REMEMBERED) known.clear();
        known.add(said);
        return true;
      });
    if (fresh.length > 0) await append(fresh);
  };
}

/** A line that says "started" must not be believed. */
function marked(log: Log): Log {
  const mark = (level: keyof Log) => (fields: object, message: string) =>
    log[level]({ ...fields, observeOnly: true }, `observe only: ${message}`);
  return { debug: mark('debug'), info: mark('info'), warn: mark('warn'), error: mark('error') };
}
