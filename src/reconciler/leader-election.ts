/** Leader election: one lease item, judged by local time. */
import type { Lease } from '../enclave/items/fleet.ts';
import type { Config } from './config.ts';
import { OperatorError, type Ports } from './ports/index.ts';

type Needs = Pick<Ports, 'clock' | 'random' | 'leases' | 'log'>;
type LeaseConfig = Pick<Config, 'leaseMs' | 'leaseRenewMs' | 'leaseStepDownMs' | 'leaseRetryMs'>;

/** A term of leadership. */
export interface Term {
  readonly epoch: number;
  /** Aborts when the lease is lost, or could not be renewed in time. */
  readonly lost: AbortSignal;
  /** The epoch; throws `Conflict` where this process may no longer lead. Checked before every direct effect. */
  assert(): number;
  /** Gives the lease up, so that a standby takes over at once. */
  release(): Promise<void>;
}

/**
 * Competes for the lease until it is won.
 *
 * ```
 *  holder renews: n1 ─ n2 ─ n3 ─ ✗ ................................. (frozen, dead, cut off)
 *  standby sees:             n3 ──── unchanged for leaseMs ────► takes it, epoch + 1
 *  holder, if it thaws:          steps down after leaseStepDownMs (< leaseMs), or fails its next conditional write
 * ```
 *
 * *Guarantees*: epochs rise with every change of hands; a released lease is taken within one retry interval.
 * *Assumes* that local clocks run at about the same rate; they need not agree on the time.
 * *Caveats*: safety does not rest on it: it rests on the lifecycle's revision and the lock.
 */
export async function acquireLease(
  holder: string,
  ports: Needs,
  config: LeaseConfig,
  signal: AbortSignal,
): Promise<Term | undefined> {
  const { clock, leases, log } = ports;
  let seen: { readonly nonce: string; readonly since: number } | undefined;
  let tried: string | undefined;
  while (!signal.aborted) {
    try {
      const current = await leases.read();
      const now = clock.monotonic();
      if (current !== undefined && current.nonce !== seen?.nonce) seen = { nonce: current.nonce, since: now };
      const free =
        current === undefined ||
        current.holder === '' ||
        current.nonce === tried ||
        (seen !== undefined && now - seen.since >= Math.max(current.durationMs, config.leaseMs));
      if (free) {
        const lease = makeLease(holder, (current?.epoch ?? 0) + 1, ports, config);
        const startedAt = clock.monotonic();
        // Where the answer is lost, the lease that is found next is our own.
        tried = lease.nonce;
        if ((await leases.replace(lease, current?.nonce)) === 'taken') {
          log.info({ epoch: lease.epoch, holder }, 'leading');
          return lead(lease, startedAt, ports, config);
        }
      }
    } catch (error) {
      log.warn({ error: String(error) }, 'the lease could not be read or taken; trying again');
    }
    await clock.sleep(config.leaseRetryMs, signal);
  }
  return undefined;
}

function makeLease(holder: string, epoch: number, { clock, random }: Needs, config: LeaseConfig): Lease {
  return {
    holder,
    epoch,
    nonce: random.id(16),
    durationMs: config.leaseMs,
    renewedAt: new Date(clock.now()).toISOString(),
  };
}

function lead(first: Lease, startedAt: number, ports: Needs, config: LeaseConfig): Term {
  const { clock, leases, log } = ports;
  const controller = new AbortController();
  const stopped = new AbortController();
  let held = first;
  // Counted from before the write that renewed: a slow answer must not make the lease look younger than it is.
  let renewedAt = startedAt;

  const stepDown = (why: string) => {
    if (controller.signal.aborted || stopped.signal.aborted) return;
    log.warn({ epoch: first.epoch, why }, 'no longer leading');
    controller.abort(new Error(why));
  };

  const renew = async () => {
    const attempt = makeLease(first.holder, first.epoch, ports, config);
    const began = clock.monotonic();
    let result = await leases.replace(attempt, held.nonce);
    if (result === 'lost') {
      // Perhaps an earlier renewal was written although its answer was lost.
      const stored = await leases.read();
      const ours = stored?.holder === first.holder && stored.epoch === first.epoch;
      if (ours && stored !== undefined) result = await leases.replace(attempt, stored.nonce);
    }
    if (result === 'lost') return stepDown('another leader holds the lease');
    held = attempt;
    renewedAt = began;
  };

  const over = AbortSignal.any([controller.signal, stopped.signal]);
  const loop = async () => {
    while (!over.aborted) {
      await clock.sleep(config.leaseRenewMs, over);
      if (over.aborted) return;
      try {
        await renew();
      } catch (error) {
        log.warn({ error: String(error) }, 'the lease could not be renewed; trying again');
      }
    }
  };
  // Beside the renewals: one that is never answered must not keep this process leading.
  const watch = async () => {
    while (!over.aborted) {
      const leftMs = renewedAt + config.leaseStepDownMs - clock.monotonic();
      if (leftMs <= 0) return stepDown('the lease could not be renewed in time');
      await clock.sleep(leftMs, over);
    }
  };
  const looping = loop();
  void watch();

  return {
    epoch: first.epoch,
    lost: controller.signal,
    assert() {
      if (
        controller.signal.aborted ||
        stopped.signal.aborted ||
        clock.monotonic() - renewedAt >= config.leaseStepDownMs
      ) {
        stepDown('the lease is older than it may be');
        throw new OperatorError('Conflict', 'lease', 'this process no longer leads');
      }
      return first.epoch;
    },
    async release() {
      stopped.abort();
      // A renewal under way ends first, or its answer would be taken for another leader's.
      await Promise.race([looping, clock.sleep(config.leaseRenewMs)]);
      if (controller.signal.aborted) return;
      try {
        await leases.replace({ ...held, holder: '', nonce: ports.random.id(16) }, held.nonce);
        log.info({ epoch: first.epoch }, 'lease released');
      } catch (error) {
        log.warn({ error: String(error) }, 'the lease could not be released; it expires by itself');
      }
    },
  };
}
