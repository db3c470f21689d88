/** Host observer: one list of hosts a region, shared by all enclaves. */
import { equalJson } from '../../enclave/json.ts';
import type { Config } from '../config.ts';
import type { Host, Ports } from '../ports/index.ts';
import { within } from '../ports/with-deadline.ts';
import type { HostLook } from './host-view.ts';

interface Sweep {
  /** Local time, for its age. */
  readonly at: number;
  /** Wall time, ms: what is remembered of an observation must mean the same to the next process. */
  readonly observedAt: number;
  /** The same of the sweep before; undefined of the first. */
  readonly before: number | undefined;
  readonly byEnclave: ReadonlyMap<string, readonly Host[]>;
}

/**
 * Looks at hosts by sweeping a region's tagged instances: calls grow with pages, never with enclaves.
 *
 * *Guarantees*: an answer is a whole sweep, started after it was asked for where `maxAgeMs` says so; a failed or
 * partial one throws, so that no host ever looks missing because a call failed. *Caveats*: what a sweep does not show
 * is asked for by its pinned instance id before it counts as gone.
 */
export class HostObserver {
  readonly #ports: Pick<Ports, 'clock' | 'hosts' | 'log'>;
  readonly #config: Pick<Config, 'environment' | 'sweepTimeoutMs'>;
  readonly #onChange: (id: string) => void;
  readonly #onSweep: (region: string, byEnclave: Sweep['byEnclave']) => void;
  readonly #sweeps = new Map<string, Sweep>();
  readonly #running = new Map<string, { readonly at: number; readonly sweep: Promise<Sweep> }>();

  constructor(
    ports: Pick<Ports, 'clock' | 'hosts' | 'log'>,
    config: Pick<Config, 'environment' | 'sweepTimeoutMs'>,
    onChange: (id: string) => void,
    onSweep: (region: string, byEnclave: ReadonlyMap<string, readonly Host[]>) => void = () => {},
  ) {
    this.#ports = ports;
    this.#config = config;
    this.#onChange = onChange;
    this.#onSweep = onSweep;
  }

  /** The hosts of one enclave, at most `maxAgeMs` old. Throws where EC2 could not be asked. */
  async look(region: string, id: string, pinnedId: string | undefined, maxAgeMs: number): Promise<HostLook> {
    const sweep = await this.#fresh(region, maxAgeMs);
    const hosts = sweep.byEnclave.get(id) ?? [];
    const seen = pinnedId === undefined || hosts.some((host) => host.instanceId === pinnedId);
    const pinned = seen ? undefined : await this.#ports.hosts.byInstanceId(region, pinnedId);
    return { hosts, pinned, observedAt: sweep.observedAt };
  }

  /** Regions that have been looked at, `always` among them. */
  regions(always: string): readonly string[] {
    return [...new Set([always, ...this.#sweeps.keys()])];
  }

  /** Enclaves that these hosts carried in the region's last sweep. */
  enclavesOn(region: string, instanceIds: ReadonlySet<string>): readonly string[] {
    const all = [...(this.#sweeps.get(region)?.byEnclave ?? [])];
    return all.flatMap(([id, hosts]) => (hosts.some(({ instanceId }) => instanceIds.has(instanceId)) ? [id] : []));
  }

  /** Wall time, ms, of the sweep before the one of `observedAt`; undefined where neither is remembered. */
  before(region: string, observedAt: number): number | undefined {
    const sweep = this.#sweeps.get(region);
    return sweep?.observedAt === observedAt ? sweep.before : undefined;
  }

  /** Sweeps a region now, and tells which enclaves' hosts differ from the sweep before. */
  async sweep(region: string): Promise<Sweep['byEnclave']> {
    return (await this.#fresh(region, 0)).byEnclave;
  }

  async #fresh(region: string, maxAgeMs: number): Promise<Sweep> {
    const last = this.#sweeps.get(region);
    const now = this.#ports.clock.monotonic();
    if (last !== undefined && now - last.at <= maxAgeMs) return last;
    const running = this.#running.get(region);
    if (running !== undefined) {
      // A sweep that began too long before it was asked for shows the past: the next one is waited for.
      if (now - running.at <= maxAgeMs) return running.sweep;
      await running.sweep.catch(() => undefined);
      return this.#fresh(region, maxAgeMs);
    }
    const sweep = this.#run(region, last).finally(() => this.#running.delete(region));
    this.#running.set(region, { at: now, sweep });
    return sweep;
  }

  async #run(region: string, last: Sweep | undefined): Promise<Sweep> {
    const at = this.#ports.clock.monotonic();
    const observedAt = this.#ports.clock.now();
    const { clock } = this.#ports;
    const limitMs = this.#config.sweepTimeoutMs;
    const byEnclave = await within({ clock, limitMs, operation: `a sweep of ${region}` }, (signal) =>
      this.#collect(region, signal),
    );
    const sweep: Sweep = { at, observedAt, before: last?.observedAt, byEnclave };
    this.#sweeps.set(region, sweep);
    if (last !== undefined) this.#tellChanges(last, sweep);
    this.#onSweep(region, byEnclave);
    return sweep;
  }

  async #collect(region: string, signal: AbortSignal): Promise<ReadonlyMap<string, readonly Host[]>> {
    const byEnclave = new Map<string, Host[]>();
    for await (const page of this.#ports.hosts.sweep(region, signal)) {
      for (const host of page) {
        if (host.environment !== this.#config.environment) continue;
        const known = byEnclave.get(host.enclaveId);
        if (known === undefined) byEnclave.set(host.enclaveId, [host]);
        else known.push(host);
      }
    }
    return byEnclave;
  }

  #tellChanges(last: Sweep, next: Sweep): void {
    for (const [id, hosts] of next.byEnclave) {
      if (!sameHosts(hosts, last.byEnclave.get(id) ?? [])) this.#onChange(id);
    }
    for (const id of last.byEnclave.keys()) {
      if (!next.byEnclave.has(id)) this.#onChange(id);
    }
  }
}

/** In whatever order EC2 tells them. */
function sameHosts(hosts: readonly Host[], before: readonly Host[]): boolean {
  if (hosts.length !== before.length) return false;
  return hosts.every((host) => {
    const known = before.find(({ instanceId }) => instanceId === host.instanceId);
    return known?.state === host.state && equalJson(known.posture, host.posture);
  });
}
