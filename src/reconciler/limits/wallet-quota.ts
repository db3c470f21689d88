/** Wallet quota: how many enclaves one wallet may have. */
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Admission } from '../../machines/index.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';

/**
 * Counts the enclaves of each wallet for which something was begun and is not destroyed. One over the quota waits; when
 * an enclave of its wallet goes, the one that waited longest is woken.
 *
 * *Guarantees*: what exists is never touched for being over a quota. *Caveats*: counts what is known: until the first
 * list is over, a wallet may pass its quota.
 */
export class WalletQuota implements LifecycleListener {
  readonly #max: number;
  readonly #wake: (id: string) => void;
  readonly #enclaves = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<string>>();

  /** `max` 0: no quota, and nothing is remembered. */
  constructor(max: number, wake: (id: string) => void) {
    this.#max = max;
    this.#wake = wake;
  }

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    if (this.#max === 0) return;
    const wallet = lifecycle.identity.walletAddress;
    const begun = lifecycle.touched || lifecycle.run !== undefined;
    if (begun || lifecycle.desired === 'Absent') removeFrom(this.#waiting, wallet, id);
    if (begun && lifecycle.phase !== 'destroyed') addTo(this.#enclaves, wallet, id);
    else removeFrom(this.#enclaves, wallet, id);
    this.#serve(wallet);
  }

  onDelete(id: string): void {
    const wallet = this.#walletOf(id);
    if (wallet === undefined) return;
    removeFrom(this.#waiting, wallet, id);
    removeFrom(this.#enclaves, wallet, id);
    this.#serve(wallet);
  }

  /** Undefined: within the quota. Only an enclave for which nothing was begun is ever refused. Changes nothing. */
  refusal({ id, identity, touched, run, desired }: ListedLifecycle): Extract<Admission, { ok: false }> | undefined {
    if (this.#max === 0 || touched || run !== undefined || desired === 'Absent') return undefined;
    const wallet = identity.walletAddress;
    const counted = this.#enclaves.get(wallet);
    // A commit that failed may have left it counted.
    const count = (counted?.size ?? 0) - (counted?.has(id) === true ? 1 : 0);
    if (count < this.#max) return undefined;
    const message = `QUOTA: the wallet has ${count} enclaves, and may have ${this.#max}; destroy one, or ask for a higher quota (maxEnclavesPerWallet)`;
    return { ok: false, reason: 'QuotaExceeded', message };
  }

  /** Was refused: woken, in turn, when an enclave of its wallet goes. */
  wait({ id, identity }: ListedLifecycle): void {
    addTo(this.#waiting, identity.walletAddress, id);
  }

  /** Counts an enclave for which something is about to be begun. The result undoes that. */
  reserve({ id, identity, run }: ListedLifecycle): () => void {
    const wallet = identity.walletAddress;
    if (this.#max === 0 || run === undefined || this.#enclaves.get(wallet)?.has(id) === true) return () => {};
    removeFrom(this.#waiting, wallet, id);
    addTo(this.#enclaves, wallet, id);
    return () => {
      removeFrom(this.#enclaves, wallet, id);
      this.#serve(wallet);
    };
  }

  #walletOf(id: string): string | undefined {
    for (const map of [this.#enclaves, this.#waiting]) {
      for (const [wallet, ids] of map) if (ids.has(id)) return wallet;
    }
    return undefined;
  }

  /** Whoever is woken and refused once more waits again, behind the others. */
  #serve(wallet: string): void {
    let free = this.#max - (this.#enclaves.get(wallet)?.size ?? 0);
    for (const id of this.#waiting.get(wallet) ?? []) {
      if (free <= 0) return;
      free -= 1;
      removeFrom(this.#waiting, wallet, id);
      this.#wake(id);
    }
  }
}

function addTo(map: Map<string, Set<string>>, wallet: string, id: string): void {
  const known = map.get(wallet);
  if (known === undefined) map.set(wallet, new Set([id]));
  else known.add(id);
}

function removeFrom(map: Map<string, Set<string>>, wallet: string, id: string): void {
  const known = map.get(wallet);
  if (known?.delete(id) === true && known.size === 0) map.delete(wallet);
}
