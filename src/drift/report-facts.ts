/** A host's report as the comparison reads it. Whether it may be believed is for the caller to decide. */
import type { Report } from '../enclave/items/report.ts';
import { ENTRIES } from './attributes.ts';
import type { EnclaveFacts, ReportFacts } from './observed.ts';

export interface ReportFactsOptions {
  /** The caller observes again and again, and gives a terminating enclave its time by itself. @default false */
  readonly tracksTime?: boolean;
}

export function reportFacts(report: Report, { tracksTime = false }: ReportFactsOptions = {}): ReportFacts {
  return {
    enclaves: report.observed === false ? undefined : enclavesOf(report, tracksTime),
    completed: report.completed,
    leftToHost: isLeftToHost(report),
    health: report.health,
    measurements: report.measurements,
    allocatorOk: report.allocator?.ok,
    proxies: report.proxies,
  };
}

/** The host starts the workload again after the pause of its backoff, or the restart policy lets it be. */
export function isLeftToHost({ enclaves, error }: Report): boolean {
  if (enclaves.some(({ state }) => state === 'RUNNING')) return false;
  return error?.class === 'workload' && (error.code === 'restarting' || error.code === 'ended');
}

const STUCK_MS = (ENTRIES['enclave.terminating'].patienceMs ?? 0) + 1;

/** No report says since when an enclave has been terminating; the agent calls it stuck after as long as its patience. */
function enclavesOf({ enclaves, error }: Report, tracksTime: boolean): readonly EnclaveFacts[] {
  const isStuck = error?.class === 'host' && error.code === 'stuck';
  if (!isStuck && !tracksTime) return enclaves;
  return enclaves.map((each) => (each.state === 'TERMINATING' ? { ...each, terminatingMs: STUCK_MS } : each));
}
