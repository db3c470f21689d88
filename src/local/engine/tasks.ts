/** ECS tasks as child processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { JsonValue } from '../../enclave/json.ts';
import type { Clock, Log, Random } from '../../reconciler/ports/index.ts';
import type { Journal } from '../journal.ts';
import { guarded } from './programs.ts';

export const TaskSchema = z.object({
  arn: z.string(),
  cluster: z.string(),
  family: z.string(),
  container: z.string(),
  environment: z.record(z.string(), z.string()),
  lastStatus: z.enum(['PENDING', 'RUNNING', 'STOPPED']),
  desiredStatus: z.enum(['RUNNING', 'STOPPED']),
  createdAt: z.number(),
  stoppedAt: z.number().optional(),
  stopCode: z.enum(['EssentialContainerExited', 'TaskFailedToStart', 'UserInitiated', 'TerminationNotice']).optional(),
  stoppedReason: z.string().optional(),
  exitCode: z.number().optional(),
});
export type Task = Readonly<z.infer<typeof TaskSchema>>;

export interface TasksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly journal: Journal;
  /** `arn:aws:ecs:<region>:<account>`. */
  readonly arnPrefix: string;
  /** The program every task runs; the runner's, unless a test brings its own. */
  readonly program: string;
  /** Environment of the task definition. */
  environment(taskId: string): Readonly<Record<string, string>>;
  /** Output of a task goes to `<run>.log` in this folder. */
  readonly logFolder: string;
  /** SIGKILL follows SIGTERM after this time, as ECS' stop timeout. */
  readonly stopTimeoutMs: number;
}

