/** Lifecycle listener: follows the lifecycles of the whole fleet. */
import type { ListedLifecycle } from '../enclave/items/lifecycle.ts';

/** How an upserted lifecycle became known. */
export type LifecycleSource =
  /**
   * A list read it. It may be older than a commit in flight: what it says is there counts at once (an active run holds a
   * slot), what it lacks proves nothing.
   */
  | 'listed'
  /** This process has just committed it: it is what is stored. */
  | 'written';

/** Both calls are synchronous and never throw: a commit is followed by one call, in the order of the commits. */
export interface LifecycleListener {
  onUpsert(id: string, lifecycle: ListedLifecycle, source: LifecycleSource): void;
  /** The lifecycle is deleted; nothing of the enclave may be kept. */
  onDelete(id: string): void;
}

/** Calls the listeners one after another, in the order of the list. */
export function inOrder(listeners: readonly LifecycleListener[]): LifecycleListener {
  return {
    onUpsert(id, lifecycle, source) {
      for (const listener of listeners) listener.onUpsert(id, lifecycle, source);
    },
    onDelete(id) {
      for (const listener of listeners) listener.onDelete(id);
    },
  };
}
