/** Step Functions, ECS and the runner in memory: executions that claim, work, record and release. */
import { keys } from '../../src/enclave/items/items.ts';
import { type ErrorClass, type Outcome, type RunItem, RunItemSchema } from '../../src/enclave/items/run.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import type { AnyRunAction, RunAction } from '../../src/enclave/names.ts';
import type { Clock, ExecutionView, Tasks, Workflows } from '../../src/reconciler/ports/index.ts';
import { LEGACY } from './legacy.ts';
import { enclaveOf, postureOf } from './memory-deployed.ts';
import { MemoryFleet } from './memory-fleet-runs.ts';
import type { MemoryHost, MemoryHosts } from './memory-hosts.ts';
import type { MemorySurroundings } from './memory-surroundings.ts';
import type { MemoryTable } from './memory-table.ts';

export interface RunTimings {
  /** From StartExecution to the claim of the lock. */
  readonly claimMs: number;
  readonly taskStartMs: number;
  readonly workMs: number;
  /** From SIGTERM to the end of a task that is being stopped. */
  readonly stopMs: number;
  /** From the end of the task to the release of the lock. */
  readonly releaseMs: number;
}

export const RUN_TIMINGS: RunTimings = {
  claimMs: 300,
  taskStartMs: 2_000,
  workMs: 20_000,
  stopMs: 1_000,
  releaseMs: 300,
};

/** The ARN of an execution, which the operator knows before it starts it. */
export function memoryExecutionArn(name: string, action: AnyRunAction): string {
  return `arn:aws:states:us-west-2:000000000000:execution:memory-${action}:${name}`;
}

/** A run's name ends with its action: one of the other action is not this machine's. */
const isOfOtherMachine = (name: string, action: RunAction) =>
  name.endsWith(`-${action === 'deploy' ? 'destroy' : 'deploy'}`);

/** Each machine has its own names. */
const executionKey = (name: string, action: RunAction) => (isOfOtherMachine(name, action) ? `${action} ${name}` : name);

/** How one run goes; what is left out goes well. */
export interface RunScript {
  readonly workMs?: number;
  readonly fails?: { readonly class: ErrorClass; readonly message: string; readonly fix?: string };
  /** The digest of its plan, where that is not the approved one. */
  readonly unapproved?: string;
  /** What a destroy leaves behind. */
  readonly remaining?: readonly string[];
  /** True where what fails or dies has done its work by then. */
  readonly applied?: boolean;
  /**
   * `task`: ends without an outcome, so the workflow records one. `workflow`: both die; lock and run item stay.
   * `execution`: the workflow dies when the work begins, and its task works on.
   */
  readonly dies?: 'task' | 'workflow' | 'execution';
}

/** How one execution begins; what is left out goes well. */
export interface StartScript {
  readonly claimMs?: number;
  readonly taskStartMs?: number;
  /** It ends without a claim. */
  readonly dies?: boolean;
}

export interface MemoryExecution {
  readonly name: string;
  readonly action: RunAction;
  readonly enclaveId: string;
  readonly executionArn: string;
  state: 'running' | 'succeeded' | 'failed';
  cause: string | undefined;
  readonly startedAtMs: number;
  endedAtMs: number | undefined;
  /** True where the claim failed: it ended without Terraform. */
  coalesced: boolean;
  readonly tasks: string[];
}

interface MemoryTask {
  state: 'active' | 'stopped';
  killed: boolean;
  readonly stop: AbortController;
}

export interface MemoryRunsOptions {
  readonly clock: Clock;
  readonly state: MemoryTable;
  readonly history: MemoryTable;
  readonly hosts: MemoryHosts;
  readonly surroundings: MemorySurroundings;
  readonly timings?: Partial<RunTimings> | undefined;
}

