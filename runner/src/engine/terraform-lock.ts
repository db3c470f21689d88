/** A state lock somebody left: traced to its run, and broken only when that run is proven dead. */
import type { AwsClients } from '../aws/clients.ts';
import { getText, type Place } from '../aws/objects.ts';
import type { Clock } from '../clock.ts';
import type { LockEvidence } from '../lock-evidence.ts';
import type { Log } from '../log.ts';
import { hostOf, judgeStateLock, type LockVerdict, readStateLock, type StateLock, suspectsOf } from '../state-lock.ts';
import { EngineFailure } from './port.ts';
import { diagnosticsOf } from './terraform-output.ts';
import type { Terraform } from './terraform-process.ts';

export interface LockParts {
  readonly clients: AwsClients;
  readonly evidence: LockEvidence;
  readonly clock: Clock;
  readonly log: Log;
  readonly terraform: Terraform;
  /** `<state key>.tflock`. */
  readonly place: Place;
  readonly run: string;
}

const locked = (summary: string, detail = '') =>
  new EngineFailure([{ severity: 'error', summary, detail, class: 'locked' }]);

/**
 * Leaves the state unlocked, or throws {@link EngineFailure} of class `locked`.
 *
 * Guarantees: the lock of a run that may live is never broken, nor one that no run of this enclave can have made.
 * It is broken by its id, so that a lock taken meanwhile stays.
 */
export async function clearStaleLock(parts: LockParts): Promise<void> {
  const json = await getText(parts.clients, parts.place);
  if (json === undefined) return;
  const lock = readStateLock(json);
  if (lock === undefined) throw locked('The state is locked by an object that Terraform has not written.');
  const since = new Date(lock.createdAt).toISOString();
  const verdict = await judge(parts, lock);
  switch (verdict.kind) {
    case 'foreign':
      throw locked(
        `The state has been locked since ${since}, by none of this enclave's runs: find out who works on it.`,
        `Lock ${lock.id} of ${lock.who}.`,
      );
    case 'live':
      throw locked(`The state has been locked since ${since} by ${verdict.run}, which is not proven dead.`);
    case 'dead':
      parts.log.warn(`breaking the state lock of ${since}: run ${verdict.run} holds it and is dead`);
      await unlock(parts, lock);
  }
}

async function judge({ evidence, clock, run }: LockParts, lock: StateLock): Promise<LockVerdict> {
  const suspects = suspectsOf(lock, await evidence.runsOn(hostOf(lock)), run);
  const tasks = await evidence.tasks(suspects.flatMap(({ taskArn }) => (taskArn === undefined ? [] : [taskArn])));
  return judgeStateLock(suspects, tasks, clock.now());
}

async function unlock({ terraform, clients, place }: LockParts, lock: StateLock): Promise<void> {
  const ended = await terraform.run(['force-unlock', '-force', '-no-color', lock.id]);
  if (ended.code === 0) return;
  const left = await getText(clients, place);
  // Gone by itself: what was wanted.
  if (left === undefined) return;
  throw new EngineFailure(diagnosticsOf(ended.stdout, ended.stderr).map((each) => ({ ...each, class: 'locked' })));
}
