/** Name collisions: ids that would give their resources the same names. Only one such enclave may have resources. */
import type { ListedLifecycle } from '../enclave/lifecycle-item.ts';
import { idsInNames, LONGEST_UNSHORTENED_ID } from '../enclave/names.ts';
import type { SpecIssue } from '../enclave/spec.ts';

/**
 * Knows which enclave holds which names.
 *
 * *Guarantees*: an enclave that may have resources is never refused. *Caveats*: knows what was listed; until the first
 * list is over, the runner alone keeps enclaves apart, by their tags.
 */
export class NameCollisions {
  readonly #holders = new Map<string, Set<string>>();

  /** A lifecycle as it now stands; undefined: it is gone. */
  know(id: string, lifecycle: ListedLifecycle | undefined): void {
    const holds = lifecycle !== undefined && mayHaveResources(lifecycle);
    for (const name of idsInNames(id)) {
      const holders = this.#holders.get(name);
      if (holds && holders === undefined) this.#holders.set(name, new Set([id]));
      else if (holds) holders?.add(id);
      else if (holders?.delete(id) === true && holders.size === 0) this.#holders.delete(name);
    }
  }

  /** The finding about a new enclave whose names another one holds. */
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