export class MemoryRuns implements Workflows {
  /** How runs go; a test sets it. */
  script: (run: RunItem) => RunScript = () => ({});
  /** How executions begin; a test sets it. */
  startScript: (execution: MemoryExecution) => StartScript = () => ({});
  /** How far ListExecutions lags behind, ms. */
  listLagMs: () => number = () => 0;
  /** Told how many Terraforms work on an enclave whenever that changes. */
  onWork: (enclaveId: string, working: number) => void = () => {};
  readonly executions = new Map<string, MemoryExecution>();
  /** Most Terraforms seen at work at once: of one enclave (must stay 1), and of all together. */
  readonly peak = { perEnclave: 0, all: 0 };
  /** The port of ECS; executions are Step Functions'. */
  readonly ecs: Tasks;
  /** Runs over several enclaves. */
  readonly fleet: MemoryFleet;
  readonly #tasks = new Map<string, MemoryTask>();
  readonly #working = new Map<string, number>();
  #workingInAll = 0;
  readonly #options: MemoryRunsOptions;
  readonly #timings: RunTimings;

  constructor(options: MemoryRunsOptions) {
    this.#options = options;
    this.#timings = { ...RUN_TIMINGS, ...options.timings };
    this.fleet = new MemoryFleet(options, this.#timings.taskStartMs);
    this.ecs = {
      describe: async (arns) =>
        new Map(
          arns.map((arn): [string, 'active' | 'stopped' | 'unknown'] => [
            arn,
            this.#tasks.get(arn)?.state ?? 'unknown',
          ]),
        ),
      stop: async (arn) => this.#tasks.get(arn)?.stop.abort(),
    };
  }

  /** ECS forgets tasks about an hour after their end. */
  forgetStoppedTasks(): void {
    for (const [arn, task] of this.#tasks) if (task.state === 'stopped') this.#tasks.delete(arn);
  }

  // The port.

  async start(name: string, action: RunAction, enclaveId: string): Promise<'started' | 'exists'> {
    const key = executionKey(name, action);
    if (this.executions.has(key)) return 'exists';
    const execution: MemoryExecution = {
      name,
      action,
      enclaveId,
      executionArn: memoryExecutionArn(name, action),
      state: 'running',
      cause: undefined,
      startedAtMs: this.#options.clock.monotonic(),
      endedAtMs: undefined,
      coalesced: false,
      tasks: [],
    };
    this.executions.set(key, execution);
    void this.#execute(execution);
    return 'started';
  }

  async startFleetRun(name: string): Promise<'started' | 'exists'> {
    return this.fleet.start(name);
  }

  async running(action: AnyRunAction): Promise<ReadonlySet<string>> {
    const at = this.#options.clock.monotonic() - this.listLagMs();
    const ran = (each: { readonly startedAtMs: number; readonly endedAtMs: number | undefined }) =>
      each.startedAtMs <= at && (each.endedAtMs ?? Number.POSITIVE_INFINITY) > at;
    const of =
      action === 'drift'
        ? [...this.fleet.executions.values()]
        : [...this.executions.values()].filter((each) => each.action === action);
    const running = of.filter(ran);
    return new Set(running.map((each) => each.name));
  }

  async describe(name: string, action: AnyRunAction): Promise<ExecutionView> {
    const execution = this.#named(name, action);
    const executionArn = execution?.executionArn ?? memoryExecutionArn(name, action);
    if (execution === undefined) return { state: 'missing', executionArn };
    return {
      state: execution.state,
      executionArn,
      ...(execution.cause === undefined ? {} : { cause: execution.cause }),
    };
  }

  async tasks(name: string, action: AnyRunAction): Promise<readonly string[]> {
    return action === 'drift' ? [] : (this.executions.get(executionKey(name, action))?.tasks ?? []);
  }

  async abort(name: string, action: AnyRunAction, cause: string): Promise<void> {
    const overall = action === 'drift' ? this.fleet.executions.get(name) : undefined;
    if (overall !== undefined) this.fleet.end(overall, 'failed', `ABORTED: ${cause}`);
    const execution = action === 'drift' ? undefined : this.executions.get(executionKey(name, action));
    if (execution?.state !== 'running') return;
    this.#end(execution, 'failed', `ABORTED: ${cause}`);
    for (const arn of execution.tasks) this.#tasks.get(arn)?.stop.abort();
  }

  // What a test does.

  /** ECS loses the machine under a task: it ends at once, and nobody records why. */
  killTask(arn: string): void {
    const task = this.#tasks.get(arn);
    if (task === undefined) return;
    task.killed = true;
    task.stop.abort();
  }

  // What happens then.

  async #execute(execution: MemoryExecution): Promise<void> {
    const { clock } = this.#options;
    const start = this.startScript(execution);
    await clock.sleep(start.claimMs ?? this.#timings.claimMs);
    if (!isRunning(execution)) return;
    if (start.dies) return this.#end(execution, 'failed', 'States.Runtime: the workflow died');
    if (isOfOtherMachine(execution.name, execution.action)) {
      return this.#end(execution, 'failed', 'WrongAction: the run is not of this state machine');
    }
    if (!this.#claim(execution)) {
      execution.coalesced = true;
      return this.#end(execution, 'succeeded');
    }
    await clock.sleep(start.taskStartMs ?? this.#timings.taskStartMs);
    if (!isRunning(execution)) return;
    const died = await this.#task(execution);
    if (!isRunning(execution)) return;
    if (died === 'workflow') return this.#end(execution, 'failed', 'States.Runtime: the workflow died');
    await clock.sleep(this.#timings.releaseMs);
    if (!isRunning(execution)) return;
    const now = new Date(clock.now()).toISOString();
    const outcome = this.#settle(execution, {
      result: 'failed',
      class: 'unknown',
      message: 'The task ended without an outcome.',
      at: now,
      by: 'workflow',
    });
    const lock = keys.lock(execution.enclaveId);
    if (this.#options.state.get(lock.pk, lock.sk)?.run === execution.name) this.#options.state.delete(lock.pk, lock.sk);
    if (outcome?.result === 'succeeded') this.#end(execution, 'succeeded');
    else this.#end(execution, 'failed', outcome?.message ?? 'no run item');
  }

  /** The lock is this run's, and it intends this execution or was claimed by it. An earlier version named none. */
  #claim({ name, action, enclaveId, executionArn }: MemoryExecution): boolean {
    const key = keys.lock(enclaveId);
    const lock = this.#options.state.get(key.pk, key.sk);
    if (lock?.run !== name) return false;
    const { intendedExecution } = lock;
    const isIntended =
      lock.state === 'intended' &&
      (intendedExecution === undefined || (intendedExecution === executionArn && lock.action === action));
    if (!isIntended && lock.executionArn !== executionArn) return false;
    this.#options.state.put({ ...lock, state: 'claimed', executionArn });
    return true;
  }

  /** The runner: claims the run item, works, records. Answers who died on the way. */
  async #task(execution: MemoryExecution): Promise<RunScript['dies']> {
    const { clock } = this.#options;
    const arn = `arn:aws:ecs:us-west-2:000000000000:task/memory/${execution.name}-${execution.tasks.length}`;
    const task: MemoryTask = { state: 'active', killed: false, stop: new AbortController() };
    this.#tasks.set(arn, task);
    execution.tasks.push(arn);
    try {
      const item = this.#item(execution);
      const parsed = RunItemSchema.safeParse(item);
      if (item === undefined || !parsed.success || parsed.data.outcome !== undefined) return undefined;
      const run = parsed.data;
      const lock = keys.lock(execution.enclaveId);
      if (this.#options.state.get(lock.pk, lock.sk)?.run !== execution.name) return undefined;
      if (run.action !== execution.action) return undefined;
      if (run.taskArn !== undefined && run.taskArn !== arn) return undefined;
      this.#options.history.put({
        ...item,
        taskArn: arn,
        executionArn: execution.executionArn,
        startedAt: this.#now(),
      });
      if (run.cancelRequestedAt !== undefined) {
        this.#settle(execution, this.#cancelled());
        return undefined;
      }
      const script = this.script(run);
      if (script.dies === 'execution') this.#end(execution, 'failed', 'States.Runtime: the workflow died');
      await this.#whileWorking(execution.enclaveId, () =>
        clock.sleep(script.workMs ?? this.#timings.workMs, task.stop.signal),
      );
      if (task.killed) return undefined;
      if (task.stop.signal.aborted) {
        await clock.sleep(this.#timings.stopMs);
        this.#settle(execution, this.#cancelled());
        return undefined;
      }
      const failed = script.fails !== undefined || script.dies === 'task' || script.dies === 'workflow';
      if (failed && script.applied) this.#apply(run, script);
      if (script.dies === 'task' || script.dies === 'workflow') return script.dies;
      if (script.unapproved !== undefined) {
        this.#settle(execution, { ...this.#cancelled(), unapproved: script.unapproved });
        return undefined;
      }
      if (script.fails !== undefined) {
        this.#settle(execution, { result: 'failed', ...script.fails, at: this.#now(), by: 'runner' });
        return undefined;
      }
      this.#settle(execution, this.#apply(run, script));
      return undefined;
    } finally {
      task.state = 'stopped';
    }
  }

  #apply(run: RunItem, script: RunScript): Outcome {
    return run.action === 'deploy' ? this.#deploy(run) : this.#destroy(run, script);
  }

