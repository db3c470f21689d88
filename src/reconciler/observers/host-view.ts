/** The host as EC2 shows it, against what is desired. Pure. */
import type { Desired } from '../../enclave/items/lifecycle.ts';
import type { HostView, Verdict } from '../../machines/index.ts';
import type { Host } from '../ports/index.ts';

/** One look at the hosts of one enclave; `pinned` is the pinned instance, asked for by its id where no tag named it. */
export interface HostLook {
  readonly hosts: readonly Host[];
  readonly pinned: Host | undefined;
  /** Wall time of the look, ms. */
  readonly observedAt: number;
}

export const UNSEEN: HostView = { verdict: 'Unknown', state: 'unknown', instanceId: undefined, observedAt: 0 };

/**
 * The enclave's host against what is desired; one that `rests` has done its work, and need not run any more. A look that
 * failed is not passed here: it is {@link UNSEEN}.
 */
export function viewHost(look: HostLook, desired: Desired, pinnedId: string | undefined, rests = false): HostView {
  const candidates = look.hosts.filter((host) => host.state !== 'terminated');
  const pinned = candidates.find((host) => host.instanceId === pinnedId) ?? look.pinned;
  const others = candidates.filter((host) => host.instanceId !== pinned?.instanceId && host.state !== 'shutting-down');
  const host =
    pinned !== undefined && pinned.state !== 'terminated' ? pinned : others.length === 1 ? others[0] : undefined;
  if (host === undefined && others.length === 0) {
    return {
      verdict: desired === 'Absent' || rests ? 'Match' : 'Drift',
      state: 'gone',
      instanceId: undefined,
      observedAt: look.observedAt,
    };
  }
  if (host === undefined || (pinnedId !== host.instanceId && others.length > 1)) {
    return { verdict: 'Unknown', state: 'several', instanceId: undefined, observedAt: look.observedAt };
  }
  // A host on its way out is neither there nor gone: EC2 tells within a minute.
  if (host.state === 'shutting-down' || host.state === 'terminated') {
    return { verdict: 'Unknown', state: 'stopping', instanceId: host.instanceId, observedAt: look.observedAt };
  }
  return {
    verdict: rests && host.state === 'stopped' ? 'Match' : hostVerdict(host.state, desired),
    state: host.state,
    instanceId: host.instanceId,
    observedAt: look.observedAt,
    posture: host.posture,
    hosts: candidates.includes(host) ? candidates : [...candidates, host],
  };
}

function hostVerdict(state: 'pending' | 'running' | 'stopping' | 'stopped', desired: Desired): Verdict {
  if (state === 'pending' || state === 'stopping') return 'Unknown';
  if (desired === 'Absent') return 'Drift';
  return (state === 'running') === (desired === 'Running') ? 'Match' : 'Drift';
}
