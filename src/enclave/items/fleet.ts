/** Items of the fleet as a whole: what people have told it, and who leads. */
import { z } from 'zod';
import { Versioned } from './items.ts';

/** `fleet` / `control`. */
export const ControlSchema = z.looseObject({
  ...Versioned,
  /** When the operator first ran here: commands much older than this are not carried out unasked. */
  installedAt: z.string(),
  /** Written by enclavectl: nothing is begun but deletions by command, until it is lifted or expires. */
  freeze: z
    .looseObject({ reason: z.string(), actor: z.string(), at: z.string(), until: z.string().optional() })
    .optional(),
  /** Written by the operator: enclaves whose records vanished are kept until someone confirms. */
  deletionHold: z.looseObject({ reason: z.string(), since: z.string() }).optional(),
  /** Written by enclavectl: records that were missing by then are meant to be gone. */
  deletionsConfirmed: z.looseObject({ actor: z.string(), at: z.string() }).optional(),
  /** The enclaves table as it was first met, or last confirmed: another one under its name is not believed empty. */
  tableId: z.string().optional(),
  /**
   * Hosts with our tags that are of no enclave, and what else is left of one, as the operator last found them.
   * `instanceId` is `-` where there is no host; `state` is the host's, or in words what there is.
   */
  orphans: z
    .array(
      z.looseObject({
        id: z.string(),
        region: z.string(),
        instanceId: z.string(),
        state: z.string(),
        since: z.string(),
        /** Beside the host: kind and the name or id, e.g. `security group` and `sg-1`. */
        resources: z.array(z.looseObject({ kind: z.string(), name: z.string() })).optional(),
      }),
    )
    .optional(),
  /** Terraform states that are of no enclave, likewise. */
  orphanStates: z
    .array(z.looseObject({ id: z.string(), key: z.string(), modifiedAt: z.string(), since: z.string() }))
    .optional(),
});
export type Control = z.infer<typeof ControlSchema>;

/** `fleet` / `lease`. */
export const LeaseSchema = z.looseObject({
  holder: z.string(),
  epoch: z.number().int(),
  /** Changes with every renewal; expiry is judged by how long it stays unchanged on the observer's own clock. */
  nonce: z.string(),
  durationMs: z.number().int(),
  /** Empty holder: released. */
  renewedAt: z.string(),
});
export type Lease = z.infer<typeof LeaseSchema>;
