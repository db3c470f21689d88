/** Runs: what one is to do, the marker that it is under way, and what came of it. */
import { z } from 'zod';
import { MadeSchema } from '../digests.ts';
import { Versioned } from './items.ts';
import { LegacySchema } from './legacy-host.ts';
import { packed } from './packed.ts';

/** Why a run failed. Terminal classes are those that no retry cures: see `isTerminalClass`. */
export const ERROR_CLASSES = [
  'validation',
  'quota',
  'capacity',
  'throttled',
  'locked',
  'state',
  'permission',
  'bootstrap',
  'timeout',
  'cancelled',
  'unknown',
] as const;
export const ErrorClassSchema = z.enum(ERROR_CLASSES);
export type ErrorClass = z.infer<typeof ErrorClassSchema>;

export const RunActionSchema = z.enum(['deploy', 'destroy']);

/** What a run is to do; recorded with the intent, read by the runner. Nothing of it travels in an execution input. */
export const RunVariablesSchema = z.looseObject({
  region: z.string(),
  environment: z.string(),
  stateKey: z.string(),
  /** Version of the enclave stack that wrote the state; an older runner never applies over a newer one. */
  stackVersion: z.number().int(),
  walletAddress: z.string(),
  generation: z.number().int(),
  /** The normalized spec (`EnclaveSpec`); absent where only a destroy was ever wanted. */
  spec: packed(z.record(z.string(), z.unknown())).optional(),
  /** The policy that held when it was recorded. */
  policy: packed(z.record(z.string(), z.unknown())).optional(),
  /** A repair that is to make another host instead of this one; once it is gone, nothing more is replaced. */
  replaces: z.string().optional(),
  /** Values an instance keeps for life; a plan that would create a host while one is pinned is refused. */
  pinned: z.looseObject({
    instanceId: z.string().optional(),
    amiId: z.string().optional(),
    imageDigest: z.string().optional(),
    /** The reference of the image that the digest was resolved from: of another image it says nothing. */
    imageReference: z.string().optional(),
    /** Present while the host is one that the pipeline before this one made: it stays as it was until it is replaced. */
    legacy: LegacySchema.optional(),
  }),
});
export type RunVariables = z.infer<typeof RunVariablesSchema>;

export const MarkerSchema = z.looseObject({
  /** Name of the execution, the run item and the lock's holder. */
  name: z.string(),
  action: RunActionSchema,
  seq: z.number().int(),
  generation: z.number().int(),
  /** `create`, `update`, `repair`, `adopt`, `destroy`: for events and metrics. */
  reason: z.string(),
  startedAt: z.string(),
  /** After this time the run is cancelled. */
  deadlineAt: z.string(),
  /** When the operator asked for cancellation; asked once. */
  cancelledAt: z.string().optional(),
});
export type Marker = z.infer<typeof MarkerSchema>;

export const FailureSchema = z.looseObject({
  class: ErrorClassSchema,
  message: z.string(),
  fix: z.string().optional(),
  at: z.string(),
  /** The generation for which the host reported a permanent error. */
  refusedGeneration: z.number().int().optional(),
});
export type Failure = z.infer<typeof FailureSchema>;

export const PlanSummarySchema = z.looseObject({
  create: z.number().int(),
  update: z.number().int(),
  replace: z.number().int(),
  delete: z.number().int(),
});
export type PlanSummary = z.infer<typeof PlanSummarySchema>;

export const OutcomeSchema = z.looseObject({
  result: z.enum(['succeeded', 'failed', 'cancelled']),
  /** Present unless succeeded. */
  class: ErrorClassSchema.optional(),
  /** The first diagnostic's summary; no ARN, account id or host name. */
  message: z.string().optional(),
  fix: z.string().optional(),
  at: z.string(),
  /** `runner`, `workflow` or `operator`. */
  by: z.string(),
  instanceId: z.string().optional(),
  amiId: z.string().optional(),
  imageDigest: z.string().optional(),
  /** Absent: the host is of our own making. */
  legacy: LegacySchema.optional(),
  /** Digest of the plan that was not applied, because another one was approved, or none. */
  unapproved: z.string().optional(),
  /** After a deploy: what surrounds the host, as it should stay. */
  made: MadeSchema.optional(),
  /** After a destroy: what named look-ups of every resource type and the state still list. */
  remaining: z.array(z.string()).optional(),
});
export type Outcome = z.infer<typeof OutcomeSchema>;

/** `run#<id>` / `<name>` of the history table. */
export const RunItemSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  name: z.string(),
  action: RunActionSchema,
  reason: z.string(),
  generation: z.number().int(),
  requestedAt: z.string(),
  variables: RunVariablesSchema,
  /** The cancel flag; checked before apply. */
  cancelRequestedAt: z.string().optional(),
  /** The one task that may work; the first to write itself here. */
  taskArn: z.string().optional(),
  executionArn: z.string().optional(),
  /** `user@host` of a Terraform lock's `Who` is traced by this. */
  host: z.string().optional(),
  startedAt: z.string().optional(),
  progress: z.string().optional(),
  plan: PlanSummarySchema.optional(),
  /** Written once. */
  outcome: OutcomeSchema.optional(),
  expiresAt: z.number().int().optional(),
});
export type RunItem = z.infer<typeof RunItemSchema>;
