/** Items of runs over several enclaves: what a drift run is to look at, what it found, and which are under way. */
import { z } from 'zod';
import { Versioned } from './items.ts';
import { DifferenceSchema } from './plan.ts';
import { FailureSchema, OutcomeSchema, PlanSummarySchema, RunVariablesSchema } from './run.ts';

/** What a drift run found of one enclave. */
export const DriftResultSchema = z.looseObject({
  id: z.string(),
  /** The generation the plan was made for: the result says nothing about a later one. */
  generation: z.number().int(),
  startedAt: z.string(),
  at: z.string(),
  /** Absent where the plan could not be made: nothing is known then. */
  drifted: z.boolean().optional(),
  differences: z.array(DifferenceSchema).optional(),
  summary: PlanSummarySchema.optional(),
  /** Equal plans have equal digests. */
  planDigest: z.string().optional(),
  failure: FailureSchema.omit({ at: true }).optional(),
});
export type DriftResult = z.infer<typeof DriftResultSchema>;

/**
 * `plan#<id>` / `<run>` of the state table: what a plan run found of one enclave. The scheduler writes it once the run is
 * over; the enclave's reconcile deletes it in the transaction that commits it to the lifecycle.
 */
export const PlanResultSchema = DriftResultSchema.extend({
  ...Versioned,
  run: z.string(),
  /** When the run was requested, by the operator's clock. */
  askedAt: z.string(),
  /** The run ended before it planned this enclave. */
  lost: z.boolean(),
  /** Of the lifecycle that was planned. Absent: an earlier version started the run. */
  incarnation: z.string().optional(),
  expiresAt: z.number().int().optional(),
});
export type PlanResult = z.infer<typeof PlanResultSchema>;

/** `fleet` / `<name>` of the history table: a drift run over several enclaves, which takes no lock. */
export const FleetRunItemSchema = z.looseObject({
  ...Versioned,
  name: z.string(),
  action: z.literal('drift'),
  requestedAt: z.string(),
  enclaves: z.array(
    z.looseObject({
      id: z.string(),
      generation: z.number().int(),
      variables: RunVariablesSchema,
      /** Of the lifecycle, as its results name it. */
      incarnation: z.string().optional(),
    }),
  ),
  cancelRequestedAt: z.string().optional(),
  /** As in an enclave's run: the one task that may work, and where. */
  taskArn: z.string().optional(),
  executionArn: z.string().optional(),
  host: z.string().optional(),
  startedAt: z.string().optional(),
  /** By enclave, written one by one. */
  results: z.record(z.string(), DriftResultSchema).optional(),
  /** Written once. */
  outcome: OutcomeSchema.optional(),
  expiresAt: z.number().int().optional(),
});
export type FleetRunItem = z.infer<typeof FleetRunItemSchema>;

/** `fleet` / `drift` of the state table: the plan runs whose results are not written yet. */
export const FleetLedgerSchema = z.looseObject({
  ...Versioned,
  runs: z.array(
    z.looseObject({
      name: z.string(),
      startedAt: z.string(),
      /** After this time the run is given up. */
      deadlineAt: z.string(),
      enclaves: z.array(z.string()),
    }),
  ),
  /** Rises with every write; every write is conditional on it. */
  revision: z.number().int(),
  /** Epoch of the leader that wrote last. */
  epoch: z.number().int(),
});
export type FleetLedger = z.infer<typeof FleetLedgerSchema>;
export type LedgerRun = FleetLedger['runs'][number];
