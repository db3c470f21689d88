/** The region an enclave lives in. */
import type { ListedLifecycle } from './lifecycle.ts';

/** Of its state, else of its record, else the platform's. */
export function regionOf(lifecycle: Pick<ListedLifecycle, 'snapshot' | 'region'>, platform: string): string {
  return lifecycle.snapshot?.region ?? lifecycle.region ?? platform;
}
