/** Name collisions: ids that would give their resources the same names. Only one such enclave may have resources. */
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import { idsInNames, LONGEST_UNSHORTENED_ID } from '../../enclave/names.ts';
import type { SpecIssue } from '../../enclave/spec/spec.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';

/**
 * Knows which enclave holds which names.
 *
 * *Guarantees*: an enclave that may have resources is never refused. *Caveats*: knows what was listed; until the first
 * list is over, the runner alone keeps enclaves apart, by their tags.
 */
export class NameCollisions implements LifecycleListener {
  readonly #holders = new Map<string, Set<string>>();

  onUpsert(id: string, lifecycle: ListedLifecycle): void {
    if (mayHaveResources(lifecycle)) this.#hold(id);
    else this.onDelete(id);
  }

  /** Holds the names of an enclave whose run is about to be committed. The result undoes that. */
  reserve({ id, run }: ListedLifecycle): () => void {
    if (run === undefined || !this.#hold(id)) return () => {};
    return () => this.onDelete(id);
  }

  /** False: it holds them already. */
  #hold(id: string): boolean {
    let isNew = false;
    for (const name of idsInNames(id)) {
      const holders = this.#holders.get(name);
      isNew ||= holders?.has(id) !== true;
      if (holders === undefined) this.#holders.set(name, new Set([id]));
      else holders.add(id);
    }
    return isNew;
  }

  onDelete(id: string): void {
    for (const name of idsInNames(id)) {
      const holders = this.#holders.get(name);
      if (holders?.delete(id) === true && holders.size === 0) this.#holders.delete(name);
    }
  }

  /** The finding about a new enclave whose names another one holds. Changes nothing. */
  refusal(lifecycle: ListedLifecycle): SpecIssue | undefined {
    const { id } = lifecycle;
    if (mayHaveResources(lifecycle)) return undefined;
    const isHeld = [...idsInNames(id)].some((name) =>
      [...(this.#holders.get(name) ?? [])].some((other) => other !== id),
    );
    if (!isHeld) return undefined;
    return {
      field: 'id',
      code: 'NAME_COLLISION',
      message: 'the id shares resource names with another enclave: AWS limits their length, and IAM ignores case',
      fix: `Use another id, of at most ${LONGEST_UNSHORTENED_ID} characters.`,
    };
  }
}

function mayHaveResources({ touched, run, phase, retained }: ListedLifecycle): boolean {
  return (touched || run !== undefined) && (phase !== 'destroyed' || retained === true);
}
