/** One enclave as a row: what `get` and `local` show. */
import { conditionOf } from '../enclave/conditions.ts';
import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import { isPlainMap } from '../enclave/json.ts';
import type { RawRecord } from '../reconciler/ports/index.ts';
import type { Io } from './io.ts';
import { clip, clipToColumns, columnsOf, printable, shortAge } from './output.ts';
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
const MESSAGE = HEAD.length - 1;
/** Left out one after the other on a terminal too narrow for all columns; MESSAGE is cut first. */
const LEFT_OUT = ['HOST', 'DESIRED', 'NAME', 'AGE', 'IN SYNC', 'STATUS', 'MESSAGE', 'PHASE'];
/** Columns of a message that still say something. */
const LEAST_MESSAGE = 24;
const GAP = 2;

/** `wide` prints names and messages whole; else each line fits the terminal, or where there is none, most terminals. */
export function renderRows(io: Pick<Io, 'env' | 'terminal' | 'width'>, rows: readonly Row[], wide: boolean): string {
  const fits = io.terminal && !wide;
  const cut = (value: string | null, length: number) => (wide ? (value ?? '') : clip(printable(value ?? ''), length));
  const cells = rows.map((row) => [
    row.id,
    cut(row.name, 24),
    row.desired ?? '',
    row.phase ?? '',
    row.status ?? '(no record)',
    row.host ?? '',
    row.inSync === null ? '' : row.inSync ? 'True' : 'False',
    shortAge(row.ageSeconds),
    fits ? (row.message ?? '') : cut(row.message, 60),
  ]);
  const [head = [], ...body] = fits ? fitted([HEAD, ...cells], io.width()) : [HEAD, ...cells];
  return renderTable(io, head, body);
}

/** The lines of a table in which no line is wider than `width`: columns are left out or cut, ids are not. */
function fitted(lines: readonly (readonly string[])[], width: number): readonly (readonly string[])[] {
  const clean = lines.map((line) => line.map(printable));
  const widest = HEAD.map((_, column) =>
    clean.reduce((most, line) => Math.max(most, columnsOf(line[column] ?? '')), 0),
  );
  const needed = (columns: readonly number[]) =>
    columns.reduce((sum, column) => sum + GAP + (widest[column] ?? 0), -GAP) -
    (columns.includes(MESSAGE) ? Math.max(0, (widest[MESSAGE] ?? 0) - LEAST_MESSAGE) : 0);
  let kept = HEAD.map((_, column) => column);
  for (const name of LEFT_OUT) {
    if (needed(kept) <= width) break;
    kept = kept.filter((column) => HEAD[column] !== name);
  }
  const room = width - GAP - needed(kept.filter((column) => column !== MESSAGE));
  // Only an id that is wider than the whole terminal is cut.
  return clean.map((line) =>
    kept.map((column) => clipToColumns(line[column] ?? '', column === MESSAGE ? room : width)),
  );
}
