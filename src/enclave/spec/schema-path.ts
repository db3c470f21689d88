/** Finds a field of the record by its path, and says what is known of it. */
import { z } from 'zod';
import type { ChangeClass } from './change-class.ts';
import { core, type FieldMeta, metaOf } from './fields.ts';
import { RecordSchema } from './record-schema.ts';

export interface Found {
  /** The path without list positions, as the reference has it. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly meta: FieldMeta;
  /** Its own class, or that of the map it lies in. */
  readonly change: ChangeClass | undefined;
}

/** Members of a schema: of a map its fields, of a list those of its elements. */
export function membersOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  const type = core(schema);
  if (type instanceof z.ZodObject) return type.shape as Record<string, z.ZodType>;
  return type instanceof z.ZodArray ? membersOf(type.element as z.ZodType) : {};
}

/**
 * The field at a path such as `providerConfig.healthCheck.port` or `providerConfig.exposePorts[0]`. A path into a map
 * of free names (`tags.team`) finds the map.
 */
export function schemaAt(path: string): Found | undefined {
  let found: Found = { path: '', schema: RecordSchema, meta: {}, change: undefined };
  for (const step of path.split(/[.[]/).filter((part) => !/^[0-9]+\]$/.test(part))) {
    if (core(found.schema) instanceof z.ZodRecord) return found;
    const members = membersOf(found.schema);
    const schema = Object.hasOwn(members, step) ? members[step] : undefined;
    if (schema === undefined) return undefined;
    const meta = metaOf(schema);
    found = {
      path: found.path === '' ? step : `${found.path}.${step}`,
      schema,
      meta,
      change: meta.change ?? found.change,
    };
  }
  return found;
}
