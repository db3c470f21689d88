/** Manager: competes for the lease, leads while it holds the lease, and hands over. */
import { assemble } from './assemble.ts';
import type { Config } from './config.ts';
import type { Controller } from './controller.ts';
import { type HealthView, POLL_SILENCE_MS } from './health/health.ts';
import { Watchdog } from './health/watchdog.ts';
import { acquireLease, type Term } from './leader-election.ts';
import { ApiRateLimits, type BudgetState } from './limits/api-rate-limits.ts';
import type { Metrics } from './metrics/index.ts';
import { observeOnly } from './ports/dry-run.ts';
import type { Ports } from './ports/index.ts';

export interface ManagerOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly metrics: Metrics;
  /** Names this process in the lease, for people. */
  readonly holder: string;
  /** Aborting it ends the loop: work ends, streams close, the lease is given up. Runs go on. */
  readonly signal: AbortSignal;
}

export class Manager {
  readonly #options: ManagerOptions;
  readonly #budgets: ApiRateLimits;
  readonly #watchdog: Watchdog;
  #role: HealthView['role'] = 'starting';
  #controller: Controller | undefined;
  #term: Term | undefined;

  constructor(options: ManagerOptions) {
    const { observeOnly: isObserving } = options.config;
    // Nothing begun holds a slot: what waited for one would not be told.
    const config = isObserving ? { ...options.config, maxRuns: 10_000, runInstancesPerSecond: 0 } : options.config;
    // The rate limits outlive terms: AWS counts the process' calls, not its leases.
    this.#budgets = new ApiRateLimits(options.ports, config);
    const { ports } = this.#budgets;
    this.#options = { ...options, config, ports: isObserving ? observeOnly(ports) : ports };
    this.#watchdog = new Watchdog(options.ports.clock, options.ports.log, [
      {
        overdue: () => this.#controller?.progress.overdueReconciles() ?? [],
        message: 'the reconcile takes longer than reconcileTimeoutMs; no other begins before it ends',
      },
      {
        overdue: () => this.#controller?.progress.overduePublishes() ?? [],
        message: 'the record has not been written within publishTimeoutMs; the reconcile waits for it',
      },
      {
        overdue: () => ((this.#controller?.progress.pollSilenceMs() ?? 0) >= POLL_SILENCE_MS ? ['streams'] : []),
        message: 'no stream answers: changes are found by lists alone, and /healthz fails',
      },
    ]);
  }

  get controller(): Controller | undefined {
    return this.#controller;
  }

  budgetTokens(): ReturnType<ApiRateLimits['tokens']> {
    return this.#budgets.tokens();
  }

  budgets(): BudgetState {
    return this.#budgets.state();
  }

  /** How often a reconcile or a publish passed its budget. */
  get overdue(): number {
    return this.#watchdog.overdue;
  }

  view(): HealthView {
    return {
      role: this.#role,
      synced: this.#controller?.synced ?? false,
      stuckMs: this.#controller?.progress.stuckMs() ?? 0,
      pollSilenceMs: this.#controller?.progress.pollSilenceMs() ?? 0,
      loopLagMs: this.#watchdog.lagMs,
      epoch: this.#term?.epoch,
    };
  }

  /** Runs until the signal aborts. Never rejects for want of a table: it competes again. */
  async run(): Promise<void> {
    const { config, ports, metrics, holder, signal } = this.#options;
    this.#watchdog.start();
    while (!signal.aborted) {
      this.#role = 'standby';
      this.#term = await acquireLease(holder, ports, config, signal);
      if (this.#term === undefined) break;
      const term = this.#term;
      this.#controller = await this.#begin(term);
      if (this.#controller === undefined) continue;
      this.#role = 'leader';
      metrics.leading(term.epoch);
      await either(signal, term.lost);
      this.#role = 'stopping';
      metrics.leading(undefined);
      // Streams are closed before the lease is released: never more than two readers a shard.
      await this.#controller.stop();
      this.#controller = undefined;
      await term.release();
    }
    this.#role = 'stopping';
    this.#watchdog.stop();
  }

  /** Starts a term's controller; a table that cannot be used gives the lease back. */
  async #begin(term: Term): Promise<Controller | undefined> {
    const { config, ports, metrics } = this.#options;
    try {
      await ports.state.install({ v: 1, minReader: 1, installedAt: new Date(ports.clock.now()).toISOString() });
      const control = await ports.state.control();
      if (control === undefined) throw new Error('fleet/control vanished right after it was written');
      const { controller } = assemble({ ports, config, control, term, metrics });
      controller.start();
      return controller;
    } catch (error) {
      ports.log.error({ error: String(error) }, 'the state table cannot be used; trying again');
      await term.release();
      await ports.clock.sleep(config.leaseRetryMs);
      return undefined;
    }
  }
}

function either(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}
