/**
 * Packed: the members of an item that hold specs, policies and conditions, kept as JSON text.
 *
 * A database pays for each value of a map on every read and write, and most of an item would be such values. No
 * expression names them, so text serves as well. What is read may be either.
 */
import { z } from 'zod';
import { isPlainMap } from '../json.ts';

/** Reads text as the value it stands for; text that is no JSON goes to the schema as it is, which refuses it by name. */
export function packed<S extends z.ZodType>(schema: S) {
  return z.preprocess(unpacked, schema);
}

function unpacked(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function packMembers(item: object, names: readonly string[]): Record<string, unknown> {
  const entries = Object.entries(item).map(([name, value]) => [
    name,
    names.includes(name) && value !== undefined ? JSON.stringify(value) : value,
  ]);
  return Object.fromEntries(entries);
}

const VARIABLES = ['spec', 'policy'];
/** A program that knows only maps would take text for a fault of the item. */
const MIN_READER = 2;

function forReaders(item: Record<string, unknown>): Record<string, unknown> {
  const minReader = typeof item.minReader === 'number' ? item.minReader : 1;
  return { ...item, minReader: Math.max(minReader, MIN_READER) };
}

/** A lifecycle, as it is stored. */
export function packLifecycle(lifecycle: object): object {
  const item = forReaders(packMembers(lifecycle, ['applied', 'policy', 'conditions', 'planned']));
  return isPlainMap(item.snapshot) ? { ...item, snapshot: packMembers(item.snapshot, VARIABLES) } : item;
}

/** A run item, as it is stored. */
export function packRun(run: object): object {
  const item = forReaders({ ...run });
  return isPlainMap(item.variables) ? { ...item, variables: packMembers(item.variables, VARIABLES) } : item;
}
