/** Orphan destruction: where the configuration says so, an orphan becomes an enclave that is to vanish. */
import { newEvent } from '../../enclave/event-reasons.ts';
import { READER_VERSION } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { SPEC_HASH_VERSION } from '../../enclave/spec/spec.ts';
import type { Ports } from '../ports/index.ts';
import type { Orphan } from './registry.ts';

export interface OrphanDestructionOptions {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'random' | 'state' | 'history'>;
  readonly epoch: () => number;
  /** False while nothing may be begun: a freeze, a hold on deletions, a list that is not done. */
  readonly mayBegin: () => boolean;
  /** True where a Terraform state of the enclave has been listed as nobody's as well: what destroys it, and second proof. */
  readonly hasState: (id: string) => boolean;
  /** Enclaves that are known. */
  readonly fleetSize: () => number;
  readonly onLifecycle: (id: string, lifecycle: Lifecycle) => void;
}

/** Of so many at once, and more than a tenth of the fleet, nobody has lost enclaves: the operator has lost its memory. */
const MOST_AT_ONCE = 3;
const MOST_OF_FLEET = 0.1;

/**
 * Gives an orphan the lifecycle of an enclave whose record is gone: all that destroys enclaves then destroys it, and its
 * lifecycle is forgotten once nothing of it is left.
 *
 * *Guarantees*: written only where there is none, under the name of no record; a host without a Terraform state of its own
 * is left alone, and so are all where there are suddenly many.
 */
export async function destroyOrphans(orphans: readonly Orphan[], options: OrphanDestructionOptions): Promise<void> {
  const { ports, epoch, mayBegin, hasState, fleetSize, onLifecycle } = options;
  const doomed = new Map(orphans.filter(({ id }) => hasState(id)).map((orphan) => [orphan.id, orphan]));
  if (doomed.size === 0 || !mayBegin()) return;
  if (doomed.size > Math.max(MOST_AT_ONCE, MOST_OF_FLEET * fleetSize())) {
    ports.log.warn(
      { orphans: doomed.size },
      'so many orphans at once are not destroyed: look why there are no records',
    );
    return;
  }
  for (const orphan of doomed.values()) {
    const at = new Date(ports.clock.now()).toISOString();
    const lifecycle = lifecycleOf(orphan, { at, incarnation: ports.random.id(6), epoch: epoch() });
    const result = await ports.state.commit({ lifecycle, readRevision: undefined, consumed: [] });
    if (result === 'conflict') continue;
    onLifecycle(orphan.id, lifecycle);
    const message = `${orphan.instanceId} in ${orphan.region} is of no enclave: it is destroyed from its Terraform state`;
    const event = newEvent({ type: 'Warning', reason: 'OrphanDestroyed' }, { id: orphan.id, at, message });
    await ports.history.append([event]);
  }
}

function lifecycleOf(
  { id, region, instanceId }: Orphan,
  { at, incarnation, epoch }: { readonly at: string; readonly incarnation: string; readonly epoch: number },
): Lifecycle {
  return {
    v: 1,
    minReader: READER_VERSION,
    id,
    // Of nobody: a record that is written under this id meanwhile is another enclave's.
    identity: { createdAt: '', walletAddress: '' },
    incarnation,
    runSeq: 0,
    desired: 'Absent',
    absentBecause: 'recordGone',
    missingSince: at,
    lastSeen: { status: '', updatedAt: '' },
    origin: '',
    region,
    commandAt: at,
    hashVersion: SPEC_HASH_VERSION,
    specHash: '',
    generation: 0,
    observedGeneration: 0,
    phase: 'destroying',
    phaseSince: at,
    attempts: { key: '', count: 0 },
    pinned: { instanceId },
    touched: true,
    serving: false,
    adopted: false,
    conditions: [],
    message: '',
    revision: 1,
    epoch,
  };
}
