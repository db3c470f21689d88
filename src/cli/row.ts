/** One enclave as a row: what `get` and `local` show. */
import { conditionOf } from '../enclave/conditions.ts';
import { isPlainMap } from '../enclave/json.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import type { RawRecord } from '../reconciler/ports.ts';
import type { Io } from './io.ts';
import { clip, printable, shortAge } from './output.ts';
import { renderTable } from './table.ts';

/** Null: not known (yet). `get -o json` prints exactly these members. */
export interface Row {
  readonly id: string;
  readonly name: string | null;
  readonly desired: string | null;
  readonly phase: string | null;
  /** Null: the record is gone. */
  readonly status: string | null;
  /** EC2 instance id. */
  readonly host: string | null;
  readonly inSync: boolean | null;
  readonly ageSeconds: number | null;
  readonly message: string | null;
}

/** Joins records and lifecycles by id; also those whose record is gone while their resources are not. */
export function toRows(records: readonly RawRecord[], lifecycles: readonly Lifecycle[], now: number): readonly Row[] {
  const byId = new Map(lifecycles.map((lifecycle) => [lifecycle.id, lifecycle]));
  const rows = records.map((record) => toRow(record.id, record, byId.get(record.id), now));
  const recorded = new Set(records.map((record) => record.id));
  for (const lifecycle of lifecycles) {
    if (!recorded.has(lifecycle.id) && lifecycle.phase !== 'destroyed') {
      rows.push(toRow(lifecycle.id, undefined, lifecycle, now));
    }
  }
  return rows.toSorted((a, b) => (b.ageSeconds ?? 0) - (a.ageSeconds ?? 0) || a.id.localeCompare(b.id));
}

export function toRow(id: string, record: RawRecord | undefined, lifecycle: Lifecycle | undefined, now: number): Row {
  const published = isPlainMap(record?.operator) ? record.operator : {};
  const createdAt = Date.parse(text(record?.createdAt) ?? lifecycle?.identity.createdAt ?? '');
  const inSync = lifecycle === undefined ? undefined : conditionOf(lifecycle.conditions, 'InSync')?.status;
  return {
    id,
    name: text(record?.name),
    desired: lifecycle?.desired ?? null,
    phase: lifecycle?.phase ?? text(published.phase),
    status: text(record?.status),
    host: lifecycle?.pinned.instanceId ?? text(record?.instance_id),
    inSync: inSync === 'True' ? true : inSync === 'False' ? false : null,
    ageSeconds: Number.isNaN(createdAt) ? null : Math.max(0, Math.floor((now - createdAt) / 1_000)),
    message: lifecycle?.message ?? text(published.message) ?? text(record?.error_message),
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

const HEAD = ['ID', 'NAME', 'DESIRED', 'PHASE', 'STATUS', 'HOST', 'IN SYNC', 'AGE', 'MESSAGE'];

/** `wide` prints names and messages whole; else they are cut so that a line fits most terminals. */
export function renderRows(io: Pick<Io, 'env' | 'terminal'>, rows: readonly Row[], wide: boolean): string {
  const cut = (value: string | null, length: number) => (wide ? (value ?? '') : clip(printable(value ?? ''), length));
  return renderTable(
    io,
    HEAD,
    rows.map((row) => [
      row.id,
      cut(row.name, 24),
      row.desired ?? '',
      row.phase ?? '',
      row.status ?? '(no record)',
      row.host ?? '',
      row.inSync === null ? '' : row.inSync ? 'True' : 'False',
      shortAge(row.ageSeconds),
      cut(row.message, 60),
    ]),
  );
}
