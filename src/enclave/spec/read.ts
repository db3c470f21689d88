/** Reads the fields of a map by their schema: coerces, then validates each on its own. */
import { z } from 'zod';
import { deepFreeze, isPlainMap, type JsonMap } from '../json.ts';
import { type Coerce, coercerOf } from './coerce.ts';
import { core } from './fields.ts';
import { add, at, error, type Findings, MOST_ISSUES } from './issues.ts';
import { missing, refusal } from './refusal.ts';

interface FieldReader {
  readonly key: string;
  readonly schema: z.ZodType;
  readonly where: string;
  readonly coerce: Coerce;
  /** What an absent field reads as; a failure where it may not be absent. */
  readonly absent: z.ZodSafeParseResult<unknown>;
}

export type Reader<S extends z.ZodObject> = (map: JsonMap, to: Findings) => Partial<z.output<S>>;

/**
 * A reader of the map at `path` whose fields are `schema`'s. It gives every field that could be read: what is wrong does not
 * hide the rest from later checks, so that all errors come at once. With `members`, a list or map of which only a
 * part could be read is given with that part, for checks alone; with `fields`, it is absent.
 */
export function readerOf<S extends z.ZodObject>(schema: S, path: string, keep: 'members' | 'fields'): Reader<S> {
  const fields: FieldReader[] = Object.entries(schema.shape).map(([key, member]) => ({
    key,
    schema: member as z.ZodType,
    where: at(path, key),
    coerce: coercerOf(member as z.ZodType),
    // Computed once and shared by all results, therefore frozen.
    absent: deepFreeze((member as z.ZodType).safeParse(undefined)),
  }));
  return (map, to) => {
    const result: Record<string, unknown> = {};
    for (const field of fields) {
      const raw = Object.hasOwn(map, field.key) ? map[field.key] : undefined;
      const { where } = field;
      if (raw === undefined || raw === null) {
        if (field.absent.success) result[field.key] = field.absent.data;
        else add(to.errors, missing(where, field.schema));
        continue;
      }
      const value = field.coerce(raw, where, to);
      if (unreadable(value, where, field.schema, to)) continue;
      const parsed = field.schema.safeParse(value);
      if (parsed.success) result[field.key] = parsed.data;
      else {
        for (const issue of parsed.error.issues.slice(0, MOST_ISSUES + 1)) {
          add(to.errors, refusal(issue, value, where, field.schema));
        }
        if (keep === 'fields') continue;
        const rest = field.schema.safeParse(without(value, parsed.error.issues));
        if (rest.success) result[field.key] = rest.data;
      }
    }
    return result as Partial<z.output<S>>;
  };
}

/** Elements above which a list or map is not even looked at: no field takes as many. */
const MOST_MEMBERS = 1_000;

/** What zod would take too long for, or pass over in silence: very long lists, and a member called `__proto__`. */
function unreadable(value: unknown, where: string, schema: z.ZodType, to: Findings): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (size > MOST_MEMBERS) {
    error(to, where, 'RANGE', `${where} has ${size} members`, `Keep it below ${MOST_MEMBERS}.`);
    return true;
  }
  if (core(schema) instanceof z.ZodRecord && Object.hasOwn(value, '__proto__')) {
    error(to, at(where, '__proto__'), 'FORMAT', `${where} has a member called __proto__`, 'Call it by another name.');
    return true;
  }
  return false;
}

/** The value without the members the issues are about: a list loses the whole element, a map the single member. */
function without(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const paths = issues.map((issue) => issue.path.map(String));
  const cut = (inner: unknown, at: readonly string[]): unknown => {
    const bad = (step: string, leafOnly: boolean) =>
      paths.some((path) => {
        const begins = at.every((part, depth) => path[depth] === part) && path[at.length] === step;
        return begins && (!leafOnly || path.length === at.length + 1);
      });
    if (Array.isArray(inner)) return inner.filter((_, index) => !bad(String(index), false));
    if (!isPlainMap(inner)) return inner;
    const members = Object.entries(inner).filter(([key]) => !bad(key, true));
    return Object.fromEntries(members.map(([key, member]) => [key, cut(member, [...at, key])]));
  };
  return paths.length > MOST_ISSUES ? undefined : cut(value, []);
}
