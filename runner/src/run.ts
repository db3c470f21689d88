/** One run from claim to outcome. */

import type { Lock } from '../../src/enclave/items/items.ts';
import type { Outcome, RunItem } from '../../src/enclave/items/run.ts';
import { STACK_VERSION } from '../../src/enclave/names.ts';
import { scrub } from '../../src/enclave/scrub.ts';
import { classify, errorBeforeStop, fixFor } from './classify.ts';
import type { Clock } from './clock.ts';
import { type Diagnostic, type Engine, EngineFailure, type Job, type TerraformPlan } from './engine/port.ts';
import type { EnclaveSettings } from './environment.ts';
import { changesAnything, createsHost, judge, readPolicy, summarize } from './gate.ts';
import type { Log } from './log.ts';
import { digestOf } from './plan-digest.ts';
import { settle } from './settle.ts';
import type { Stop } from './stop.ts';
import type { RunStore } from './store.ts';

export interface RunParts {
  readonly settings: EnclaveSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: RunStore;
  readonly stop: Stop;
  /** This machine's name, as Terraform writes it into a state lock. */
  readonly hostName: string;
  taskArn(): Promise<string>;
  engineFor(job: Job): Engine | Promise<Engine>;
}

/** `twin`: nothing was touched, because another task has the run or it is over. */
export type Ending = Outcome['result'] | 'twin' | 'unusable';

type Result = Pick<
  Outcome,
  | 'result'
  | 'class'
  | 'message'
  | 'fix'
  | 'instanceId'
  | 'amiId'
  | 'imageDigest'
  | 'legacy'
  | 'made'
  | 'remaining'
  | 'unapproved'
>;

/**
 * Claims the run, works on it, writes its outcome.
 *
 * Guarantees: Terraform works only for the task that the run item names and while the lock names the run; it hears of
 * a stop at most once; the outcome is written at most once. Errors: throws where no outcome could be written.
 */
export async function carryOutRun(parts: RunParts): Promise<Ending> {
  const { settings, clock, log, store, stop } = parts;
  const taskArn = await parts.taskArn();
  const refusal = whyNotMine(await store.lock(), settings);
  if (refusal !== undefined) {
    log.error(`nothing done: ${refusal}`);
    return 'unusable';
  }
  const claim = await store.claim({
    taskArn,
    executionArn: settings.executionArn,
    host: parts.hostName,
    startedAt: new Date(clock.now()).toISOString(),
  });
  if (claim.kind !== 'claimed') {
    log.warn(`nothing done: ${claim.why}`);
    return claim.kind;
  }
  log.info(`${settings.action} of ${settings.enclaveId} starts`, {
    reason: claim.item.reason,
    generation: claim.item.generation,
  });
  const cancelDeadline = clock.schedule(settings.deadlineMs, () => stop.request('timeout'));
  const result = await work(parts, claim.item, taskArn).catch((error: unknown) => resultOf(error, parts));
  cancelDeadline();
  log.info(`${settings.action} of ${settings.enclaveId} ${result.result}`, {
    class: result.class,
    cause: result.message,
  });
  await settle(parts, taskArn, { ...result, at: new Date(clock.now()).toISOString(), by: 'runner' });
  return result.result;
}

async function work(parts: RunParts, item: RunItem, taskArn: string): Promise<Result> {
  const { settings, store, stop } = parts;
  const { variables } = item;

  const lock = await store.lock();
  if (lock?.run !== settings.run || whyNotMine(lock, settings) !== undefined) {
    return failed('locked', 'The lock of the enclave does not name this run, so nothing was done.');
  }
  if (item.cancelRequestedAt !== undefined) stop.request('cancelled');
  if (variables.stackVersion > STACK_VERSION) {
    return failed(
      'state',
      `The enclave was last applied with stack version ${variables.stackVersion}; this runner knows ` +
        `${STACK_VERSION}.`,
      'Deploy the runner image of the newer version.',
    );
  }

  const engine = await parts.engineFor({
    enclaveId: settings.enclaveId,
    run: settings.run,
    action: settings.action,
    variables,
  });
  try {
    return await carryOut(engine, parts, item, taskArn);
  } finally {
    engine.close();
  }
}

/**
 * Why this task must not take the run, by the lock of the enclave; undefined: it may, or the lock names another run.
 * Taking the run item does harm already: the task that the lock allows would then find the run taken.
 */
function whyNotMine(lock: Lock | undefined, { run, action, executionArn }: EnclaveSettings): string | undefined {
  if (lock?.run !== run) return undefined;
  if (lock.action !== undefined && lock.action !== action) {
    return `the lock is for a ${lock.action} run, but this task executes ${action} runs`;
  }
  if (lock.executionArn === executionArn) return undefined;
  return lock.executionArn === undefined ? 'no execution has claimed the lock' : 'another execution holds the lock';
}

