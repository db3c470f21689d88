/** Legacy spellings: the application stores numbers, lists and maps as strings. Every reading of one is a warning. */
import { z } from 'zod';
import { isPlainMap, type JsonMap } from '../json.ts';
import { core } from './fields.ts';
import { at, type Findings, show, unknownField, warn } from './issues.ts';

/** Gives the value the schema is then asked about; a value it cannot read it leaves as it is, for the schema to refuse. */
export type Coerce = (value: unknown, path: string, to: Findings) => unknown;

const asIs: Coerce = (value) => value;

function coerced(path: string, from: string, as: string, to: Findings): void {
  warn(to, path, 'COERCED', `${path} is ${from}, read as ${as}`, `Store ${as}.`);
}

/** Digits alone: not `4.0`, `4GB`, ` `, `-1` or `1e3`. */
const number: Coerce = (value, path, to) => {
  if (typeof value !== 'string' || !/^[0-9]{1,15}$/.test(value)) return value;
  coerced(path, `the text ${show(value)}`, 'a number', to);
  return Number(value);
};

const boolean: Coerce = (value, path, to) => {
  if (value !== 'true' && value !== 'false') return value;
  coerced(path, `the text ${show(value)}`, 'true or false', to);
  return value === 'true';
};

/** Values of variables and tags: `8080` and `true` are written without quotes often enough. */
const string: Coerce = (value, path, to) => {
  if (typeof value !== 'number' && typeof value !== 'boolean') return value;
  coerced(path, show(value), 'text', to);
  return String(value);
};

function list(element: Coerce): Coerce {
  return (value, path, to) => {
    if (typeof value === 'string') {
      const parts = value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
      // One warning for the whole: its numbers are text because the list is.
      if (parts.length > 0) coerced(path, 'a text with commas', 'a list', to);
      const silent: Findings = { errors: [], warnings: [] };
      return parts.map((part) => element(part, path, silent));
    }
    if (!Array.isArray(value) || element === asIs) return value;
    return value.map((item, index) => element(item, `${path}[${index}]`, to));
  };
}

/** A map, or the JSON text of one; an empty text is an empty map, as the application's form leaves it. */
function mapOf(value: unknown, path: string, to: Findings): JsonMap | undefined {
  if (typeof value !== 'string') return isPlainMap(value) ? value : undefined;
  if (value.trim() === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  if (!isPlainMap(parsed)) return undefined;
  coerced(path, 'JSON text', 'a map', to);
  return parsed;
}

function record(element: Coerce): Coerce {
  return (value, path, to) => {
    const map = mapOf(value, path, to);
    if (map === undefined) return value;
    if (element === asIs) return map;
    return Object.fromEntries(
      Object.entries(map).map(([key, member]) => [key, element(member, at(path, key), to)] as const),
    );
  };
}

function object(schema: z.ZodObject): Coerce {
  const members = new Map(
    Object.entries(schema.shape).map(([key, member]) => [key, coercerOf(member as z.ZodType)] as const),
  );
  const known = [...members.keys()];
  const fix = known.length === 0 ? 'Remove it.' : `Known here: ${known.join(', ')}.`;
  return (value, path, to) => {
    const map = mapOf(value, path, to);
    if (map === undefined) return value;
    const result: Record<string, unknown> = {};
    for (const [key, coerce] of members) {
      // Own members only, and null is absent: so DynamoDB stores what an application left out.
      const member = Object.hasOwn(map, key) ? map[key] : undefined;
      if (member !== undefined && member !== null) result[key] = coerce(member, at(path, key), to);
    }
    for (const key of Object.keys(map)) {
      if (!members.has(key)) unknownField(to, at(path, key), key, known, fix);
    }
    return result;
  };
}

/** The coercion of a type, built once when the schema is loaded. */
export function coercerOf(schema: z.ZodType): Coerce {
  const type = core(schema);
  if (type instanceof z.ZodNumber) return number;
  if (type instanceof z.ZodLiteral) return [...type.values].some((value) => typeof value === 'number') ? number : asIs;
  if (type instanceof z.ZodBoolean) return boolean;
  if (type instanceof z.ZodArray) return list(coercerOf(type.element as z.ZodType));
  if (type instanceof z.ZodRecord)
    return record(core(type.valueType as z.ZodType) instanceof z.ZodString ? string : asIs);
  if (type instanceof z.ZodObject) return object(type);
  return asIs;
}
