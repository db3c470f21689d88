/** Goal: how the world must be once faults have stopped, by what was asked for last. */
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { equalJson } from '../../src/enclave/json.ts';
import type { RawRecord } from '../../src/reconciler/ports/index.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import { type LastCommand, type Owned, ownerOf, UNKNOWN_VERB } from './app.ts';
import type { Stage } from './stage.ts';

function lifecycleOf({ world }: Stage, id: string): Lifecycle | undefined {
  return world.tables.state.get(keys.enclave(id), 'lifecycle') as Lifecycle | undefined;
}

/** Why an enclave is not at rest; undefined: it is. */
export function unrest(stage: Stage, { id }: Owned): string | undefined {
  const { tables, hosts, runs } = stage.world;
  const lifecycle = lifecycleOf(stage, id);
  const record = stage.world.record(id);
  const living = hosts.living(id);
  if (tables.state.get(keys.enclave(id), 'lock') !== undefined) return 'its lock is held';
  // A verb this operator does not know is left for one that does.
  if (tables.state.partition(keys.requests(id)).some(({ verb }) => verb !== UNKNOWN_VERB)) return 'a request waits';
  if (tables.state.partition(keys.planResults(id)).length > 0) return 'a plan result waits';
  for (const execution of runs.executions.values()) {
    if (execution.enclaveId === id && execution.state === 'running') return `${execution.name} runs`;
  }
  if (record === undefined) {
    if (lifecycle !== undefined) return `its record is gone, and its lifecycle is ${lifecycle.phase}`;
    // A host of the time before the operator, whose record was deleted before anybody looked, is an orphan: reported,
    // never destroyed unasked.
    const left = living.filter((host) => host.launchedBy !== undefined);
    return left.length > 0 ? 'its record is gone, and its host lives' : undefined;
  }
  if (lifecycle === undefined) return 'it has no lifecycle';
  if (ownerOf(lifecycle.identity) !== ownerOf(record)) return 'it waits for the enclave before it';
  if (lifecycle.run !== undefined) return `its run ${lifecycle.run.name} is not over`;
  const expected = statusAtRest(lifecycle);
  if (record.status !== expected || !hostsAtRest(lifecycle, record, living)) {
    const states =
      living
        .map((host) => `${host.state}/${host.enclaveState}/${host.appliedGeneration}${isSound(host) ? '' : '/changed'}`)
        .join(' ') || 'none';
    const { phase, generation, observedGeneration } = lifecycle;
    return `${phase} ${observedGeneration}/${generation}, record ${record.status}, hosts ${states}: ${lifecycle.message}`;
  }
  return undefined;
}

/** The status of an enclave at rest in its phase; undefined: nobody rests in that phase. */
function statusAtRest({ phase, serving, nextAttemptAt, desired }: Lifecycle): string | undefined {
  if (phase === 'ready') return 'DEPLOYED';
  if (phase === 'paused') return 'PAUSED';
  if (phase === 'destroyed') return 'DESTROYED';
  // A transient cause is tried again: that is no rest.
  if (phase === 'stalled' && nextAttemptAt !== undefined) return undefined;
  if (phase === 'stalled' || phase === 'invalid') return serving && desired === 'Running' ? 'DEPLOYED' : 'FAILED';
  return undefined;
}

const isSound = ({ posture, made, illness }: MemoryHost) => equalJson(posture, made) && illness === undefined;

function hostsAtRest(lifecycle: Lifecycle, record: RawRecord, living: readonly MemoryHost[]): boolean {
  const { phase, generation, observedGeneration } = lifecycle;
  const [host] = living;
  if (phase === 'destroyed') return living.length === 0;
  if (phase === 'paused') return living.length <= 1 && (host === undefined || host.state === 'stopped');
  // What serves is repaired although its new spec is invalid.
  if (phase === 'invalid' && lifecycle.serving && lifecycle.desired === 'Running') {
    return living.length === 1 && host?.state === 'running' && isSound(host);
  }
  if (phase !== 'ready') return true;
  const { providerConfig } = record as {
    readonly providerConfig?: { readonly memoryMiB?: unknown; cpuCount?: unknown };
  };
  const valid = providerConfig?.cpuCount !== 'many';
  return (
    living.length === 1 &&
    host !== undefined &&
    host.state === 'running' &&
    // A host that was changed, or that ails, is made well; nobody fights over it here.
    isSound(host) &&
    // Of a host without an agent nobody can learn that its enclave has died.
    (host.legacy || host.enclaveState === 'RUNNING') &&
    (!valid || generation === observedGeneration) &&
    (!valid || host.enclave.memoryMiB === Number(providerConfig?.memoryMiB))
  );
}

/** Why an enclave at rest is not what was asked for; undefined: it is. `strictly`: nothing has failed since. */
export function disobedience(stage: Stage, owned: Owned, strictly: boolean): string | undefined {
  const record = stage.world.record(owned.id);
  if (record === undefined) return owned.identity === undefined ? undefined : 'its record is lost';
  const status = String(record.status);
  const allowed = outcomesOf(owned.command);
  if (allowed.includes(status)) return undefined;
  // A run that failed for good, or a record without a host, rests until somebody asks again.
  const excused = status === 'FAILED' && (!owned.valid || !strictly);
  const { command } = owned;
  return excused
    ? undefined
    : `it is ${status} after ${command.status} (then ${command.desired ?? 'new'}), not ${allowed.join(' or ')}`;
}

/** Absent is sticky: only a PENDING_DEPLOY read after the destruction was committed leads back (architecture §3). */
function outcomesOf({ status, desired, phase, after }: LastCommand): readonly string[] {
  if (status === 'PENDING_DESTROY' || status === 'DESTROYING' || status === 'DESTROYED') return ['DESTROYED'];
  const asked = status === 'PAUSING' || status === 'PAUSED' ? 'PAUSED' : 'DEPLOYED';
  if (desired === 'Absent') {
    // A PENDING_DEPLOY before it that was read after the end has led back by then.
    if (status !== 'PENDING_DEPLOY')
      return after.deploy && phase === 'destroyed' ? ['DESTROYED', asked] : ['DESTROYED'];
    // Written before the end, it may be read before it, and then is overwritten; or after it.
    return phase === 'destroyed' ? ['DEPLOYED'] : ['DESTROYED', 'DEPLOYED'];
  }
  if (after.saysThatItExists) return [asked, 'DESTROYED', 'FAILED'];
  return after.destroy ? [asked, 'DESTROYED'] : [asked];
}
