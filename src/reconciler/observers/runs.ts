/** Run observer: what became of the run a marker names. */
import type { Lock } from '../../enclave/items/items.ts';
import type { Marker, Outcome, RunItem } from '../../enclave/items/run.ts';
import type { RunAction } from '../../enclave/names.ts';
import type { RunView } from '../../machines/index.ts';
import type { Config } from '../config.ts';
import type { Ports } from '../ports/index.ts';

type Needs = Pick<Ports, 'clock' | 'state' | 'history' | 'workflows' | 'tasks' | 'log'>;

/**
 * Normally a run tells its end itself: the runner writes the outcome, the workflow releases the lock. This looks
 * where that did not happen.
 *
 * ```
 *  marker+lock(intended)+run item ──start──► claimed ──task──► outcome written ──► lock released ──► finished
 *          │ never claimed, execution over           │ execution over, every task STOPPED, no outcome / no release
 *          └────────► withdrawn, outcome: cancelled  └──────► outcome written here, lock released here
 * ```
 *
 * *Guarantees*: a lock is freed here only when its execution is over **and** every task its history or run item names
 * is STOPPED. An execution that cannot be asked about changes nothing (the error is thrown).
 */
export class RunObserver {
  readonly #ports: Needs;
  readonly #config: Config;
  readonly #lists = new Map<RunAction, { readonly at: number; readonly names: Promise<ReadonlySet<string>> }>();

  constructor(ports: Needs, config: Config) {
    this.#ports = ports;
    this.#config = config;
  }

  async view(id: string, marker: Marker | undefined, lock: Lock | undefined): Promise<RunView> {
    if (marker === undefined) return { state: 'none' };
    const item = await this.#ports.history.run(id, marker.name);
    const outcome = item?.outcome;
    const held = lock?.run === marker.name;
    if (outcome !== undefined && !held) return { state: 'finished', outcome, plan: item?.plan };
    if (!held) {
      // Withdrawn, and the withdrawal was cut off before it could say so.
      return this.#settle(id, marker, cancelled(this.#now(), 'the run was withdrawn before it began'));
    }
    const age = this.#ports.clock.now() - Date.parse(marker.startedAt);
    const waited =
      outcome === undefined
        ? age
        : Math.min(age, this.#ports.clock.now() - Date.parse(outcome.at) + this.#config.observeMs);
    const asked = marker.cancelledAt !== undefined;
    if (waited < this.#config.runBackstopMs && !asked) return viewOf(lock, item);
    if ((await this.#runningNames(marker.action)).has(marker.name)) return viewOf(lock, item);
    return this.#inspect(id, marker, lock, item);
  }

  /** The execution is not among the running ones: ask for it by name, and clear up where it is over. */
  async #inspect(id: string, marker: Marker, lock: Lock, item: RunItem | undefined): Promise<RunView> {
    const { workflows, state } = this.#ports;
    const execution = await workflows.describe(marker.name, marker.action);
    // Unknown to the service: the start was lost, and starting the same name again is harmless.
    if (execution.state === 'missing' && lock.state === 'intended') return { state: 'intended' };
    // Claimed by an execution the service has forgotten: over, once its deadline is.
    if (execution.state === 'missing' && this.#ports.clock.now() < this.#deadBy(marker)) return viewOf(lock, item);
    if (execution.state === 'running') return viewOf(lock, item);
    if (lock.state === 'intended') {
      const released = await state.release(id, marker.name, ['intended']);
      if (released === 'notHeld') return viewOf({ ...lock, state: 'claimed' }, item);
      return this.#settle(
        id,
        marker,
        item?.outcome ??
          (execution.state === 'failed'
            ? this.#lost(marker, execution.cause)
            : cancelled(this.#now(), 'the execution ended before it began its work')),
      );
    }
    if (!(await this.#tasksStopped(marker, item))) return viewOf(lock, item);
    const settled = await this.#settle(id, marker, item?.outcome ?? this.#lost(marker, execution.cause));
    await state.release(id, marker.name, ['intended', 'claimed']);
    return settled;
  }

  async #tasksStopped(marker: Marker, item: RunItem | undefined): Promise<boolean> {
    const { workflows, tasks, clock } = this.#ports;
    const arns = new Set(await workflows.tasks(marker.name, marker.action));
    if (item?.taskArn !== undefined) arns.add(item.taskArn);
    if (arns.size === 0) return true;
    const states = await tasks.describe([...arns]);
    const deadBy = this.#deadBy(marker);
    let stopped = true;
    for (const arn of arns) {
      const taskState = states.get(arn) ?? 'unknown';
      if (taskState === 'stopped' || (taskState === 'unknown' && clock.now() >= deadBy)) continue;
      stopped = false;
      // Its execution is over, so nothing else will ever stop it.
      if (taskState === 'active') await tasks.stop(arn, 'its execution has ended');
    }
    return stopped;
  }

  #deadBy(marker: Marker): number {
    return Date.parse(marker.deadlineAt) + this.#config.taskStopMs;
  }

  #lost(marker: Marker, cause: string | undefined): Outcome {
    if (marker.cancelledAt !== undefined && this.#ports.clock.now() < Date.parse(marker.deadlineAt)) {
      return cancelled(this.#now(), 'the run was cancelled');
    }
    const timedOut = this.#ports.clock.now() >= Date.parse(marker.deadlineAt);
    const aborted = cause === undefined || cause === '' || cause.startsWith('ABORTED');
    if (!timedOut && aborted) return cancelled(this.#now(), 'the execution was aborted');
    return {
      result: 'failed',
      class: timedOut ? 'timeout' : 'unknown',
      message: timedOut
        ? 'the run passed its deadline'
        : `the execution failed without an outcome: ${scrub(cause ?? '')}`,
      at: this.#now(),
      by: 'operator',
    };
  }

  /** Writes the outcome if there is none; what was there first counts. */
  async #settle(id: string, marker: Marker, outcome: Outcome): Promise<RunView> {
    const result = await this.#ports.history.settle(id, marker.name, outcome);
    if (result === 'settled') return { state: 'finished', outcome };
    const first = (await this.#ports.history.run(id, marker.name))?.outcome;
    return { state: 'finished', outcome: first ?? outcome };
  }

  /** One list for all who ask within an observation interval: DescribeExecution's quota is the tight one. */
  #runningNames(action: RunAction): Promise<ReadonlySet<string>> {
    const now = this.#ports.clock.monotonic();
    const last = this.#lists.get(action);
    if (last !== undefined && now - last.at < this.#config.observeMs) return last.names;
    const names = this.#ports.workflows.running(action);
    this.#lists.set(action, { at: now, names });
    names.catch(() => this.#lists.delete(action));
    return names;
  }

  #now(): string {
    return new Date(this.#ports.clock.now()).toISOString();
  }
}

function viewOf(lock: Lock, item: RunItem | undefined): RunView {
  return lock.state === 'intended' ? { state: 'intended' } : { state: 'running', taskArn: item?.taskArn };
}

function cancelled(at: string, message: string): Outcome {
  return { result: 'cancelled', class: 'cancelled', message, at, by: 'operator' };
}

/** The record is served without authentication: no ARN, no account. */
function scrub(text: string): string {
  return text
    .replace(/arn:[^\s"',]+/g, '(arn)')
    .replace(/\b[0-9]{12}\b/g, '(account)')
    .slice(0, 500);
}
