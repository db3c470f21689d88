/** The ports of the reconciler: all it needs of the outside world. Adapters live in src/aws, fakes in test/support. */

import type { EmittedEvent } from '../../enclave/event-reasons.ts';
import type { DriftAnswer } from '../../enclave/items/drift-answer.ts';
import type { Control, Lease } from '../../enclave/items/fleet.ts';
import type { FleetLedger, FleetRunItem, PlanResult } from '../../enclave/items/fleet-run.ts';
import type { Lock, Request } from '../../enclave/items/items.ts';
import type { Lifecycle, ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Report } from '../../enclave/items/report.ts';
import type { Outcome, RunItem } from '../../enclave/items/run.ts';
import type { JsonMap } from '../../enclave/json.ts';
import type { AnyRunAction, FleetRunAction, RunAction } from '../../enclave/names.ts';
import type { Hosts } from './hosts.ts';
import type { Inspector } from './inspector.ts';
import type { Surroundings } from './inventory.ts';
import type { Notification } from './notification.ts';
import type { ChangeStream } from './streams.ts';

export type { KeyDocuments, Posture } from '../../drift/index.ts';
export type { Host, HostState, HostStatus, Hosts } from './hosts.ts';
export { OperatorError, type OperatorErrorClass } from './operator-error.ts';
export type { ChangeStream, Shard, ShardPage, TableChange } from './streams.ts';

/** Wall time, local time and waiting. Nothing else in the controller reads a clock. */
export interface Clock {
  /** Wall time, ms since 1970. Persisted deadlines use it; they tolerate skew. */
  now(): number;
  /** Local time in ms that never goes back. Leases and freshness use it. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs` (clamped below 2³¹ ms); returns a function that cancels. */
  schedule(delayMs: number, callback: () => void): () => void;
  /** Resolves after `delayMs`, or early when the signal aborts. Never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `length` characters of a-z0-9, for names and keys; not for secrets. */
  id(length: number): string;
}

/** An item of the enclaves table, unmarshalled. */
export type RawRecord = JsonMap & { readonly id: string };

/** One publish: attributes set, one map member set, and attributes removed, in one conditional write. */
export interface Publication {
  readonly set: Readonly<Record<string, unknown>>;
  /** `providerConfig.instanceId`; only written where the map exists. Undefined: left as it is. */
  readonly providerInstanceId?: string | undefined;
  readonly remove: readonly string[];
}

/** The condition of a publish: the record is still the one that was read. */
export interface ReadVersion {
  /** Undefined, or empty: it was absent, empty or no string, as `readRecord` reads it; it must still be so. */
  readonly status: string | undefined;
  readonly updatedAt: string | undefined;
  readonly createdAt: string | undefined;
}

/** The enclaves table. */
export interface RecordStore {
  /** Strongly consistent. */
  get(id: string): Promise<RawRecord | undefined>;
  /** Conditional on {@link ReadVersion} and existence; never creates an item. `tooLarge`: the item would pass 400 KB. */
  publish(id: string, read: ReadVersion, publication: Publication): Promise<'published' | 'conflict' | 'tooLarge'>;
  /** Strongly consistent scan in pages; each page as it arrives. */
  scan(signal: AbortSignal): AsyncIterable<readonly RawRecord[]>;
}

/** What the operator remembers of one enclave, read consistently. */
export interface Remembered {
  readonly lifecycle: Lifecycle | undefined;
  readonly lock: Lock | undefined;
  /** True where an item asks for a newer reader (`minReader`): the enclave is left alone. */
  readonly fromTheFuture: boolean;
}

/** One commit: all of it or nothing. */
export interface Commit {
  readonly lifecycle: Lifecycle;
  /** Revision the lifecycle had when read; undefined: there was none. */
  readonly readRevision: number | undefined;
  /** Marker's lock and run item, where a run is started. Both must not exist. */
  readonly start?: { readonly lock: Lock; readonly run: RunItem } | undefined;
  /** Requests whose effect this commits; deleted with it. */
  readonly consumed: readonly Request[];
  /** Plan results that are taken into this lifecycle, or that it has overtaken; deleted with it. */
  readonly planResults?: readonly PlanResult[] | undefined;
}

export interface StatePage {
  readonly lifecycles: readonly ListedLifecycle[];
  /** Enclaves for which a request or a plan result waits. */
  readonly requested: readonly string[];
}

/** The state table. Every write is conditional. */
export interface StateStore {
  /** Lifecycle and lock of one instant. Throws `Blocked` where one is malformed, `Conflict` while one is being written. */
  read(id: string): Promise<Remembered>;
  /**
   * Strongly consistent; the reports of these instances, one call each. Hosts write to the partition what they like, so
   * it is never read as a whole; a report that is malformed or too large is left out and logged.
   */
  reports(id: string, instanceIds: readonly string[]): Promise<readonly Report[]>;
  /** Strongly consistent; oldest first. Malformed ones are left out. */
  requests(id: string): Promise<readonly Request[]>;
  /** Strongly consistent; in no order. Malformed ones are left out. */
  planResults(id: string): Promise<readonly PlanResult[]>;
  /** `conflict`: the revision moved, the stored epoch is higher, or the lock or run exists. Nothing was written. */
  commit(commit: Commit): Promise<'committed' | 'conflict'>;
  /** Deletes requests that nobody can carry out, each if it is still the one read. */
  dismiss(requests: readonly Request[]): Promise<void>;
  /** Deletes plan results of an enclave that no longer exists, each if it is still the one read. */
  discardPlanResults(results: readonly PlanResult[]): Promise<void>;
  /** Deletes the lifecycle if its revision is still the one read. */
  forget(id: string, readRevision: number): Promise<'committed' | 'conflict'>;
  /** Deletes the lock if `run` holds it in one of `states`. */
  release(id: string, run: string, states: readonly Lock['state'][]): Promise<'released' | 'notHeld'>;
  /** What a list must know, consistent, in pages. Malformed lifecycles are left out and logged: `read` refuses them by name. */
  scan(signal: AbortSignal): AsyncIterable<StatePage>;
  control(): Promise<Control | undefined>;
  /** Creates `fleet/control` if there is none. */
  install(control: Control): Promise<void>;
  /** Sets members of `fleet/control`, and leaves the others to who wrote them. It must exist. */
  amendControl(set: Partial<Control>): Promise<void>;
}

