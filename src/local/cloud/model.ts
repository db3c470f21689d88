/** What the simulated cloud holds: hosts, other resources, Terraform states. */
import { z } from 'zod';
import type { HostState } from '../../reconciler/ports/index.ts';

export const HOST_STATES = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'] as const;

/** What the host agent does now; each stage but the last three ends by itself. */
export const AGENT_STAGES = [
  /** The operating system boots; nobody has reported yet. */
  'booting',
  /** A changed configuration is being fetched. */
  'applying',
  /** nitro-cli starts the enclave. */
  'starting',
  'running',
  /** A batch workload has ended. */
  'completed',
  /** The enclave is gone until somebody restarts it. */
  'crashed',
  /** The enclave could not be started. */
  'failed',
  /** There is no configuration to follow. */
  'idle',
] as const;

export const AgentSchema = z.object({
  bootId: z.string(),
  sequence: z.number(),
  stage: z.enum(AGENT_STAGES),
  /** When the stage ends by itself, ms since 1970. */
  stageEndsAt: z.number().optional(),
  nextReportAt: z.number().optional(),
  appliedGeneration: z.number(),
  /** The configuration it last started the enclave with; canonical JSON of the object's spec. */
  applied: z.string().optional(),
  /** The enclave is there, whatever the agent does besides. */
  running: z.boolean(),
  /** A batch workload has ended well with this configuration. */
  completed: z.boolean(),
  /** Why the enclave could not be started. */
  failure: z.string().optional(),
});
export type Agent = Readonly<z.infer<typeof AgentSchema>>;

export const HostSchema = z.object({
  instanceId: z.string(),
  region: z.string(),
  state: z.enum(HOST_STATES) satisfies z.ZodType<HostState>,
  /** What the state turns into by itself, and when, ms since 1970. */
  turnsInto: z.enum(HOST_STATES).optional(),
  turnsAt: z.number().optional(),
  launchedAt: z.number(),
  terminatedAt: z.number().optional(),
  instanceType: z.string(),
  architecture: z.enum(['x86_64', 'arm64']),
  amiId: z.string(),
  securityGroupId: z.string().optional(),
  profileName: z.string().optional(),
  tags: z.record(z.string(), z.string()),
  /** The enclave it was made for: what its user data says, whatever becomes of its tags. */
  enclaveId: z.string(),
  /** False for a host of the incumbent: nothing on it reports. */
  hasAgent: z.boolean(),
  /** Whether its metadata service wants tokens; absent: as whoever made it sets it. */
  httpTokens: z.enum(['required', 'optional']).optional(),
  agent: AgentSchema.optional(),
});
export type SimHost = Readonly<z.infer<typeof HostSchema>>;

const AttributesSchema = z.record(z.string(), z.unknown());
export type Attributes = Readonly<z.infer<typeof AttributesSchema>>;

/** A resource that is not a host. Type and name find it, as AWS' own names do. */
export const ResourceSchema = z.object({
  type: z.string(),
  name: z.string(),
  id: z.string(),
  enclaveId: z.string(),
  region: z.string(),
  attributes: AttributesSchema,
});
export type SimResource = Readonly<z.infer<typeof ResourceSchema>>;

export const RecordedSchema = z.object({
  address: z.string(),
  type: z.string(),
  id: z.string(),
  attributes: AttributesSchema,
});
/** One resource as a Terraform state has it. */
export type Recorded = Readonly<z.infer<typeof RecordedSchema>>;

export const StateSchema = z.object({
  key: z.string(),
  /** Rises with every write; a plan made from another serial is stale. */
  serial: z.number(),
  resources: z.array(RecordedSchema),
  outputs: z.record(z.string(), z.string()),
});
export type SimState = Readonly<z.infer<typeof StateSchema>>;

/** An answer of an AWS API that is an error, under AWS' own code. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
