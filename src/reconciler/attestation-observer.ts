/** Attestation observer: the registers that KMS last saw of each host's enclave, from CloudTrail. Off by default. */

import type { Config } from './config.ts';
import { within } from './deadline.ts';
import type { Ports } from './ports.ts';
import type { SeenAttestation } from './surroundings.ts';
import { believedMs, jittered, type SeenPart } from './surroundings-observer.ts';

const MINUTE_MS = 60_000;
/** What was attested longer ago says nothing any more; and as far back as the first look goes. */
const BELIEVED_MS = 24 * 60 * MINUTE_MS;
/** CloudTrail delivers late: each look overlaps the one before. */
const LATE_MS = 30 * MINUTE_MS;

interface Look {
  /** Local time, for its age. */
  readonly at: number;
  /** Wall time, ms: when it was asked for. */
  readonly observedAt: number;
  readonly byInstance: Map<string, SeenAttestation>;
}

/**
 * Asks once an interval for the Decrypts since the look before; calls grow with Decrypts, and not with enclaves.
 *
 * *Guarantees*: a look that failed or broke off leaves the one before to count until two more should have come; no
 * failure is thrown. *Caveats*: an enclave that decrypts nothing within a day is Unknown.
 */
export class AttestationObserver {
  readonly #ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>;
  readonly #config: Pick<Config, 'postureMs' | 'attestationTrail'>;
  readonly #looks = new Map<string, Look>();

  constructor(
    ports: Pick<Ports, 'clock' | 'random' | 'surroundings' | 'log'>,
    config: Pick<Config, 'postureMs' | 'attestationTrail'>,
  ) {
    this.#ports = ports;
    this.#config = config;
  }

  /** Looks until the signal aborts. Never rejects. */
  async run(regions: () => readonly string[], signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const { postureMs, attestationTrail } = this.#config;
    if (!attestationTrail || postureMs === 0) return;
    await clock.sleep(MINUTE_MS * (1 + random.next()), signal);
    while (!signal.aborted) {
      for (const region of regions()) await this.#look(region, signal);
      await clock.sleep(jittered(postureMs, random), signal);
    }
  }

  /** What was last attested on this host at `sinceMs` (wall time) or later: before that another run's enclave was. */
  of(region: string, instanceId: string | undefined, sinceMs: number): readonly SeenPart[] {
    const look = this.#looks.get(region);
    const { clock } = this.#ports;
    if (look === undefined || instanceId === undefined) return [];
    if (clock.monotonic() - look.at > believedMs(this.#config.postureMs)) return [];
    const seen = look.byInstance.get(instanceId);
    if (seen === undefined || seen.at < sinceMs || clock.now() - seen.at > BELIEVED_MS) return [];
    return [{ observedAt: look.observedAt, shows: { attested: seen.measurements } }];
  }

  async #look(region: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { clock, log, surroundings } = this.#ports;
    const [at, observedAt] = [clock.monotonic(), clock.now()];
    const before = this.#looks.get(region);
    const since = before === undefined ? observedAt - BELIEVED_MS : before.observedAt - LATE_MS;
    const byInstance = new Map(
      [...(before?.byInstance ?? [])].filter(([, seen]) => observedAt - seen.at <= BELIEVED_MS),
    );
    try {
      const limits = { clock, limitMs: this.#config.postureMs, operation: `attestations in ${region}`, signal };
      await within(limits, async (limited) => {
        for await (const page of surroundings.attestations(region, since, limited)) {
          for (const each of page) {
            if ((byInstance.get(each.instanceId)?.at ?? 0) <= each.at) byInstance.set(each.instanceId, each);
          }
        }
      });
      this.#looks.set(region, { at, observedAt, byInstance });
    } catch (error) {
      if (!signal.aborted) log.warn({ region, error: String(error) }, 'attestations could not be looked up');
    }
  }
}
