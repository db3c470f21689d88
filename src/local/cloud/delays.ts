/** How long things take in the simulated cloud. */
import { isResourceType, type ResourceTypeName } from '../../enclave/resource-types.ts';

/** ms at speed 1: roughly what is seen in AWS. */
export const DELAYS = {
  hostStarts: 7_000,
  hostStops: 15_000,
  hostTerminates: 20_000,
  /** A terminated host stays listed for about an hour. */
  hostForgotten: 3_600_000,
  agentBoots: 20_000,
  configurationArrives: 5_000,
  enclaveStarts: 12_000,
  batchRuns: 60_000,
  reportInterval: 300_000,
  reportRetry: 5_000,
  plan: 2_000,
  resourceUpdated: 1_000,
} as const;

type Delays = Readonly<Partial<Record<ResourceTypeName, number>>>;

const CREATED: Delays = {
  aws_security_group: 3_000,
  aws_iam_role: 1_500,
  aws_iam_instance_profile: 2_000,
};
const DELETED: Delays = { aws_security_group: 1_500, aws_iam_instance_profile: 1_000 };
const OTHERWISE = 600;

/** ms at speed 1 until AWS has answered. A host takes as long as its change of state does. */
export function resourceDelay(type: string, action: 'create' | 'update' | 'delete'): number {
  if (action === 'update') return DELAYS.resourceUpdated;
  const delays = action === 'create' ? CREATED : DELETED;
  return (isResourceType(type) ? delays[type] : undefined) ?? OTHERWISE;
}
