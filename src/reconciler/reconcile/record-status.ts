/** Record status: what the operator writes into the record, and whether the record already has it. */
import { type Condition, conditionOf } from '../../enclave/conditions.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { equalJson, isPlainMap, type JsonMap } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { type EnclaveRecord, isManaged } from '../../enclave/record.ts';
import type { SpecResult } from '../../enclave/spec/spec.ts';
import { failureText, type Intent, type Limits, statusToPublish } from '../../machines/index.ts';
import { OperatorError, type Publication } from '../ports/index.ts';
import type { ReconcileContext } from './context.ts';

/** The incumbent's value of `architecture`; nobody reads it, and records must not differ by who deployed them. */
const ARCHITECTURE = 'vsocket-v2';

export interface PublicationInput {
  readonly lifecycle: Lifecycle;
  readonly record: EnclaveRecord;
  readonly now: number;
  readonly limits: Limits;
  readonly workloadType: string | undefined;
}

/** Writes the record where it does not say so already. *Errors*: `Conflict` where the record has changed. */
export async function publish(
  record: EnclaveRecord,
  lifecycle: Lifecycle,
  intent: Intent,
  spec: SpecResult | undefined,
  context: ReconcileContext,
): Promise<void> {
  const { ports, config } = context;
  if (!isManaged(record)) return;
  const now = ports.clock.now();
  const publication =
    intent.record === 'ours'
      ? publicationOf({
          lifecycle,
          record,
          now,
          limits: config,
          workloadType: spec?.ok === true ? spec.spec.workloadType : undefined,
        })
      : waitingPublication(record, lifecycle, now);
  if (publication === undefined) return;
  context.epoch();
  const text = (name: string) => (typeof record.raw[name] === 'string' ? (record.raw[name] as string) : undefined);
  const read = { status: text('status'), updatedAt: text('updatedAt'), createdAt: text('createdAt') };
  let result = await ports.records.publish(record.id, read, publication);
  if (result === 'tooLarge') {
    const small = smallPublication(publication);
    result = small === undefined ? 'published' : await ports.records.publish(record.id, read, small);
  }
  if (result === 'published') context.onPublished(record.id, String(publication.set.updatedAt));
  // The record changed under our hands: what it says now decides.
  if (result === 'conflict')
    throw new OperatorError('Conflict', 'dynamodb:UpdateItem', `the record of ${record.id} has changed`);
}

/** The attributes that differ from the record; undefined where it already says everything. */
export function publicationOf(input: PublicationInput): Publication | undefined {
  const { lifecycle, record, now } = input;
  const { raw } = record;
  const set: Record<string, unknown> = {};
  const remove: string[] = [];
  const want = (name: string, value: unknown) => {
    if (!equalJson(raw[name], value)) set[name] = value;
  };

  const status = statusToPublish(lifecycle, record.status, now, input.limits);
  if (status !== undefined && status !== record.status) set.status = status;
  const error = errorOf(lifecycle, status ?? record.status);
  // Taken over as failed: what the record says of it is all that is known.
  const unexplained = error === undefined && (status ?? record.status) === 'FAILED';
  if (error === undefined && !unexplained) {
    for (const name of ['error_message', 'error_type']) if (raw[name] !== undefined) remove.push(name);
  } else if (error !== undefined) {
    want('error_message', error.message);
    want('error_type', error.type);
  }
  const { instanceId } = lifecycle.pinned;
  if (instanceId !== undefined) {
    want('instance_id', instanceId);
    want('architecture', ARCHITECTURE);
    if (input.workloadType !== undefined) want('workload_type', input.workloadType);
  }
  want('operator', operatorMap(lifecycle));
  const providerInstanceId =
    instanceId !== undefined && isPlainMap(raw.providerConfig) && raw.providerConfig.instanceId !== instanceId
      ? instanceId
      : undefined;

  if (Object.keys(set).length === 0 && remove.length === 0 && providerInstanceId === undefined) return undefined;
  return { set: stamped(set, now), remove, providerInstanceId };
}

/** A record of another identity only learns that it waits. */
export function waitingPublication(record: EnclaveRecord, lifecycle: Lifecycle, now: number): Publication | undefined {
  const operator = {
    phase: 'pending',
    observedGeneration: 0,
    conditions: [],
    message: lifecycle.retained
      ? 'waiting: the resources of a deleted record with the same id are retained by its policy; use another id'
      : 'waiting until the enclave of a deleted record with the same id is destroyed',
  };
  if (equalJson(record.raw.operator, operator)) return undefined;
  return { set: stamped({ operator }, now), remove: [] };
}

/** For a record too large to take the map. */
export function smallPublication(publication: Publication): Publication | undefined {
  const set = omit(publication.set, 'operator', 'architecture', 'workload_type');
  const useful = Object.keys(set).some((name) => name !== 'updatedAt' && name !== 'updated_at');
  return useful ? { set, remove: publication.remove } : undefined;
}

function stamped(set: Record<string, unknown>, now: number): Record<string, unknown> {
  const at = new Date(now).toISOString();
  return { ...set, updatedAt: at, updated_at: at };
}

function errorOf(
  lifecycle: Lifecycle,
  status: string,
): { readonly type: string; readonly message: string } | undefined {
  const invalid = conditionOf(lifecycle.conditions, 'SpecValid');
  if (invalid?.status === 'False' && lifecycle.desired !== 'Absent') {
    return { type: 'validation', message: `validation: ${invalid.message}` };
  }
  if (lifecycle.failure !== undefined) {
    return { type: lifecycle.failure.class, message: failureText(lifecycle.failure) };
  }
  if (status === 'FAILED' && lifecycle.phase !== 'stalled') {
    return { type: 'timeout', message: `timeout: not done in time: ${lifecycle.message}; the work goes on` };
  }
  return undefined;
}

function operatorMap(lifecycle: Lifecycle): JsonMap {
  const map: JsonMap = {
    phase: lifecycle.phase,
    observedGeneration: lifecycle.observedGeneration,
    conditions: lifecycle.conditions.map(publishedCondition),
    message: lifecycle.message.slice(0, 1_000),
  };
  return lifecycle.nextAttemptAt === undefined ? map : { ...map, nextAttemptAt: lifecycle.nextAttemptAt };
}

function publishedCondition(condition: Condition): JsonMap {
  return {
    type: condition.type,
    status: condition.status,
    reason: condition.reason,
    message: condition.message.slice(0, 500),
    observedGeneration: condition.observedGeneration,
    lastTransitionTime: condition.lastTransitionTime,
  };
}