export interface LeaseStore {
  read(): Promise<Lease | undefined>;
  /** Writes `next` if the stored nonce is still `expectedNonce` (undefined: no item). */
  replace(next: Lease, expectedNonce: string | undefined): Promise<'taken' | 'lost'>;
}

/** The history table. */
export interface HistoryStore {
  run(id: string, name: string): Promise<RunItem | undefined>;
  /** Newest first. */
  runs(id: string, limit: number): Promise<readonly RunItem[]>;
  /** Sets the cancel flag, once, unless an outcome is there. */
  requestCancel(id: string, name: string, at: string): Promise<'requested' | 'settled'>;
  /** Writes the outcome if there is none. */
  settle(id: string, name: string, outcome: Outcome): Promise<'settled' | 'already'>;
  append(events: readonly EmittedEvent[]): Promise<void>;
  /** Writes the answer to a request if there is none. */
  answer(answer: DriftAnswer): Promise<'answered' | 'already'>;
}

/** One commit of the fleet's ledger: all of it or nothing. */
export interface LedgerCommit {
  readonly ledger: FleetLedger;
  /** Revision the ledger had when read; undefined: there was none. */
  readonly readRevision: number | undefined;
  /** The item of a run that is begun; must not exist. */
  readonly start?: FleetRunItem | undefined;
}

/** Runs over several enclaves: the ledger in the state table, and their items in the history table. */
export interface FleetRunStore {
  /** Strongly consistent; undefined: none was ever begun. */
  ledger(): Promise<FleetLedger | undefined>;
  /** `conflict`: the revision moved, the stored epoch is higher, or the run exists. Nothing was written. */
  commit(commit: LedgerCommit): Promise<'committed' | 'conflict'>;
  /** Strongly consistent. */
  run(name: string): Promise<FleetRunItem | undefined>;
  /** Writes the outcome if there is none. */
  settle(name: string, outcome: Outcome): Promise<'settled' | 'already'>;
  /** Writes plan results to the state table, each unless it is there: written again, it stays as it is. */
  deliver(results: readonly PlanResult[]): Promise<void>;
}

export interface ExecutionView {
  /** `missing`: the service does not know the name. `unknown` is never returned: errors are thrown. */
  readonly state: 'running' | 'succeeded' | 'failed' | 'missing';
  readonly executionArn: string;
  /** The cause Step Functions gives, for failed ones. */
  readonly cause?: string | undefined;
}

/** Step Functions. */
export interface Workflows {
  /** Idempotent: `exists` where the name was used before, running or closed. Input is `{enclave_id, run, action}`. */
  start(name: string, action: RunAction, enclaveId: string): Promise<'started' | 'exists'>;
  /** Likewise, of a run over several enclaves. Input is `{run, action}`. */
  startFleetRun(name: string, action: FleetRunAction): Promise<'started' | 'exists'>;
  /** Names of the executions that are running now; eventually consistent. */
  running(action: AnyRunAction): Promise<ReadonlySet<string>>;
  describe(name: string, action: AnyRunAction): Promise<ExecutionView>;
  /** ARNs of every ECS task the execution's history names. */
  tasks(name: string, action: AnyRunAction): Promise<readonly string[]>;
  /** StopExecution: the last resort. */
  abort(name: string, action: AnyRunAction, cause: string): Promise<void>;
}

/** ECS. */
export interface Tasks {
  /** State of each task; `unknown`: ECS does not know it any more. */
  describe(arns: readonly string[]): Promise<ReadonlyMap<string, 'active' | 'stopped' | 'unknown'>>;
  stop(arn: string, reason: string): Promise<void>;
}

/** The object that holds the Terraform state of one enclave, or the lock on it. */
export interface StateObject {
  readonly enclaveId: string;
  readonly key: string;
  /** Wall time, ms. */
  readonly modifiedAt: number;
  /** It is the lock, which lies beside the state while somebody works on it (`<state key>.tflock`). */
  readonly isLock?: true;
}

/** The bucket of Terraform states. */
export interface TerraformStates {
  /** Of all enclaves, in pages: states and locks. Throws on any partial answer. */
  list(signal: AbortSignal): AsyncIterable<readonly StateObject[]>;
}

/** Where people are told: a topic, a webhook. */
export interface Channel {
  /** For logs; holds no secret. */
  readonly name: string;
  /** Resolves once it was taken. A repeat has the id of the first. */
  send(notification: Notification, signal: AbortSignal): Promise<void>;
}

/** Structured logging; one line an event of note. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly records: RecordStore;
  readonly state: StateStore;
  readonly leases: LeaseStore;
  readonly history: HistoryStore;
  readonly fleetRuns: FleetRunStore;
  readonly workflows: Workflows;
  readonly tasks: Tasks;
  readonly hosts: Hosts;
  readonly surroundings: Surroundings;
  readonly inspector: Inspector;
  readonly streams: {
    readonly records: ChangeStream;
    readonly state: ChangeStream;
    readonly history: ChangeStream;
  };
  /** None: nobody looks. */
  readonly states?: TerraformStates | undefined;
  /** None: nobody is told. */
  readonly channels?: readonly Channel[];
}
