/** Instance status observer: what EC2 says of the health of the hosts of the last list. */
import { equalJson } from '../../enclave/json.ts';
import type { Config } from '../config.ts';
import type { Host, HostStatus, Ports } from '../ports/index.ts';
import { within } from '../ports/with-deadline.ts';

export type Status = Omit<HostStatus, 'instanceId'>;

interface Look {
  /** Local time, for its age. */
  readonly at: number;
  /** Wall time, ms. */
  readonly observedAt: number;
  readonly byInstance: ReadonlyMap<string, Status>;
}

/** After this many sweeps without an answer the last one says nothing any more. */
const SWEEPS_TO_BELIEVE = 3;

/**
 * Asks once a sweep; calls grow with pages.
 *
 * *Guarantees*: what was not answered is unknown, whatever was answered before; no failure is thrown. *Caveats*: an
 * enclave is told of only where something is wrong with its host, or no longer is.
 */
export class InstanceStatusObserver {
  readonly #ports: Pick<Ports, 'clock' | 'hosts' | 'log'>;
  readonly #config: Pick<Config, 'sweepMs' | 'sweepTimeoutMs'>;
  readonly #onChange: (id: string) => void;
  readonly #looks = new Map<string, Look>();

  constructor(
    ports: Pick<Ports, 'clock' | 'hosts' | 'log'>,
    config: Pick<Config, 'sweepMs' | 'sweepTimeoutMs'>,
    onChange: (id: string) => void,
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#onChange = onChange;
  }

  /** The last word on a host, and when it was asked for (wall time, ms). */
  of(region: string, instanceId: string | undefined): (Status & { readonly observedAt: number }) | undefined {
    const look = this.#looks.get(region);
    if (look === undefined || instanceId === undefined) return undefined;
    if (this.#ports.clock.monotonic() - look.at > SWEEPS_TO_BELIEVE * this.#config.sweepMs) return undefined;
    const status = look.byInstance.get(instanceId);
    return status === undefined ? undefined : { ...status, observedAt: look.observedAt };
  }

  /** Asks for the status of the hosts a sweep has shown. */
  async ask(region: string, byEnclave: ReadonlyMap<string, readonly Host[]>): Promise<void> {
    const { clock, log } = this.#ports;
    const look = { at: clock.monotonic(), observedAt: clock.now(), byInstance: new Map<string, Status>() };
    const instanceIds = [...byEnclave.values()].flatMap((hosts) => hosts.map(({ instanceId }) => instanceId));
    const limitMs = this.#config.sweepTimeoutMs;
    if (instanceIds.length > 0) {
      await within({ clock, limitMs, operation: `the status of hosts in ${region}` }, (signal) =>
        this.#collect(region, instanceIds, look.byInstance, signal),
      ).catch((error: unknown) => {
        const fields = { region, error: String(error), told: look.byInstance.size, asked: instanceIds.length };
        log.warn(fields, 'the status of hosts could not be asked; that of the others is Unknown until it can');
      });
    }
    const before = this.#looks.get(region)?.byInstance;
    this.#looks.set(region, look);
    for (const [id, hosts] of byEnclave) {
      const isNews = hosts.some(({ instanceId }) => isToTell(before?.get(instanceId), look.byInstance.get(instanceId)));
      if (isNews) this.#onChange(id);
    }
  }

  async #collect(
    region: string,
    instanceIds: readonly string[],
    into: Map<string, Status>,
    signal: AbortSignal,
  ): Promise<void> {
    // Nearly all hosts are alike: what they have in common is kept once.
    const shared = new Map<string, Status>();
    for await (const page of this.#ports.hosts.status(region, instanceIds, signal)) {
      for (const { instanceId, checks, events } of page) {
        const key = JSON.stringify([checks.system, checks.instance, checks.ebs, events]);
        const known = shared.get(key) ?? { checks, events };
        shared.set(key, known);
        into.set(instanceId, known);
      }
    }
  }
}

function isToTell(before: Status | undefined, now: Status | undefined): boolean {
  return (isWrong(before) || isWrong(now)) && !equalJson(before, now);
}

function isWrong(status: Status | undefined): boolean {
  return status !== undefined && (Object.values(status.checks).includes('impaired') || status.events.length > 0);
}
