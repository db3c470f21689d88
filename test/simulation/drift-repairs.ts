/** What is repaired in a play of drift, and whether so much may be. */
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { VirtualOperator } from '../support/virtual-operator.ts';

export class Repairs {
  readonly violations: string[] = [];
  readonly #begun = new Map<string, number>();
  /** In the phase of repairs, as the operator has them. */
  readonly #repairing = new Map<string, Lifecycle>();
  readonly #v: VirtualOperator;
  readonly #size: number;

  /** Counts from now on; whoever is repaired must have been `touched`. */
  constructor(v: VirtualOperator, size: number, touched: ReadonlySet<string>) {
    this.#v = v;
    this.#size = size;
    v.world.tables.state.watch((before, after) => {
      if (after?.sk !== 'lifecycle') return;
      const [was, is] = [before, after] as unknown as [Lifecycle | undefined, Lifecycle];
      if (!this.#begins(was, is)) return;
      this.#begun.set(is.id, this.of(is.id) + 1);
      if (!touched.has(is.id)) this.violations.push(`${is.id} is repaired, and nobody has changed it`);
      this.#checkCap();
    });
  }

  /** Of all. */
  get count(): number {
    return [...this.#begun.values()].reduce((sum, count) => sum + count, 0);
  }

  of(id: string): number {
    return this.#begun.get(id) ?? 0;
  }

  /** A repair is a run or a direct effect that was not there before, in the phase of repairs. */
  #begins(was: Lifecycle | undefined, is: Lifecycle): boolean {
    if (is.phase !== 'repairing') {
      this.#repairing.delete(is.id);
      return false;
    }
    this.#repairing.set(is.id, is);
    const ran = is.run !== undefined && is.run.name !== was?.run?.name;
    const acted = is.direct !== undefined && is.direct.at !== was?.direct?.at;
    return ran || acted;
  }

  #checkCap(): void {
    const { config, clock } = this.#v;
    const lastsMs = (effect: string) => (effect === 'startHost' ? config.hostStartMs : config.settleMs);
    const isBusy = ({ run, direct }: Lifecycle) =>
      run !== undefined || (direct !== undefined && clock.now() - Date.parse(direct.at) < lastsMs(direct.effect));
    const busy = [...this.#repairing.values()].filter(isBusy).length;
    const cap = Math.max(1, Math.floor((this.#size * config.repairCapPercent) / 100));
    if (busy > cap) this.violations.push(`${busy} are under repair at once, and ${cap} may be`);
  }
}
