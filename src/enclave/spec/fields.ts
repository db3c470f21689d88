/** Building blocks of the schema: a zod type, and what a person needs to know of the field. */
import { z } from 'zod';
import type { ChangeClass } from './change-class.ts';
import type { IssueCode } from './issues.ts';

/** What the zod type itself does not say. */
export interface FieldMeta {
  /** What a change of the field does to a running enclave; absent in `policy`, which changes nothing running. */
  readonly change?: ChangeClass;
  readonly unit?: string;
  /** The default in words, where it depends on other fields. */
  readonly fallback?: string;
  /** A well-formed value in words: "an s3:// URI". */
  readonly form?: string;
  readonly example?: string;
  /** Of a map: which names its members may have. */
  readonly names?: string;
  /** Codes that are more precise than RANGE and FORMAT. */
  readonly codes?: { readonly form?: IssueCode; readonly small?: IssueCode; readonly big?: IssueCode };
}

const registry = z.registry<FieldMeta>();

/** Attaches what is known of a field to the very schema object that stands in the shape. */
export function field<S extends z.ZodType>(schema: S, meaning: string, meta: FieldMeta = {}): S {
  const described = schema.describe(meaning);
  registry.add(described, meta);
  return described;
}

const NONE: FieldMeta = {};

export function metaOf(schema: z.ZodType): FieldMeta {
  return registry.get(schema) ?? NONE;
}

/** The type itself, without `optional`, `default` and `prefault`. */
export function core(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

/** A string of limited length; a pattern is tried only on one that is short enough. */
export function text(max: number, pattern?: RegExp): z.ZodString {
  const schema = z.string().max(max, { abort: true });
  return pattern === undefined ? schema : schema.regex(pattern);
}

export const int = (min: number, max: number) => z.int().min(min).max(max);

/** A rule that a type alone does not say, broken by values for which `holds` is false. */
export interface Rule {
  readonly code: IssueCode;
  /** What is wrong, after the name of the field: "is all zero". */
  readonly says: string;
  readonly fix: string;
}

export function ruled<S extends z.ZodType>(schema: S, holds: (value: z.output<S>) => boolean, rule: Rule): S {
  return schema.refine(holds, { params: { rule } });
}
