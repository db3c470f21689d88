/** The simulated cloud's core on virtual time. */

import { type Report, ReportSchema } from '../../src/enclave/items/report.ts';
import { stateKey } from '../../src/enclave/names.ts';
import { type Core, createCore } from '../../src/local/cloud/index.ts';
import type { SimHost } from '../../src/local/cloud/model.ts';
import type { Change } from '../../src/local/cloud/plan.ts';
import type { ApplyResult, PlanAnswer } from '../../src/local/cloud/terraform.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

export const spec = {
  region: 'us-west-2',
  dockerImage: 'nginx:1.27',
  instanceType: 'm6i.xlarge',
  cpuCount: 2,
  memoryMiB: 1024,
  enableDebug: false,
  workloadType: 'service',
  exposePorts: [443],
};

export function variables(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { region: 'us-west-2', environment: 'dev', generation: 1, spec, pinned: {}, ...more };
}

const MINUTE = 60_000;

export class VirtualCloud {
  readonly clock: VirtualClock;
  readonly core: Core;
  readonly reports: Report[] = [];
  /** While set, reports cannot be delivered. */
  reportError: Error | undefined;
  /** How long a report is on its way. */
  deliveryMs = 0;
  readonly alive = new AbortController().signal;

  constructor(options: { readonly journalFile?: string; readonly clock?: VirtualClock; readonly speed?: number } = {}) {
    this.clock = options.clock ?? new VirtualClock();
    const silent = () => undefined;
    this.core = createCore({
      clock: this.clock,
      random: seededRandom(7),
      log: { debug: silent, info: silent, warn: silent, error: silent },
      region: 'us-west-2',
      environment: 'dev',
      journalFile: options.journalFile,
      speed: options.speed ?? 1,
      writeReport: async (report) => {
        if (this.reportError !== undefined) throw this.reportError;
        if (this.deliveryMs > 0) await this.clock.sleep(this.deliveryMs);
        this.reports.push(ReportSchema.parse(report));
      },
    });
    this.core.start();
  }

  /** Moves time until the promise settles. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    await this.clock.advanceUntil(() => settled, 60 * MINUTE, 'the promise settled');
    return watched;
  }

  plan(enclaveId: string, more: Record<string, unknown> = {}, destroy = false): Promise<PlanAnswer> {
    const request = { enclaveId, stateKey: stateKey(enclaveId), destroy, variables: variables(more) };
    return this.settle(this.core.terraform.plan(request, this.alive));
  }

  apply(planId: string, lines: object[] = []): Promise<ApplyResult> {
    return this.settle(this.core.terraform.apply(planId, (line) => lines.push(line), this.alive));
  }

  /** Plan and apply. */
  async run(enclaveId: string, more: Record<string, unknown> = {}, destroy = false): Promise<ApplyResult> {
    return this.apply((await this.plan(enclaveId, more, destroy)).planId);
  }

  hosts(enclaveId: string): readonly SimHost[] {
    return [...this.core.hosts.all()].filter((host) => host.enclaveId === enclaveId);
  }

  /** The enclave's only host that is not gone. */
  host(enclaveId: string): SimHost {
    const [host, ...more] = this.hosts(enclaveId).filter(({ state }) => state !== 'terminated');
    if (host === undefined || more.length > 0) throw new Error(`${enclaveId} has ${1 + more.length} hosts, not one`);
    return host;
  }

  last(enclaveId: string): Report | undefined {
    return this.reports.filter(({ id }) => id === enclaveId).at(-1);
  }

  /** Moves time until the last report says so. */
  untilReport(enclaveId: string, says: (report: Report) => boolean): Promise<void> {
    return this.clock.advanceUntil(
      () => {
        const report = this.last(enclaveId);
        return report !== undefined && says(report);
      },
      30 * MINUTE,
      'the report',
    );
  }
}

/** Address and actions of what a plan would do; what it leaves alone is left out. */
export function actionsOf(plan: { readonly resource_changes: readonly Change[] }): Record<string, string> {
  const doing = plan.resource_changes.filter(({ change }) => change.actions[0] !== 'no-op' || change.importing);
  return Object.fromEntries(
    doing.map(({ address, change }) => [address, `${change.importing ? 'import ' : ''}${change.actions.join('+')}`]),
  );
}
