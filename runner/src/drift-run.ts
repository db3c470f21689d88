/** A drift run: several enclaves looked at, one after another, without any lock. */
import type { DriftResult, FleetRunItem } from '../../src/enclave/items/fleet-run.ts';
import type { Outcome } from '../../src/enclave/items/run.ts';
import { STACK_VERSION } from '../../src/enclave/names.ts';
import { scrub } from '../../src/enclave/scrub.ts';
import { classify, fixFor } from './classify.ts';
import type { Clock } from './clock.ts';
import { driftOf } from './drift.ts';
import { type Engine, EngineFailure, type Job } from './engine/port.ts';
import type { FleetSettings } from './environment.ts';
import type { FleetStore } from './fleet-store.ts';
import { summarize } from './gate.ts';
import type { Log } from './log.ts';
import { digestOf } from './plan-digest.ts';
import type { Ending } from './run.ts';
import { settle } from './settle.ts';
import type { Stop } from './stop.ts';

export interface DriftParts {
  readonly settings: FleetSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Lines that carry an enclave's id are of that enclave. */
  logFor(enclaveId: string): Log;
  readonly store: FleetStore;
  readonly stop: Stop;
  readonly hostName: string;
  taskArn(): Promise<string>;
  engineFor(job: Job): Engine | Promise<Engine>;
}

type Subject = FleetRunItem['enclaves'][number];
type Verdict = Pick<DriftResult, 'drifted' | 'differences' | 'planDigest' | 'summary' | 'failure'>;

/**
 * Claims the run, looks at each enclave, writes each result and the outcome.
 *
 * Guarantees: nothing is changed and no lock taken; one enclave's failure stops none of the others; a result names the
 * generation it was made for and when it began, so that whoever reads it can drop one that another run overlapped.
 * Errors: throws where no outcome could be written.
 */
export async function carryOutDriftRun(parts: DriftParts): Promise<Ending> {
  const { settings, clock, log, store, stop } = parts;
  const taskArn = await parts.taskArn();
  const now = () => new Date(clock.now()).toISOString();
  const claim = await store.claim({
    taskArn,
    executionArn: settings.executionArn,
    host: parts.hostName,
    startedAt: now(),
  });
  if (claim.kind !== 'claimed') {
    log.warn(`nothing done: ${claim.why}`);
    return claim.kind;
  }
  const cancelDeadline = clock.schedule(settings.deadlineMs, () => stop.request('timeout'));
  if (claim.item.cancelRequestedAt !== undefined) stop.request('cancelled');
  const result = await lookAtAll(parts, claim.item, taskArn).catch((error: unknown) => ({
    result: 'failed' as const,
    class: 'unknown' as const,
    message: scrub(text(error)),
    fix: fixFor('unknown'),
  }));
  cancelDeadline();
  log.info(`drift run ${result.result}`);
  await settle(parts, taskArn, { ...result, at: now(), by: 'runner' });
  return result.result;
}

async function lookAtAll(
  parts: DriftParts,
  item: FleetRunItem,
  taskArn: string,
): Promise<Pick<Outcome, 'result' | 'class' | 'message' | 'fix'>> {
  const { stop, store } = parts;
  let engine: Engine | undefined;
  stop.onRequest(() => void engine?.interrupt());
  const results: Record<string, DriftResult> = {};
  for (const subject of item.enclaves) {
    if (stop.cause !== undefined) break;
    const startedAt = new Date(parts.clock.now()).toISOString();
    const verdict = await look(parts, subject, (made) => {
      engine = made;
    });
    engine = undefined;
    // An interrupted plan says nothing.
    if (stop.cause !== undefined) break;
    const { id, generation } = subject;
    results[id] = { id, generation, startedAt, at: new Date(parts.clock.now()).toISOString(), ...verdict };
    const answer = await store.record(taskArn, results);
    if (answer === 'cancelled') stop.request('cancelled');
    if (answer === 'lost') {
      const message = 'The run was concluded by another while it looked.';
      return { result: 'failed', class: 'locked', message, fix: fixFor('locked') };
    }
  }
  const done = Object.keys(results).length;
  if (stop.cause === 'timeout') {
    const message = `The run took longer than ${parts.settings.deadlineMs / 1_000} s: ${done} of ${item.enclaves.length} were looked at.`;
    return { result: 'failed', class: 'timeout', message, fix: fixFor('timeout') };
  }
  if (stop.cause === 'cancelled') {
    return { result: 'cancelled', class: 'cancelled', message: 'The run was cancelled.', fix: fixFor('cancelled') };
  }
  return { result: 'succeeded' };
}

async function look(
  parts: DriftParts,
  { id, variables }: Subject,
  onEngine: (engine: Engine) => void,
): Promise<Verdict> {
  const log = parts.logFor(id);
  if (variables.stackVersion !== STACK_VERSION) {
    const message = `The enclave was applied with stack version ${variables.stackVersion}; this runner has ${STACK_VERSION}.`;
    return { failure: { class: 'state', message } };
  }
  let engine: Engine | undefined;
  try {
    engine = await parts.engineFor({ enclaveId: id, run: parts.settings.run, action: 'deploy', variables });
    onEngine(engine);
    const plan = await engine.look();
    const verdict = { ...driftOf(plan), planDigest: digestOf(plan), summary: summarize(plan) };
    log.info(`drift: ${verdict.drifted ? `${verdict.differences.length} resources differ` : 'none'}`, {
      differences: verdict.differences,
    });
    return verdict;
  } catch (error) {
    const classified =
      error instanceof EngineFailure
        ? classify(error.diagnostics)
        : { class: 'unknown' as const, message: scrub(text(error)), fix: fixFor('unknown') };
    log.error(`the drift run could not compare the enclave: ${classified.message}`, { class: classified.class });
    return { failure: { ...classified } };
  } finally {
    engine?.close();
  }
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));
