/** What there is to know of a field: for `enclavectl explain` and the reference. */
import { z } from 'zod';
import { nearest } from '../nearest.ts';
import type { ChangeClass } from './change-class.ts';
import { core, metaOf } from './fields.ts';
import { RecordSchema } from './record-schema.ts';
import { membersOf, schemaAt } from './schema-path.ts';

export interface FieldDoc {
  /** Path in the record; empty for the record itself. */
  readonly path: string;
  /** `integer`, `text`, `list of text`, `map`, … */
  readonly type: string;
  readonly meaning: string;
  readonly required: boolean;
  readonly unit?: string;
  /** Limits and words in one line: `64 to 16777216`, `batch, service or daemon`, `at most 32 entries`. */
  readonly range?: string;
  readonly default?: string;
  readonly example?: string;
  /** What a change of it does to a running enclave; absent where it never changes or does nothing. */
  readonly change?: ChangeClass;
  /** The fields inside it. */
  readonly fields: readonly FieldDoc[];
}

/**
 * Explains the field at a path, the record without one. Fields of `providerConfig` are found by their own name too.
 * Undefined where there is none: {@link nearestField} may know which was meant.
 */
export function explainField(path = ''): FieldDoc | undefined {
  if (path === '') return document('', RecordSchema, undefined);
  const found = schemaAt(path) ?? schemaAt(`providerConfig.${path}`);
  return found && document(found.path, found.schema, found.change);
}

/** The path that looks most like the one given. */
export function nearestField(path: string): string | undefined {
  const all = paths(document('', RecordSchema, undefined));
  const own = (candidate: string) => candidate.replace(/^providerConfig\./, '');
  const meant = nearest(own(path), all.map(own));
  return meant === undefined ? undefined : all.find((candidate) => own(candidate) === meant);
}

function paths({ path, fields }: FieldDoc): string[] {
  return [...(path === '' ? [] : [path]), ...fields.flatMap(paths)];
}

function document(path: string, schema: z.ZodType, inherited: ChangeClass | undefined): FieldDoc {
  const meta = metaOf(schema);
  const change = meta.change ?? inherited;
  const absent = schema.safeParse(undefined);
  const range = rangeOf(schema);
  const fallback = meta.fallback ?? defaultOf(absent);
  const fields = Object.entries(membersOf(schema)).map(([key, member]) =>
    document(path === '' ? key : `${path}.${key}`, member, change),
  );
  return {
    path,
    type: typeOf(schema),
    meaning: schema.description ?? 'A record of the enclaves table.',
    required: !absent.success,
    ...(meta.unit === undefined ? {} : { unit: meta.unit }),
    ...(range === undefined ? {} : { range }),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(meta.example === undefined ? {} : { example: meta.example }),
    ...(change === undefined || path === 'providerConfig' ? {} : { change }),
    fields,
  };
}

/** Maps with fields have none of their own: their fields have. */
function defaultOf(absent: z.ZodSafeParseResult<unknown>): string | undefined {
  if (!absent.success) return undefined;
  const { data } = absent;
  if (data === undefined) return 'absent';
  if (typeof data === 'object' && data !== null && !Array.isArray(data) && Object.keys(data).length > 0) {
    return undefined;
  }
  return typeof data === 'string' ? data : JSON.stringify(data);
}

function typeOf(schema: z.ZodType): string {
  const type = core(schema);
  if (type instanceof z.ZodNumber) return 'integer';
  if (type instanceof z.ZodBoolean) return 'boolean';
  if (type instanceof z.ZodArray) return `list of ${plural(typeOf(type.element as z.ZodType))}`;
  if (type instanceof z.ZodRecord) return `map of ${plural(typeOf(type.valueType as z.ZodType))}`;
  if (type instanceof z.ZodObject) return 'map';
  if (type instanceof z.ZodEnum) return 'word';
  if (type instanceof z.ZodLiteral) return typeof [...type.values][0] === 'number' ? 'integer' : 'word';
  return 'text';
}

function plural(type: string): string {
  return type === 'text' ? 'texts' : `${type}s`;
}

function rangeOf(schema: z.ZodType): string | undefined {
  const type = core(schema);
  const { form, names } = metaOf(schema);
  if (type instanceof z.ZodNumber) return `${type.minValue} to ${type.maxValue}`;
  if (type instanceof z.ZodBoolean) return 'true, false';
  if (type instanceof z.ZodEnum) return type.options.join(', ');
  if (type instanceof z.ZodLiteral) return [...type.values].join(', ');
  if (type instanceof z.ZodArray) {
    const inner = rangeOf(type.element as z.ZodType);
    const most = z.toJSONSchema(type, { io: 'input' }).maxItems;
    const size = most === undefined ? undefined : `at most ${most}`;
    return [size, inner].filter((part) => part !== undefined).join('; each ') || undefined;
  }
  if (type instanceof z.ZodRecord) return names === undefined ? undefined : `names: ${names}`;
  return form;
}
