/** What the conformance suites ask of an implementation, and the items they write. */
import { randomUUID } from 'node:crypto';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { toItem } from '../../src/aws/dynamodb/marshal.ts';
import type { EmittedEvent } from '../../src/enclave/event-reasons.ts';
import type { PlanResult } from '../../src/enclave/items/fleet-run.ts';
import { type Lock, READER_VERSION, type Request } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import type { RunItem, RunVariables } from '../../src/enclave/items/run.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import type { Ports } from '../../src/reconciler/ports/index.ts';

export type TableName = 'records' | 'state' | 'history';

/** The ports that stand on tables, and a way to the tables past them. */
export interface TablesHarness {
  readonly ports: Pick<Ports, 'records' | 'state' | 'history' | 'fleetRuns' | 'leases' | 'streams'>;
  /** As somebody else writes: any attribute, no condition. */
  put(table: TableName, item: Readonly<Record<string, AttributeValue>>): Promise<void>;
  delete(table: TableName, key: Readonly<Record<string, string>>): Promise<void>;
  /** The stored item, unmarshalled, keys included. */
  item(table: TableName, key: Readonly<Record<string, string>>): Promise<JsonMap | undefined>;
  /** Operations that the ports have sent to a database so far; absent where there is none. */
  sent?(): readonly string[];
  close(): Promise<void>;
}

export type MakeHarness = () => Promise<TablesHarness>;

/** Suites share their tables: no two tests use one id. */
export const freshId = () => `e-${randomUUID()}`;

export const AT = '2030-01-01T00:00:00.000Z';

export const putPlain = (harness: TablesHarness, table: TableName, item: object) => harness.put(table, toItem(item));

const variables: RunVariables = {
  region: 'us-west-2',
  environment: 'dev',
  stateKey: 'enclaves/x/terraform.tfstate',
  stackVersion: 1,
  walletAddress: '0xabc',
  generation: 1,
  spec: { dockerImage: 'nginx', memoryMiB: 1_024, exposePorts: [80, 443] },
  pinned: { instanceId: 'i-0123456789abcdef0' },
};

export function aLifecycle(id: string, changes: Partial<Lifecycle> = {}): Lifecycle {
  return {
    v: 1,
    minReader: READER_VERSION,
    id,
    identity: { createdAt: AT, walletAddress: '0xabc' },
    incarnation: 'abc123',
    runSeq: 1,
    desired: 'Running',
    lastSeen: { status: 'PENDING_DEPLOY', updatedAt: AT },
    origin: 'PENDING_DEPLOY',
    commandAt: AT,
    hashVersion: 1,
    specHash: 'f'.repeat(64),
    generation: 1,
    observedGeneration: 0,
    phase: 'provisioning',
    phaseSince: AT,
    attempts: { key: 'generation:1', count: 0 },
    pinned: {},
    snapshot: variables,
    touched: true,
    serving: false,
    adopted: false,
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'NotReady',
        message: 'm',
        observedGeneration: 1,
        lastTransitionTime: AT,
      },
    ],
    message: '',
    revision: 1,
    epoch: 1,
    ...changes,
  };
}

export const aLock = (run: string, changes: Partial<Lock> = {}): Lock => ({ run, state: 'intended', ...changes });

export function aRun(id: string, name: string, changes: Partial<RunItem> = {}): RunItem {
  return {
    v: 1,
    minReader: READER_VERSION,
    id,
    name,
    action: 'deploy',
    reason: 'create',
    generation: 1,
    requestedAt: AT,
    variables,
    ...changes,
  };
}

export function aPlanResult(id: string, run: string, changes: Partial<PlanResult> = {}): PlanResult {
  return {
    ...{ v: 1, minReader: 1, id, run, generation: 1, incarnation: 'abc123', startedAt: AT, at: AT, askedAt: AT },
    ...{ lost: false, drifted: false, planDigest: 'none', expiresAt: 1_893_456_000, ...changes },
  };
}

export function aReport(id: string, instanceId: string, changes: Partial<Report> = {}): Report {
  return {
    v: 1,
    minReader: 1,
    id,
    instanceId,
    bootId: 'boot',
    sequence: 1,
    appliedGeneration: 1,
    at: AT,
    enclaves: [{ name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false }],
    health: 'none',
    completed: false,
    measurements: { PCR0: 'a'.repeat(96) },
    ...changes,
  };
}

export const aRequest = (id: string, key: string): Request => ({
  v: 1,
  minReader: 1,
  id,
  key,
  verb: 'retry',
  actor: 'somebody',
  at: AT,
});

/** Of the reasons that any type of event may have. */
type EventChanges = Partial<Omit<EmittedEvent, 'reason'>> & { readonly reason?: 'PhaseChanged' | 'ObserveOnly' };

export const anEvent = (id: string, changes: EventChanges = {}): EmittedEvent => ({
  v: 1,
  minReader: 1,
  id,
  at: AT,
  type: 'Normal',
  reason: 'PhaseChanged',
  message: 'deployed',
  actor: 'operator',
  ...changes,
});

/** All pages of a scan, in one. */
export async function collect<T>(scan: (signal: AbortSignal) => AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const items: T[] = [];
  for await (const page of scan(new AbortController().signal)) items.push(...page);
  return items;
}
