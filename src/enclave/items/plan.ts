/** What is remembered of an enclave's plans: the last one, one that is asked for, and one that was approved. */
import { z } from 'zod';

/** Resources of a plan that are kept by name. */
export const MOST_DIFFERENCES = 20;

export const DifferenceSchema = z.looseObject({ address: z.string(), attributes: z.array(z.string()) });
export type Difference = z.infer<typeof DifferenceSchema>;

/** The last plan of a drift run. */
export const PlannedSchema = z.looseObject({
  /** When the run was asked for, by the operator's clock: what any other run has done since, it did not see. */
  askedAt: z.string(),
  at: z.string(),
  run: z.string(),
  generation: z.number().int(),
  /** `Unknown`: it could not be made. */
  verdict: z.enum(['Match', 'Drift', 'Unknown']),
  differences: z.array(DifferenceSchema).optional(),
  /** Equal plans have equal digests. */
  digest: z.string().optional(),
  /** Resources it would create, update, replace and delete. */
  summary: z
    .looseObject({
      create: z.number().int(),
      update: z.number().int(),
      replace: z.number().int(),
      delete: z.number().int(),
    })
    .optional(),
  failure: z.looseObject({ class: z.string(), message: z.string() }).optional(),
  /** Plans in a row that could not be made. */
  failures: z.number().int(),
  /** The whole run was lost: nothing is known of this enclave's plan. */
  lost: z.boolean().optional(),
});
export type Planned = z.infer<typeof PlannedSchema>;

/** `enclavectl plan`, until a plan answers it. */
export const PlanAskedSchema = z.looseObject({ at: z.string(), actor: z.string() });

/** `enclavectl approve`: what may be applied, as long as a fresh plan is the one that was approved. */
export const ApprovalSchema = z.looseObject({
  generation: z.number().int(),
  digest: z.string(),
  actor: z.string(),
  at: z.string(),
  expiresAt: z.string(),
});
export type Approval = z.infer<typeof ApprovalSchema>;
