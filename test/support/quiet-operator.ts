/** An operator for scenarios of plans: polls, lists and renewals far apart, so that virtual days pass quickly. */
import type { FleetLedger } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Config } from '../../src/reconciler/config.ts';
import { HOUR, MINUTE } from './time.ts';
import { type VirtualOperator, virtualOperator } from './virtual-operator.ts';

const QUIET: Partial<Config> = {
  feedIdleMinMs: 5_000,
  feedIdleMaxMs: MINUTE,
  sweepMs: 30 * MINUTE,
  relistMs: HOUR,
  leaseMs: 10 * MINUTE,
  leaseRenewMs: 2 * MINUTE,
  leaseStepDownMs: 8 * MINUTE,
  leaseRetryMs: MINUTE,
  reportSilenceMs: 2 * HOUR,
};

/** What a plan finds where one attribute drifted. */
export const DRIFTED = {
  drifted: true,
  planDigest: 'd1',
  differences: [{ address: 'aws_iam_role_policy.enclave_cloudwatch_policy', attributes: ['policy'] }],
};

export const quietOperator = (config: Partial<Config> = {}) =>
  virtualOperator({ ...QUIET, ...config }, { hostTimings: { reportEveryMs: 30 * MINUTE } });

/** Posts records, and waits until all of their enclaves are ready. */
export async function deployReady(
  v: VirtualOperator,
  ids: readonly string[],
  fields: Record<string, unknown> = {},
): Promise<void> {
  for (const id of ids) v.post(id, fields);
  await v.until(() => ids.every((id) => v.lifecycle(id)?.phase === 'ready'), 'ready');
}

/** The plan runs that have not ended; undefined before the first. */
export const planLedger = (v: VirtualOperator) =>
  v.world.tables.state.get(keys.fleetLedger.pk, keys.fleetLedger.sk) as unknown as FleetLedger | undefined;
