/** Host poller: lists all hosts of all regions every minute, then asks EC2 for their health. */
import type { Config } from '../config.ts';
import type { Ports } from '../ports/index.ts';
import type { HostObserver } from './hosts.ts';
import type { InstanceStatusObserver } from './instance-status.ts';

/** Sweeps until the signal aborts. Never rejects. */
export async function pollHosts(
  { clock, log }: Pick<Ports, 'clock' | 'log'>,
  config: Pick<Config, 'sweepMs' | 'region'>,
  { hosts, statuses }: { readonly hosts: HostObserver; readonly statuses: InstanceStatusObserver },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(config.sweepMs, signal);
    if (signal.aborted) return;
    for (const region of hosts.regions(config.region)) {
      try {
        await statuses.ask(region, await hosts.sweep(region));
      } catch (error) {
        log.warn({ region, error: String(error) }, 'the sweep failed; hosts there are Unknown until one succeeds');
      }
    }
  }
}
