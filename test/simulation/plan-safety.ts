/** Plan safety: no result of a plan run is lost, and none is taken into a lifecycle twice. */
import { type PlanResult, PlanResultSchema } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import { isOvertaken } from '../../src/reconciler/plan/result.ts';
import type { Stage } from './stage.ts';

const RESULTS = keys.planResults('');

export class PlanSafety {
  readonly #stage: Stage;
  /** By incarnation, the runs whose results its lifecycle has had. */
  readonly #taken = new Map<string, Set<string>>();

  constructor(stage: Stage) {
    this.#stage = stage;
    stage.world.tables.state.watch((before, after) => {
      const { pk, sk } = (after ?? before) as JsonMap;
      if (String(pk).startsWith(RESULTS) && after === undefined) this.#consumed(PlanResultSchema.parse(before));
      if (sk !== 'lifecycle' || after === undefined) return;
      this.#written(before as Lifecycle | undefined, after as unknown as Lifecycle);
    });
  }

  /** The commit's lifecycle is written by now: it knows the result, or has overtaken it. */
  #consumed(result: PlanResult): void {
    const { pk, sk } = keys.lifecycle(result.id);
    const lifecycle = this.#stage.world.tables.state.get(pk, sk) as Lifecycle | undefined;
    if (lifecycle === undefined || isOvertaken(lifecycle, result)) return;
    this.#violate(
      'no plan result is lost',
      `${result.run} of ${result.id} is deleted, and its lifecycle knows nothing`,
    );
  }

  #written(before: Lifecycle | undefined, { id, incarnation, planned }: Lifecycle): void {
    if (planned === undefined || planned.run === before?.planned?.run) return;
    const known = `${id} ${incarnation}`;
    const taken = this.#taken.get(known) ?? new Set();
    this.#taken.set(known, taken);
    if (taken.has(planned.run)) this.#violate('a plan result counts once', `${planned.run} of ${id} counts again`);
    taken.add(planned.run);
  }

  #violate(rule: string, message: string): void {
    this.#stage.violate(rule, `${this.#stage.actor}: ${message}`);
  }
}