async function carryOut(engine: Engine, parts: RunParts, item: RunItem, taskArn: string): Promise<Result> {
  const { settings, log, store, stop } = parts;
  const { variables } = item;
  const supervised = supervise(engine, parts);

  if (stop.cause !== undefined) return stopped(parts);
  await supervised(() => engine.init());
  if (stop.cause !== undefined) return stopped(parts);
  const plan = await supervised(() => engine.plan());
  const summary = summarize(plan);
  log.info('plan created', { plan: summary });

  const verdict = judge({
    action: settings.action,
    reason: item.reason,
    policy: readPolicy(variables.policy),
    change: typeof variables.change === 'string' ? variables.change : undefined,
    plan,
    pinned: await pinnedHost(engine, plan, variables.pinned.instanceId),
  });
  if (!verdict.allowed) return failed(verdict.class, verdict.message, verdict.fix);
  const unapproved = withoutApproval(item, plan);
  if (unapproved !== undefined) return unapproved;

  const permission = await store.advance(taskArn, 'applying', summary);
  if (permission === 'cancelled') stop.request('cancelled');
  if (permission === 'lost') return failed('locked', 'The run was concluded by another while it was planned.');
  if (stop.cause !== undefined) return stopped(parts);

  if (item.reason === 'adopt') {
    log.info('imported the resources found; nothing to apply');
  } else if (changesAnything(plan)) {
    const applied = await supervised(() => engine.apply((message) => log.info(message)));
    if (!applied.ok) {
      if (applied.interrupted) return stopped(parts, applied.diagnostics);
      throw new EngineFailure(applied.diagnostics);
    }
  } else {
    log.info('nothing to change');
  }
  return settings.action === 'destroy' ? afterDestroy(engine) : afterDeploy(engine);
}

/** The operator begins no such run unapproved; what is applied is what was looked at, and nothing else. */
function withoutApproval({ reason, variables }: RunItem, plan: TerraformPlan): Result | undefined {
  const asked = (reason === 'update' || reason === 'repair') && readPolicy(variables.policy).wantsApproval;
  if (!asked || !changesAnything(plan)) return undefined;
  const digest = digestOf(plan);
  if (variables.approved === digest) return undefined;
  return {
    result: 'cancelled',
    class: 'cancelled',
    message: 'The plan is not the one that was approved, so nothing was changed.',
    fix: 'Look at a fresh one with `enclavectl plan`, and approve that.',
    unapproved: digest,
  };
}

/** Lets Terraform hear of a stop: once, and only while one of its operations is at work. */
function supervise(engine: Engine, { stop, log }: RunParts) {
  let atWork = false;
  stop.onRequest(() => {
    if (!atWork) return;
    log.warn('asking terraform to stop');
    engine.interrupt().catch((error: unknown) => log.error(`terraform could not be asked to stop: ${text(error)}`));
  });
  return async <T>(operation: () => Promise<T>): Promise<T> => {
    atWork = true;
    try {
      return await operation();
    } finally {
      atWork = false;
    }
  };
}

/** AWS is asked about the pinned host only where a new one would be made. */
async function pinnedHost(engine: Engine, plan: TerraformPlan, instanceId: string | undefined) {
  if (instanceId === undefined) return undefined;
  return { instanceId, isGone: createsHost(plan) && (await engine.hostIsGone(instanceId)) };
}

async function afterDeploy(engine: Engine): Promise<Result> {
  const { outputs, legacy, made } = await engine.state();
  const { instance_id: instanceId, ami_id: amiId, image_digest: imageDigest } = outputs;
  return {
    result: 'succeeded',
    ...(instanceId ? { instanceId } : {}),
    ...(amiId ? { amiId } : {}),
    ...(imageDigest ? { imageDigest } : {}),
    ...(legacy === undefined ? {} : { legacy }),
    ...(made === undefined ? {} : { made }),
  };
}

async function afterDestroy(engine: Engine): Promise<Result> {
  const state = await engine.state();
  if (state.resources.length === 0) await engine.dropEmptyState();
  const found = await engine.remaining();
  return { result: 'succeeded', remaining: [...state.resources.map((address) => `state: ${address}`), ...found] };
}

function failed(errorClass: NonNullable<Outcome['class']>, message: string, fix = fixFor(errorClass)): Result {
  return { result: 'failed', class: errorClass, message, fix };
}

/** An error from before the stop explains why the run took so long: it outranks the errors that the stop caused. */
function stopped({ stop, settings, log }: RunParts, diagnostics: readonly Diagnostic[] = []): Result {
  logAll(log, diagnostics);
  const before = errorBeforeStop(diagnostics);
  if (stop.cause === 'timeout') {
    const errorClass = before === undefined || before.class === 'unknown' ? 'timeout' : before.class;
    const last = before === undefined ? 'No error was reported before that.' : `Last error: ${before.message}`;
    return failed(
      errorClass,
      `The runner interrupted the run after ${settings.deadlineMs / 1_000} s (deadline). ${last}`,
    );
  }
  const message = `The run was cancelled.${before === undefined ? '' : ` Last error: ${before.message}`}`;
  return { result: 'cancelled', class: 'cancelled', message, fix: fixFor('cancelled') };
}

function logAll(log: Log, diagnostics: readonly Diagnostic[]): void {
  for (const { severity, summary, detail } of diagnostics) log.error(`${severity}: ${summary} ${detail}`);
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

function resultOf(error: unknown, parts: RunParts): Result {
  const diagnostics = error instanceof EngineFailure ? error.diagnostics : [];
  if (parts.stop.cause !== undefined) return stopped(parts, diagnostics);
  if (!(error instanceof EngineFailure)) return failed('unknown', scrub(text(error)));
  logAll(parts.log, diagnostics);
  const { class: errorClass, message, fix } = classify(diagnostics);
  return failed(errorClass, message, fix);
}
