/** Lifecycle: everything the operator remembers of one enclave. */
import { z } from 'zod';
import { ConditionSchema } from '../conditions.ts';
import { MadeSchema } from '../digests.ts';
import { Versioned } from './items.ts';
import { packed } from './packed.ts';
import { ApprovalSchema, PlanAskedSchema, PlannedSchema } from './plan.ts';
import { FailureSchema, MarkerSchema, RunVariablesSchema } from './run.ts';

const Identity = z.looseObject({ createdAt: z.string(), walletAddress: z.string() });

export const PHASES = [
  'observing',
  'pending',
  'invalid',
  'provisioning',
  'verifying',
  'ready',
  'updating',
  'repairing',
  'pausing',
  'paused',
  'resuming',
  'backingOff',
  'stalled',
  'destroying',
  'destroyed',
] as const;
export type Phase = (typeof PHASES)[number];
export const PhaseSchema = z.enum(PHASES);

export const DesiredSchema = z.enum(['Running', 'Paused', 'Absent']);
export type Desired = z.infer<typeof DesiredSchema>;

/** `enclave#<id>` / `lifecycle`: everything the operator remembers of one enclave; also its finalizer. */
export const LifecycleSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  identity: Identity,
  /** Six random characters, fixed for this lifecycle. */
  incarnation: z.string(),
  /** Rises with every run, never reset. */
  runSeq: z.number().int(),
  desired: DesiredSchema,
  /** Why desired is Absent. */
  absentBecause: z.enum(['command', 'recordGone']).optional(),
  /** Status and updatedAt as last read: what tells a new command from an old one. */
  lastSeen: z.looseObject({ status: z.string(), updatedAt: z.string() }),
  /** Status of the record when the lifecycle began. */
  origin: z.string(),
  /** When the last new command was seen; deadlines of published statuses count from here. */
  commandAt: z.string(),
  hashVersion: z.number().int(),
  specHash: z.string(),
  /** Rises with every change of the valid spec; 0 before the first valid one. */
  generation: z.number().int(),
  /** The generation last applied by a successful run. */
  observedGeneration: z.number().int(),
  phase: PhaseSchema,
  phaseSince: z.string(),
  run: MarkerSchema.optional(),
  /** Failed attempts at one thing: `generation:<n>`, `drift:<fingerprint>`, `destroy`; of repairs, the last rung. */
  attempts: z.looseObject({ key: z.string(), count: z.number().int(), rung: z.string().optional() }),
  /** Attempts at differences that came before the one `attempts` is about, by `drift:<fingerprint>`; a few. */
  tried: z.record(z.string(), z.number().int()).optional(),
  nextAttemptAt: z.string().optional(),
  failure: FailureSchema.optional(),
  pinned: RunVariablesSchema.shape.pinned,
  /** What the last deploy made around the host; absent: its runner did not say. */
  made: MadeSchema.optional(),
  /** The report as it stood at the last start of the host: only a newer one counts as fresh. */
  baseline: z
    .looseObject({
      bootId: z.string().optional(),
      sequence: z.number().optional(),
      newBoot: z.boolean(),
      at: z.string(),
    })
    .optional(),
  /** Last direct effect (EC2, SSM) and how often it was tried in a row; none is repeated before it has settled. */
  direct: z.looseObject({ effect: z.string(), at: z.string(), count: z.number().int() }).optional(),
  /** A difference that has been seen and not yet healed, and in how many observations. */
  drift: z
    .looseObject({
      /** Its name, which earlier versions read. */
      fingerprint: z.string(),
      /** The same as a value: see `Drift`. Absent where an earlier version wrote it. */
      of: z.unknown().optional(),
      seen: z.number().int(),
      since: z.string(),
      observedAt: z.number(),
    })
    .optional(),
  /** Drift that was repaired within the last hour, newest last: what comes back again and again is contested. */
  healed: z.array(z.looseObject({ fingerprint: z.string(), at: z.string() })).optional(),
  /** When a run of this enclave last ended, whatever came of it. */
  ranAt: z.string().optional(),
  planned: packed(PlannedSchema).optional(),
  planAsked: PlanAskedSchema.optional(),
  approval: ApprovalSchema.optional(),
  /** Attributes that differ and weaken the enclave: each is told once. */
  weakened: z.array(z.string()).optional(),
  /** What differs now, by attribute: for people who ask. */
  findings: z
    .array(z.looseObject({ attribute: z.string(), severity: z.string(), repair: z.string(), since: z.string() }))
    .optional(),
  /** The generation whose batch has completed, and when that was seen. */
  completed: z.looseObject({ generation: z.number().int(), at: z.string() }).optional(),
  /** Region of a record whose spec could not be read when the lifecycle began. */
  region: z.string().optional(),
  /** The record's policy as last read, unless it is the default; kept when the record is gone. */
  policy: packed(z.record(z.string(), z.unknown())).optional(),
  /** The spec of the last deploy that succeeded, or of what was taken over. */
  applied: packed(z.record(z.string(), z.unknown())).optional(),
  /** The snapshot destroy needs: what the last deploy was begun with; kept when the record is gone. */
  snapshot: RunVariablesSchema.optional(),
  /** True once anything may exist in AWS for this enclave. */
  touched: z.boolean(),
  /** True from the first ready until paused, destroyed or found dead: the record keeps DEPLOYED meanwhile. */
  serving: z.boolean(),
  /** True where the deletion policy left the resources in place: the tombstone that says whose they are. */
  retained: z.boolean().optional(),
  /** True where the host was taken over rather than created. */
  adopted: z.boolean(),
  /** Asked for by `enclavectl adopt`, until a run has prepared the Terraform state. */
  adopting: z.boolean().optional(),
  /** Since when the record is gone, or another enclave's. */
  missingSince: z.string().optional(),
  teardown: z.looseObject({ doneAt: z.string(), emptySeen: z.number().int(), observedAt: z.number() }).optional(),
  conditions: packed(z.array(ConditionSchema)),
  message: z.string(),
  /** Rises with every write; every write is conditional on it. */
  revision: z.number().int(),
  /** Epoch of the leader that wrote last. */
  epoch: z.number().int(),
});
export type Lifecycle = z.infer<typeof LifecycleSchema>;

/** What a list reads of a lifecycle: not the specs in it, which are the most of it. */
export const ListedLifecycleSchema = LifecycleSchema.omit({
  applied: true,
  policy: true,
  made: true,
  findings: true,
}).extend({
  snapshot: z.looseObject({ region: z.string() }).optional(),
});
export type ListedLifecycle = z.infer<typeof ListedLifecycleSchema>;