  #deploy(run: RunItem): Outcome {
    const { hosts } = this.#options;
    const { generation, region } = run.variables;
    const enclave = enclaveOf(run);
    const living = hosts.living(run.id)[0];
    const mayReplace = run.variables.change === 'replace' && (living?.legacy === true || run.reason === 'repair');
    const replaces = living !== undefined && mayReplace;
    if (run.reason === 'adopt' || (living?.legacy === true && !replaces)) return this.#adopt(living);
    const posture = postureOf(run);
    if (replaces) hosts.terminate(living);
    else if (living !== undefined) hosts.apply(living, generation, enclave, posture);
    const kept = replaces ? undefined : living;
    const launched = { enclaveId: run.id, region, generation, enclave, launchedBy: run.name, posture };
    const host = kept ?? hosts.launch(launched);
    const { instanceId } = host;
    const made = this.#options.surroundings.apply(run);
    const image = { amiId: 'ami-0', imageDigest: 'sha256:0' };
    return { result: 'succeeded', at: this.#now(), by: 'runner', instanceId, ...image, made };
  }

  /** A host without an agent is looked at, and stays as it is. */
  #adopt(host: MemoryHost | undefined): Outcome {
    const done: Outcome = { result: 'succeeded', at: this.#now(), by: 'runner' };
    if (host === undefined) return done;
    return { ...done, instanceId: host.instanceId, ...(host.legacy ? { legacy: LEGACY } : {}) };
  }

