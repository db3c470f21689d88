/** Report: what a host's agent says of itself and of its enclaves. */
import { z } from 'zod';
import { Versioned } from './items.ts';

/** Several times what a report with every proxy of the largest spec has. A host can write up to 400 KB. */
export const LARGEST_REPORT_BYTES = 64 * 1024;

/** Each report renews it, so that it outlasts pauses; reports of hosts that are gone are deleted in the end. */
export const REPORT_KEPT_SECONDS = 30 * 24 * 60 * 60;

/**
 * `report#<id>` / `<instance id>`: the host agent's last report. The host may write any item and any number of items to
 * this partition: read it by key only, never as a whole.
 */
export const ReportSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  instanceId: z.string(),
  bootId: z.string(),
  /** Rises with every report of one boot. */
  sequence: z.number().int(),
  appliedGeneration: z.number().int(),
  at: z.string(),
  /** Seconds since 1970; DynamoDB deletes the item then. Absent where an older agent wrote the report. */
  expiresAt: z.number().int().optional(),
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
      /** Of the configuration that failed; absent: the agent knew none, or does not write it. */
      generation: z.number().int().optional(),
    })
    .optional(),
});
export type Report = z.infer<typeof ReportSchema>;
