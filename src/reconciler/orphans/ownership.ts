/** Ownership: whether an enclave that this process does not know has a record or a lifecycle. */
import type { Ports } from '../ports/index.ts';

/** Whose record or tombstone keeps it is asked again after this long. */
const OWNED_MS = 15 * 60_000;

/** True of an enclave that has a record or a lifecycle, be it one this version cannot read. Throws where a read fails. */
export async function readOwned({ records, state }: Pick<Ports, 'records' | 'state'>, id: string): Promise<boolean> {
  const [record, { lifecycle, fromTheFuture }] = await Promise.all([records.get(id), state.read(id)]);
  return record !== undefined || lifecycle !== undefined || fromTheFuture;
}

/** *Errors*: a read that fails throws, and nothing is known. */
export class Ownership {
  readonly #ports: Pick<Ports, 'clock' | 'records' | 'state'>;
  /** By enclave, wall time, ms. */
  readonly #ownedUntil = new Map<string, number>();

  constructor(ports: Pick<Ports, 'clock' | 'records' | 'state'>) {
    this.#ports = ports;
  }

  /** True where it need not be asked again. */
  isKnown(id: string): boolean {
    return (this.#ownedUntil.get(id) ?? 0) > this.#ports.clock.now();
  }

  /** Reads both, unless that was done not long ago. */
  async isOwned(id: string): Promise<boolean> {
    if (this.isKnown(id)) return true;
    const { clock } = this.#ports;
    const owned = await readOwned(this.#ports, id);
    for (const [known, until] of this.#ownedUntil) if (until <= clock.now()) this.#ownedUntil.delete(known);
    if (owned) this.#ownedUntil.set(id, clock.now() + OWNED_MS);
    return owned;
  }
}