  #destroy(run: RunItem, { remaining = [] }: RunScript): Outcome {
    if (remaining.length === 0) this.#options.surroundings.destroy(run.id);
    if (remaining.length === 0)
      for (const host of this.#options.hosts.living(run.id)) this.#options.hosts.terminate(host);
    return { result: 'succeeded', at: this.#now(), by: 'runner', remaining: [...remaining] };
  }

  async #whileWorking(enclaveId: string, work: () => Promise<void>): Promise<void> {
    const count = (this.#working.get(enclaveId) ?? 0) + 1;
    this.#working.set(enclaveId, count);
    this.#workingInAll += 1;
    this.peak.perEnclave = Math.max(this.peak.perEnclave, count);
    this.peak.all = Math.max(this.peak.all, this.#workingInAll);
    this.onWork(enclaveId, count);
    await work();
    this.#workingInAll -= 1;
    const left = (this.#working.get(enclaveId) ?? 1) - 1;
    if (left === 0) this.#working.delete(enclaveId);
    else this.#working.set(enclaveId, left);
    this.onWork(enclaveId, left);
  }

  #item({ enclaveId, name }: MemoryExecution): JsonMap | undefined {
    return this.#options.history.get(keys.runs(enclaveId), name);
  }

  /** Writes the outcome if there is none; answers the one that stands. */
  #settle(execution: MemoryExecution, outcome: Outcome): Outcome | undefined {
    const item = this.#item(execution);
    if (item === undefined) return undefined;
    if (item.outcome === undefined) this.#options.history.put({ ...item, outcome });
    return RunItemSchema.parse(this.#item(execution)).outcome;
  }

  #cancelled(): Outcome {
    return {
      result: 'cancelled',
      class: 'cancelled',
      message: 'The run was cancelled.',
      at: this.#now(),
      by: 'runner',
    };
  }

  #end(execution: MemoryExecution, state: 'succeeded' | 'failed', cause?: string): void {
    execution.state = state;
    execution.cause = cause;
    execution.endedAtMs = this.#options.clock.monotonic();
  }

  #named(name: string, action: AnyRunAction) {
    if (action === 'drift') return this.fleet.executions.get(name);
    const execution = this.executions.get(executionKey(name, action));
    return execution?.action === action ? execution : undefined;
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

const isRunning = (execution: MemoryExecution): boolean => execution.state === 'running';