export interface TaskRequest {
  readonly cluster: string;
  readonly family: string;
  readonly container: string;
  /** The overrides. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface Tasks {
  run(request: TaskRequest): Task;
  get(arn: string): Task | undefined;
  all(): readonly Task[];
  /** SIGTERM once, SIGKILL after the stop timeout. A stopped task stays as it is. */
  stop(arn: string, reason: string): Task | undefined;
  /** Resolves when the task is STOPPED. */
  whenStopped(arn: string): Promise<Task>;
  /** The next `times` launches fail as ECS' do: the task stops with TaskFailedToStart before its program runs. */
  failLaunches(times: number, reason: string): void;
  /** Stops every task and waits for the last; none outlives `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** ECS forgets stopped tasks after an hour; so does this, and beyond this many at once. */
const FORGET_AFTER_MS = 3_600_000;
const MOST_STOPPED = 2_000;
const KEY = 'task:';

/** A container ends with its first process, whatever else runs in it: a killed runner's Terraform does not live on. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it was left.
  }
}

/** Starts with the tasks of the journal. Those that were alive when the process ended have died with it. */
export function createTasks(options: TasksOptions): Tasks {
  const { clock, journal } = options;
  const tasks = new Map<string, Task>();
  const children = new Map<string, ChildProcess>();
  const waiting = new Map<string, ((task: Task) => void)[]>();
  const faults: string[] = [];

  const save = (task: Task) => {
    tasks.set(task.arn, task);
    journal.set(KEY + task.arn, task as JsonValue);
  };

  const forget = () => {
    const stopped = [...tasks.values()].filter((task) => task.lastStatus === 'STOPPED');
    const excess = stopped.length - MOST_STOPPED;
    for (const [index, task] of stopped.entries()) {
      if (index >= excess && (task.stoppedAt ?? 0) > clock.now() - FORGET_AFTER_MS) continue;
      tasks.delete(task.arn);
      journal.delete(KEY + task.arn);
    }
  };

  const ended = (arn: string, end: Pick<Task, 'stopCode' | 'stoppedReason' | 'exitCode'>) => {
    const task = tasks.get(arn);
    if (task === undefined || task.lastStatus === 'STOPPED') return;
    const stopped: Task = {
      ...task,
      ...(task.stopCode === undefined ? end : { exitCode: end.exitCode }),
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stoppedAt: clock.now(),
    };
    save(stopped);
    children.delete(arn);
    for (const resolve of waiting.get(arn) ?? []) resolve(stopped);
    waiting.delete(arn);
  };

  for (const [key, value] of [...journal.entries]) {
    if (!key.startsWith(KEY)) continue;
    const read = TaskSchema.safeParse(value);
    if (!read.success) {
      journal.delete(key);
      continue;
    }
    tasks.set(read.data.arn, read.data);
    ended(read.data.arn, { stopCode: 'TerminationNotice', stoppedReason: 'The embedded AWS was stopped.' });
  }

  const launch = (task: Task) => {
    const taskId = task.arn.slice(task.arn.lastIndexOf('/') + 1);
    const run = task.environment.RUN ?? '';
    mkdirSync(options.logFolder, { recursive: true });
    const output = openSync(join(options.logFolder, `${/^[A-Za-z0-9_-]{1,120}$/.test(run) ? run : taskId}.log`), 'a');
    const child = spawn(process.execPath, guarded(options.program), {
      env: { ...options.environment(taskId), ...task.environment },
      stdio: ['pipe', output, output],
      // Leader of a process group: see `endGroup`.
      detached: true,
    });
    closeSync(output);
    children.set(task.arn, child);
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => {
      ended(task.arn, { stopCode: 'TaskFailedToStart', stoppedReason: error.message });
    });
    child.once('exit', (code, signal) => {
      endGroup(child);
      options.log.debug({ task: task.arn, run, code, signal }, 'task ended');
      ended(task.arn, {
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
        exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]),
      });
    });
  };

  const stop = (arn: string, code: Task['stopCode'], reason: string, graceMs: number) => {
    const task = tasks.get(arn);
    if (task === undefined || task.desiredStatus === 'STOPPED') return task;
    const stopping: Task = { ...task, desiredStatus: 'STOPPED', stopCode: code, stoppedReason: reason };
    save(stopping);
    const child = children.get(arn);
    child?.kill('SIGTERM');
    const cancel = clock.schedule(graceMs, () => child?.kill('SIGKILL'));
    child?.once('exit', cancel);
    return stopping;
  };

  const whenStopped = (arn: string): Promise<Task> => {
    const task = tasks.get(arn);
    if (task === undefined) return Promise.reject(new Error(`no task ${arn}`));
    if (task.lastStatus === 'STOPPED') return Promise.resolve(task);
    return new Promise((resolve) => waiting.set(arn, [...(waiting.get(arn) ?? []), resolve]));
  };

  return {
    run(request) {
      forget();
      const task: Task = {
        arn: `${options.arnPrefix}:task/${request.cluster}/${options.random.id(32)}`,
        cluster: request.cluster,
        family: request.family,
        container: request.container,
        environment: { ...request.environment },
        lastStatus: 'RUNNING',
        desiredStatus: 'RUNNING',
        createdAt: clock.now(),
      };
      save(task);
      const fault = faults.shift();
      if (fault === undefined) launch(task);
      else ended(task.arn, { stopCode: 'TaskFailedToStart', stoppedReason: fault });
      return tasks.get(task.arn) ?? task;
    },
    get: (arn) => tasks.get(arn),
    all: () => [...tasks.values()],
    stop: (arn, reason) => stop(arn, 'UserInitiated', reason, options.stopTimeoutMs),
    whenStopped,
    failLaunches(times, reason) {
      for (let i = 0; i < times; i += 1) faults.push(reason);
    },
    async close(graceMs) {
      const alive = [...tasks.values()].filter((task) => task.lastStatus !== 'STOPPED');
      const all = Promise.all(alive.map((task) => whenStopped(task.arn)));
      for (const task of alive) stop(task.arn, 'TerminationNotice', 'The embedded AWS was stopped.', graceMs);
      // A task that was being stopped already has a longer deadline of its own.
      const cancel = clock.schedule(graceMs, () => {
        for (const child of children.values()) child.kill('SIGKILL');
      });
      await all;
      cancel();
    },
  };
}
