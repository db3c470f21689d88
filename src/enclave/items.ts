/**
 * Items the operator stores: the state table (pk, sk) and the history table (pk, sk, TTL).
 *
 * Every schema is loose: members a newer version wrote survive a rewrite by this one. `minReader` above
 * {@link READER_VERSION} means: leave the item alone. Times are RFC 3339 strings with milliseconds.
 */
import { z } from 'zod';
import { ConditionSchema } from './conditions.ts';
import { MadeSchema } from './digests.ts';
import { LegacySchema } from './legacy.ts';
import { packed } from './packed.ts';
import { ApprovalSchema, PlanAskedSchema, PlannedSchema } from './planned.ts';

/** The newest item shape this program understands; 2: members may be packed. */
export const READER_VERSION = 2;

export const Versioned = { v: z.number().int().default(1), minReader: z.number().int().default(1) };
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
});
export type Failure = z.infer<typeof FailureSchema>;

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
    .looseObject({ fingerprint: z.string(), seen: z.number().int(), since: z.string(), observedAt: z.number() })
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

/** `enclave#<id>` / `lock`: the one live run. Deleted when released. */
export const LockSchema = z.looseObject({
  run: z.string(),
  state: z.enum(['intended', 'claimed']),
  /** Set by the workflow's claim. */
  executionArn: z.string().optional(),
});
export type Lock = z.infer<typeof LockSchema>;

/** `report#<id>` / `<instance id>`: the host agent's last report. Only the host writes it. */
export const ReportSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  instanceId: z.string(),
  bootId: z.string(),
  /** Rises with every report of one boot. */
  sequence: z.number().int(),
  appliedGeneration: z.number().int(),
  at: z.string(),
  agentVersion: z.string().optional(),
  /** False where the host could not see its enclaves: then `enclaves` says nothing. Absent: it could. */
  observed: z.boolean().optional(),
  enclaves: z.array(
    z.looseObject({
      name: z.string(),
      state: z.string(),
      cpuCount: z.number().int(),
      memoryMiB: z.number().int(),
      debug: z.boolean(),
      /** As nitro-cli spells them; `debug` is what they mean. */
      flags: z.string().optional(),
      /** Address on the vsock. */
      cid: z.number().int().optional(),
    }),
  ),
  health: z.enum(['passing', 'failing', 'none']).default('none'),
  /** A batch workload that ended with exit status 0. */
  completed: z.boolean().default(false),
  /** Computed by nitro-cli from the image file on the host: self-reported, no attestation. */
  measurements: z.record(z.string(), z.string()).default({}),
  /** The digest that the tag of the image was resolved to on the host. */
  imageDigest: z.string().optional(),
  /** What the driver really holds for enclaves; `ok`: as much as the spec asks for. */
  allocator: z.looseObject({ cpuCount: z.number().int(), memoryMiB: z.number().int(), ok: z.boolean() }).optional(),
  /** The ways out of the enclave: `active`, `refused`, or what systemd says of the proxy. */
  proxies: z.array(z.looseObject({ destination: z.string(), state: z.string() })).optional(),
  /** Restarts by the host itself within the window of the spec's backoff. */
  restarts: z.number().int().optional(),
  /** Exit status of the workload, where it ended by itself. */
  exitCode: z.number().int().optional(),
  /** The last thing that failed and still does. `class`: spec, image, transient, host, clock, workload, security, drift, unknown. */
  error: z
    .looseObject({
      class: z.string(),
      message: z.string(),
      /** E-code of nitro-cli, or a word of the agent's. */
      code: z.string().optional(),
      /** Which part of the agent it was. */
      step: z.string().optional(),
    })
    .optional(),
});
export type Report = z.infer<typeof ReportSchema>;

export const REQUEST_VERBS = ['retry', 'adopt', 'unlock', 'plan', 'approve'] as const;
/** `request#<id>` / `<time>-<random>`: a verb of enclavectl; deleted in the transaction that commits its effect. */
export const RequestSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  key: z.string(),
  verb: z.string(),
  actor: z.string(),
  at: z.string(),
  /** Of `approve`: what is approved. */
  generation: z.number().int().optional(),
  digest: z.string().optional(),
});
export type Request = z.infer<typeof RequestSchema>;

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
  /** Hosts with our tags that are of no enclave, as the operator last found them. */
  orphans: z
    .array(
      z.looseObject({
        id: z.string(),
        region: z.string(),
        instanceId: z.string(),
        state: z.string(),
        since: z.string(),
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

/** `event#<id>` / `<start of its ten minutes>-<digest>` of the history table: an event, and its repeats. */
export const EventSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  /** The last time it happened. */
  at: z.string(),
  /** The first time; absent: it is `at`. */
  firstAt: z.string().optional(),
  /** How often it happened; absent: once. */
  count: z.number().int().optional(),
  type: z.enum(['Normal', 'Warning']),
  reason: z.string(),
  message: z.string(),
  actor: z.string(),
  generation: z.number().int().optional(),
  run: z.string().optional(),
  expiresAt: z.number().int().optional(),
});
export type OperatorEvent = z.infer<typeof EventSchema>;

const REQUESTS = 'request#';
const FLEET = 'fleet';

/** Keys of both tables, in one place. */
export const keys = {
  enclave: (id: string) => `enclave#${id}`,
  lifecycle: (id: string) => ({ pk: `enclave#${id}`, sk: 'lifecycle' }),
  lock: (id: string) => ({ pk: `enclave#${id}`, sk: 'lock' }),
  reports: (id: string) => `report#${id}`,
  report: (id: string, instanceId: string) => ({ pk: `report#${id}`, sk: instanceId }),
  requests: (id: string) => `${REQUESTS}${id}`,
  request: (id: string, key: string) => ({ pk: `${REQUESTS}${id}`, sk: key }),
  /** The enclave a partition holds requests of: one, or none. */
  requestedOf: (pk: string) => (pk.startsWith(REQUESTS) ? [pk.slice(REQUESTS.length)] : []),
  control: { pk: FLEET, sk: 'control' },
  lease: { pk: FLEET, sk: 'lease' },
  runs: (id: string) => `run#${id}`,
  run: (id: string, name: string) => ({ pk: `run#${id}`, sk: name }),
  /** A partition that no enclave's runs can be in, whatever the enclave is called. */
  fleetRuns: FLEET,
  fleetRun: (name: string) => ({ pk: FLEET, sk: name }),
  fleetLedger: { pk: FLEET, sk: 'drift' },
  events: (id: string) => `event#${id}`,
  event: (id: string, key: string) => ({ pk: `event#${id}`, sk: key }),
} as const;

/** True where an item asks for a newer reader than this program is. */
export function isFromTheFuture(item: { readonly minReader?: number | undefined }): boolean {
  return (item.minReader ?? 1) > READER_VERSION;
}
