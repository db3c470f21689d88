/** The stores of the reconciler over tables in memory, with DynamoDB's conditions. */
import type { z } from 'zod';
import { isLifecycle } from '../../src/aws/dynamodb/state.ts';
import { minReaderOf, readOr, readOrRefuse, readReport } from '../../src/aws/dynamodb/stored.ts';
import { countEvents } from '../../src/enclave/items/event-window.ts';
import { ControlSchema, LeaseSchema } from '../../src/enclave/items/fleet.ts';
import { PlanResultSchema } from '../../src/enclave/items/fleet-run.ts';
import { keys, LockSchema, READER_VERSION, RequestSchema } from '../../src/enclave/items/items.ts';
import { LifecycleSchema } from '../../src/enclave/items/lifecycle.ts';
import { ReportSchema } from '../../src/enclave/items/report.ts';
import { RunItemSchema } from '../../src/enclave/items/run.ts';
import { isPlainMap, type JsonMap } from '../../src/enclave/json.ts';
import type { HistoryStore, LeaseStore, RawRecord, RecordStore, StateStore } from '../../src/reconciler/ports/index.ts';
import { memoryExecutionArn } from './memory-runs.ts';
import type { MemoryTable } from './memory-table.ts';

/** DynamoDB's limit for an item; here the length of its JSON. */
const LARGEST_ITEM_BYTES = 400 * 1024;
const PAGE_SIZE = 250;

function* pages<T>(items: Iterable<T>): IterableIterator<readonly T[]> {
  let page: T[] = [];
  for (const item of items) {
    page.push(item);
    if (page.length < PAGE_SIZE) continue;
    yield page;
    page = [];
  }
  yield page;
}

/** Items are frozen, so what one parses to can be kept: reading costs what a cache costs, not a schema. */
function remembering<T>(parse: (item: JsonMap) => T): (item: JsonMap | undefined) => T | undefined {
  const parsed = new WeakMap<JsonMap, { readonly value: T }>();
  return (item) => {
    if (item === undefined) return undefined;
    const known = parsed.get(item) ?? { value: parse(item) };
    parsed.set(item, known);
    return known.value;
  };
}

const lenient = <S extends z.ZodType>(schema: S) => remembering((item) => readOr(schema, item, () => {}));
const strict = <S extends z.ZodType>(schema: S, what: string) =>
  remembering((item) => readOrRefuse(schema, item, 'memory', `${what} ${String(item.pk).replace('#', ' ')}`));

export function memoryRecords(table: MemoryTable): RecordStore {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    async get(id) {
      return table.get(id) as RawRecord | undefined;
    },

    async publish(id, read, publication) {
      const item = table.get(id);
      if (item === undefined) return 'conflict';
      for (const attribute of ['status', 'updatedAt', 'createdAt'] as const) {
        if (text(item[attribute]) !== (read[attribute] ?? '')) return 'conflict';
      }
      const next: Record<string, unknown> = { ...item, ...publication.set };
      if (publication.providerInstanceId !== undefined) {
        if (!isPlainMap(item.providerConfig)) return 'conflict';
        next.providerConfig = { ...item.providerConfig, instanceId: publication.providerInstanceId };
      }
      for (const attribute of publication.remove) delete next[attribute];
      if (Buffer.byteLength(JSON.stringify(next)) > LARGEST_ITEM_BYTES) return 'tooLarge';
      table.put(next);
      return 'published';
    },

    async *scan(signal) {
      for (const page of pages(table.items())) {
        signal.throwIfAborted();
        yield page as readonly RawRecord[];
      }
    },
  };
}

