/**
 * Items the operator stores: the state table (pk, sk) and the history table (pk, sk, TTL). Lifecycles, runs, reports
 * and the fleet's own have files of their own.
 *
 * Every schema is loose: members a newer version wrote survive a rewrite by this one. `minReader` above
 * {@link READER_VERSION} means: leave the item alone. Times are RFC 3339 strings with milliseconds.
 */
import { z } from 'zod';

/** The newest item shape this program understands; 2: members may be packed. */
export const READER_VERSION = 2;

export const Versioned = { v: z.number().int().default(1), minReader: z.number().int().default(1) };
/** `enclave#<id>` / `lock`: the one live run. Deleted when released. */
export const LockSchema = z.looseObject({
  run: z.string(),
  state: z.enum(['intended', 'claimed']),
  /** The run's action, and the ARN of the one execution that may claim the lock. Absent: an earlier version wrote it. */
  action: z.enum(['deploy', 'destroy']).optional(),
  intendedExecution: z.string().optional(),
  /** Set by the workflow's claim. */
  executionArn: z.string().optional(),
});
export type Lock = z.infer<typeof LockSchema>;

export const REQUEST_VERBS = ['retry', 'adopt', 'unlock', 'plan', 'approve', 'drift'] as const;
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
const PLAN_RESULTS = 'plan#';
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
  planResults: (id: string) => `${PLAN_RESULTS}${id}`,
  planResult: (id: string, run: string) => ({ pk: `${PLAN_RESULTS}${id}`, sk: run }),
  /** The enclave a partition holds requests or plan results of: one, or none. */
  requestedOf: (pk: string) =>
    [REQUESTS, PLAN_RESULTS].flatMap((prefix) => (pk.startsWith(prefix) ? [pk.slice(prefix.length)] : [])),
  control: { pk: FLEET, sk: 'control' },
  lease: { pk: FLEET, sk: 'lease' },
  runs: (id: string) => `run#${id}`,
  run: (id: string, name: string) => ({ pk: `run#${id}`, sk: name }),
  /** A partition that no enclave's runs can be in, whatever the enclave is called. */
  fleetRuns: FLEET,
  fleetRun: (name: string) => ({ pk: FLEET, sk: name }),
  fleetLedger: { pk: FLEET, sk: 'drift' },
  events: (id: string) => `event#${id}`,
  /** The history table's answer to a request. */
  driftAnswer: (id: string, requestKey: string) => ({ pk: `drift#${id}`, sk: requestKey }),
  event: (id: string, key: string) => ({ pk: `event#${id}`, sk: key }),
} as const;

/** True where an item asks for a newer reader than this program is. */
export function isFromTheFuture(item: { readonly minReader?: number | undefined }): boolean {
  return (item.minReader ?? 1) > READER_VERSION;
}
