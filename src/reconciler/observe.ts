/** Observation: joins hosts and reports into what the machine may judge. Pure. */
import type { Desired, Lifecycle, Report } from '../enclave/items.ts';
import type { EnclaveView, HostView, Verdict } from '../machines/index.ts';
import type { Host } from './ports.ts';

/** One look at the hosts of one enclave; `pinned` is the pinned instance, asked for by its id where no tag named it. */
export interface HostLook {
  readonly hosts: readonly Host[];
  readonly pinned: Host | undefined;
  /** Wall time of the look, ms. */
  readonly observedAt: number;
}

export const UNSEEN: HostView = { verdict: 'Unknown', state: 'unknown', instanceId: undefined, observedAt: 0 };

/** The enclave's host against what is desired. A look that failed is not passed here: it is {@link UNSEEN}. */
export function viewHost(look: HostLook, desired: Desired, pinnedId: string | undefined): HostView {
  const candidates = look.hosts.filter((host) => host.state !== 'terminated');
  const pinned = candidates.find((host) => host.instanceId === pinnedId) ?? look.pinned;
  const others = candidates.filter((host) => host.instanceId !== pinned?.instanceId && host.state !== 'shutting-down');
  const host =
    pinned !== undefined && pinned.state !== 'terminated' ? pinned : others.length === 1 ? others[0] : undefined;
  if (host === undefined && others.length === 0) {
    return {
      verdict: desired === 'Absent' ? 'Match' : 'Drift',
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
    verdict: hostVerdict(host.state, desired),
    state: host.state,
    instanceId: host.instanceId,
    observedAt: look.observedAt,
  };
}

function hostVerdict(state: 'pending' | 'running' | 'stopping' | 'stopped', desired: Desired): Verdict {
  if (state === 'pending' || state === 'stopping') return 'Unknown';
  if (desired === 'Absent') return 'Drift';
  return (state === 'running') === (desired === 'Running') ? 'Match' : 'Drift';
}

export interface ReportLook {
  readonly reports: readonly Report[];
  /** How long the newest report of the host has stood unchanged, by the local clock, ms. */
  readonly silentMs: number;
}

const NO_REPORT: EnclaveView = {
  verdict: 'Unknown',
  reason: 'NoReport',
  fresh: false,
  health: 'unknown',
  measured: false,
  debug: false,
  bootId: undefined,
  sequence: undefined,
};

/**
 * The enclave as its host reports it, if the report may be believed at all.
 *
 * A report counts only if it comes from the host in question and is newer than that host's last start: by boot where
 * the start made a new one, else by sequence. Silence makes Unknown, never Drift.
 */
export function viewEnclave(
  look: ReportLook,
  instanceId: string | undefined,
  lifecycle: Lifecycle,
  options: { readonly debugAllowed: boolean; readonly silenceMs: number },
): EnclaveView {
  const report = look.reports.find((candidate) => candidate.instanceId === instanceId);
  if (report === undefined) return lifecycle.adopted ? { ...NO_REPORT, reason: 'LegacyHost' } : NO_REPORT;
  const fresh = isFresh(report, lifecycle.baseline);
  const enclave = report.enclaves[0];
  const seen = {
    fresh,
    health: report.health,
    measured: Object.keys(report.measurements).length > 0,
    debug: report.enclaves.some((candidate) => candidate.debug),
    bootId: report.bootId,
    sequence: report.sequence,
  };
  const say = (verdict: Verdict, reason: EnclaveView['reason'], message?: string): EnclaveView =>
    message === undefined ? { ...seen, verdict, reason } : { ...seen, verdict, reason, message };
  if (!fresh) return say('Unknown', 'StaleReport');
  if (look.silentMs > options.silenceMs) return say('Unknown', 'ReportSilent');
  if (report.appliedGeneration < lifecycle.observedGeneration) return say('Unknown', 'GenerationPending');
  if (report.completed) return say('Match', 'Completed');
  if (enclave === undefined || enclave.state !== 'RUNNING') {
    return say('Drift', 'EnclaveNotRunning', report.error?.message.slice(0, 300));
  }
  if (seen.debug && !options.debugAllowed) return say('Drift', 'DebugEnclave');
  return say('Match', 'Running');
}

function isFresh(report: Report, baseline: Lifecycle['baseline']): boolean {
  if (baseline === undefined || baseline.bootId === undefined) return true;
  if (report.bootId !== baseline.bootId) return true;
  return !baseline.newBoot && report.sequence > (baseline.sequence ?? -1);
}