export function memoryState(state: MemoryTable, history: MemoryTable, expiresAt: () => number): StateStore {
  const at = (key: { readonly pk: string; readonly sk: string }) => state.get(key.pk, key.sk);
  const anyLifecycle = lenient(LifecycleSchema);
  const anyLock = lenient(LockSchema);
  const lifecycleOf = strict(LifecycleSchema, 'the lifecycle of');
  const lockOf = strict(LockSchema, 'the lock of');
  const reportOf = remembering((item) => {
    const attributes = ['pk', 'sk', ...Object.keys(ReportSchema.shape)];
    const projected = attributes.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]]));
    return readReport(Object.fromEntries(projected) as JsonMap, String(item.sk), () => {});
  });
  const requestOf = lenient(RequestSchema);
  const planResultOf = lenient(PlanResultSchema);
  const controlOf = strict(ControlSchema, 'control of');

  return {
    async read(id) {
      const lifecycle = at(keys.lifecycle(id));
      const lock = at(keys.lock(id));
      if (Math.max(minReaderOf(lifecycle), minReaderOf(lock)) > READER_VERSION) {
        return { lifecycle: anyLifecycle(lifecycle), lock: anyLock(lock), fromTheFuture: true };
      }
      return { lifecycle: lifecycleOf(lifecycle), lock: lockOf(lock), fromTheFuture: false };
    },

    async reports(id, instanceIds) {
      return [...new Set(instanceIds)]
        .map((instanceId) => reportOf(at(keys.report(id, instanceId))))
        .filter((report) => report !== undefined);
    },

    async requests(id) {
      return state
        .partition(keys.requests(id))
        .map(requestOf)
        .filter((request) => request !== undefined);
    },

    async planResults(id) {
      return state
        .partition(keys.planResults(id))
        .map(planResultOf)
        .filter((result) => result !== undefined);
    },

    async commit({ lifecycle, readRevision, start, consumed, planResults = [] }) {
      const { id } = lifecycle;
      const stored = at(keys.lifecycle(id));
      if (readRevision === undefined) {
        if (stored !== undefined) return 'conflict';
      } else if (stored?.revision !== readRevision || !(Number(stored.epoch) <= lifecycle.epoch)) {
        return 'conflict';
      }
      if (start !== undefined) {
        const runKey = keys.run(id, start.run.name);
        if (at(keys.lock(id)) !== undefined || history.get(runKey.pk, runKey.sk) !== undefined) return 'conflict';
        const { action } = start.run;
        const intendedExecution = memoryExecutionArn(start.lock.run, action);
        state.put({ ...start.lock, action, intendedExecution, ...keys.lock(id) });
        history.put({ ...start.run, expiresAt: start.run.expiresAt ?? expiresAt(), ...runKey });
      }
      state.put({ ...lifecycle, ...keys.lifecycle(id) });
      for (const request of consumed) {
        const key = keys.request(request.id, request.key);
        state.delete(key.pk, key.sk);
      }
      for (const result of planResults) state.delete(keys.planResults(result.id), result.run);
      return 'committed';
    },

    async dismiss(requests) {
      for (const request of requests) {
        const key = keys.request(request.id, request.key);
        if (at(key)?.at === request.at) state.delete(key.pk, key.sk);
      }
    },

    async discardPlanResults(results) {
      for (const { id, run, askedAt } of results) {
        if (at(keys.planResult(id, run))?.askedAt === askedAt) state.delete(keys.planResults(id), run);
      }
    },

    async forget(id, readRevision) {
      const key = keys.lifecycle(id);
      if (at(key)?.revision !== readRevision) return 'conflict';
      state.delete(key.pk, key.sk);
      return 'committed';
    },

    async release(id, run, states) {
      const key = keys.lock(id);
      const lock = at(key);
      if (lock?.run !== run || !states.some((each) => each === lock.state)) return 'notHeld';
      state.delete(key.pk, key.sk);
      return 'released';
    },

    async *scan(signal) {
      for (const page of pages(state.items())) {
        signal.throwIfAborted();
        const lifecycles = page
          .filter(isLifecycle)
          .map(anyLifecycle)
          .filter((lifecycle) => lifecycle !== undefined);
        yield { lifecycles, requested: page.flatMap(({ pk }) => keys.requestedOf(String(pk))) };
      }
    },

    async control() {
      return controlOf(at(keys.control));
    },

    async amendControl(set) {
      const stored = at(keys.control);
      if (stored === undefined) throw new Error('fleet/control does not exist');
      state.put({ ...stored, ...set });
    },

    async install(control) {
      if (at(keys.control) === undefined) state.put({ ...control, ...keys.control });
    },
  };
}

export function memoryLeases(state: MemoryTable): LeaseStore {
  const leaseOf = strict(LeaseSchema, 'lease of');
  const stored = () => state.get(keys.lease.pk, keys.lease.sk);
  return {
    async read() {
      return leaseOf(stored());
    },
    async replace(next, expectedNonce) {
      if (stored()?.nonce !== expectedNonce) return 'lost';
      state.put({ ...next, ...keys.lease });
      return 'taken';
    },
  };
}

export function memoryHistory(history: MemoryTable, expiresAt: () => number): HistoryStore {
  const runOf = lenient(RunItemSchema);
  const at = (id: string, name: string) => history.get(keys.runs(id), name);
  return {
    async run(id, name) {
      return runOf(at(id, name));
    },

    async runs(id, limit) {
      return history
        .partition(keys.runs(id))
        .map(runOf)
        .filter((run) => run !== undefined)
        .sort((a, b) => (a.requestedAt < b.requestedAt ? 1 : a.requestedAt > b.requestedAt ? -1 : 0))
        .slice(0, Math.max(limit, 0));
    },

    async requestCancel(id, name, cancelRequestedAt) {
      const item = at(id, name);
      if (item === undefined || item.outcome !== undefined) return 'settled';
      if (item.cancelRequestedAt === undefined) history.put({ ...item, cancelRequestedAt });
      return 'requested';
    },

    async settle(id, name, outcome) {
      const item = at(id, name);
      if (item === undefined || item.outcome !== undefined) return 'already';
      history.put({ ...item, outcome });
      return 'settled';
    },

    async answer(answer) {
      const key = keys.driftAnswer(answer.id, answer.key);
      if (history.get(key.pk, key.sk) !== undefined) return 'already';
      history.put({ ...answer, ...key });
      return 'answered';
    },

    async append(events) {
      for (const { key, event, firstAt, count } of countEvents(events)) {
        const known = history.get(key.pk, key.sk);
        history.put({
          ...known,
          ...event,
          firstAt: known?.firstAt ?? firstAt,
          count: Number(known?.count ?? 0) + count,
          expiresAt: event.expiresAt ?? expiresAt(),
          ...key,
        });
      }
    },
  };
}
