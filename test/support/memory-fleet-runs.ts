/** Runs over several enclaves: their store over tables in memory, and the runner that looks at each. */
import { readOr, readOrRefuse } from '../../src/aws/dynamodb/stored.ts';
import {
  type DriftResult,
  FleetLedgerSchema,
  type FleetRunItem,
  FleetRunItemSchema,
} from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Clock, FleetRunStore } from '../../src/reconciler/ports/index.ts';
import type { MemoryTable } from './memory-table.ts';

export function memoryFleetRuns(state: MemoryTable, history: MemoryTable, expiresAt: () => number): FleetRunStore {
  const ledger = () => state.get(keys.fleetLedger.pk, keys.fleetLedger.sk);
  const item = (name: string) => history.get(keys.fleetRuns, name);
  return {
    async ledger() {
      return readOrRefuse(FleetLedgerSchema, ledger(), 'memory', 'the ledger');
    },
    async commit({ ledger: next, readRevision, start }) {
      const stored = ledger();
      if (stored?.revision !== readRevision || Number(stored?.epoch ?? 0) > next.epoch) return 'conflict';
      if (start !== undefined) {
        if (item(start.name) !== undefined) return 'conflict';
        history.put({ ...start, expiresAt: start.expiresAt ?? expiresAt(), ...keys.fleetRun(start.name) });
      }
      state.put({ ...next, ...keys.fleetLedger });
      return 'committed';
    },
    async run(name) {
      return readOr(FleetRunItemSchema, item(name), () => {});
    },
    async settle(name, outcome) {
      const stored = item(name);
      if (stored === undefined || stored.outcome !== undefined) return 'already';
      history.put({ ...stored, outcome });
      return 'settled';
    },
    async deliver(results) {
      for (const result of results) {
        const key = keys.planResult(result.id, result.run);
        if (state.get(key.pk, key.sk) === undefined) state.put({ ...result, ...key });
      }
    },
  };
}

/** What a plan of one enclave finds; what is left out agrees. */
export type PlanScript = Pick<DriftResult, 'drifted' | 'differences' | 'planDigest' | 'failure'>;
type Subject = FleetRunItem['enclaves'][number];

export interface FleetExecution {
  readonly name: string;
  readonly executionArn: string;
  readonly startedAtMs: number;
  endedAtMs: number | undefined;
  state: 'running' | 'succeeded' | 'failed';
  cause: string | undefined;
}

export interface MemoryFleetOptions {
  readonly clock: Clock;
  readonly history: MemoryTable;
}

/** The drift workflow with its runner: looks at each enclave of a run, writes each result and the outcome. */
export class MemoryFleet {
  /** What plans find; a test sets it. */
  plan: (subject: Subject) => PlanScript = () => ({ drifted: false, differences: [], planDigest: 'none' });
  /** How long each takes; a test sets it. */
  planMs = 5_000;
  /** True: the execution dies with its task, and nobody records why. */
  dies: (name: string) => boolean = () => false;
  readonly executions = new Map<string, FleetExecution>();
  /** Most runs at work at once. */
  peak = 0;
  readonly #options: MemoryFleetOptions;
  readonly #taskStartMs: number;

  constructor(options: MemoryFleetOptions, taskStartMs: number) {
    this.#options = options;
    this.#taskStartMs = taskStartMs;
  }

  start(name: string): 'started' | 'exists' {
    if (this.executions.has(name)) return 'exists';
    const { clock } = this.#options;
    const execution: FleetExecution = {
      name,
      executionArn: `arn:aws:states:us-west-2:000000000000:execution:memory-drift:${name}`,
      startedAtMs: clock.monotonic(),
      endedAtMs: undefined,
      state: 'running',
      cause: undefined,
    };
    this.executions.set(name, execution);
    const running = [...this.executions.values()].filter(({ state }) => state === 'running').length;
    this.peak = Math.max(this.peak, running);
    void this.#execute(execution);
    return 'started';
  }

  end(execution: FleetExecution, state: 'succeeded' | 'failed', cause?: string): void {
    if (execution.state !== 'running') return;
    execution.state = state;
    execution.cause = cause;
    execution.endedAtMs = this.#options.clock.monotonic();
  }

  async #execute(execution: FleetExecution): Promise<void> {
    const { clock, history } = this.#options;
    await clock.sleep(this.#taskStartMs);
    if (this.dies(execution.name)) return this.end(execution, 'failed', 'States.Runtime: the workflow died');
    const item = () => history.get(keys.fleetRuns, execution.name);
    const run = readOr(FleetRunItemSchema, item(), () => {});
    if (run === undefined || run.outcome !== undefined) return this.end(execution, 'failed', 'RunItemMissing');
    const results: Record<string, DriftResult> = {};
    for (const subject of run.enclaves) {
      const startedAt = this.#now();
      await clock.sleep(this.planMs);
      const stored = item();
      if (execution.state !== 'running' || stored === undefined || stored.outcome !== undefined) return;
      const { id, generation } = subject;
      results[id] = { id, generation, startedAt, at: this.#now(), ...this.plan(subject) };
      history.put({ ...stored, results: { ...results } });
    }
    history.put({ ...item(), outcome: { result: 'succeeded', at: this.#now(), by: 'runner' } });
    this.end(execution, 'succeeded');
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
