/** How long a fleet takes to be planned once, in virtual time. */
import { hoursToPlan } from '../support/planned-fleet.ts';
import type { Figures } from './measurement.ts';

const ENCLAVES = 10_000;

export async function benchPlans(): Promise<Figures> {
  return { deep_plans_10k_hours: Number((await hoursToPlan(ENCLAVES)).toFixed(1)) };
}
