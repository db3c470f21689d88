/** Words the refusals of the schema: what the value is, what it may be, and how to mend it. */
import { z } from 'zod';
import { isPlainMap } from '../json.ts';
import { nearest } from '../nearest.ts';
import { core, type FieldMeta, metaOf, type Rule } from './fields.ts';
import { at, type SpecIssue, show } from './issues.ts';

/** The type of a field in words. */
export function typeName(schema: z.ZodType): string {
  const type = core(schema);
  if (type instanceof z.ZodNumber) return 'a whole number';
  if (type instanceof z.ZodBoolean) return 'true or false';
  if (type instanceof z.ZodArray) return 'a list';
  if (type instanceof z.ZodRecord || type instanceof z.ZodObject) return 'a map';
  if (type instanceof z.ZodEnum) return `one of ${type.options.join(', ')}`;
  if (type instanceof z.ZodLiteral) return `one of ${[...type.values].join(', ')}`;
  return 'text';
}

export function missing(where: string, schema: z.ZodType): SpecIssue {
  const meta = metaOf(schema);
  const fix = `Set it to ${meta.form ?? typeName(schema)}${example(meta)}.`;
  return { field: where, code: 'REQUIRED', message: `${where} is missing`, fix };
}

function example(meta: FieldMeta): string {
  return meta.example === undefined ? '' : `, e.g. ${meta.example}`;
}

/** The member of a field that an issue is about. */
interface Place {
  readonly where: string;
  readonly schema: z.ZodType;
  readonly value: unknown;
}

/** Follows the path of a zod issue from a field inwards. */
function locate(issue: z.core.$ZodIssue, value: unknown, where: string, schema: z.ZodType): Place {
  let place: Place = { where, schema, value };
  for (const step of issue.path) {
    const type = core(place.schema);
    const inner = Array.isArray(place.value) || isPlainMap(place.value) ? Reflect.get(place.value, step) : undefined;
    if (type instanceof z.ZodArray) {
      place = { where: `${place.where}[${String(step)}]`, schema: type.element as z.ZodType, value: inner };
      continue;
    }
    let member: z.ZodType = place.schema;
    if (type instanceof z.ZodObject) member = (type.shape as Record<string, z.ZodType>)[String(step)] ?? member;
    // A refused name is the map's business, a refused value its own.
    else if (type instanceof z.ZodRecord && issue.code !== 'invalid_key') member = type.valueType as z.ZodType;
    place = { where: at(place.where, String(step)), schema: member, value: inner };
  }
  return place;
}

/** One issue of zod's about the field at `path`, whose whole value is `root`. */
export function refusal(issue: z.core.$ZodIssue, root: unknown, path: string, schema: z.ZodType): SpecIssue {
  const place = locate(issue, root, path, schema);
  const { where: field, value } = place;
  const meta = metaOf(place.schema);
  switch (issue.code) {
    case 'invalid_type': {
      if (value === undefined) return missing(field, place.schema);
      const type = typeName(place.schema);
      const message = `${field} is ${show(value)}, not ${type}`;
      const unit = meta.unit === undefined ? '' : ` (${meta.unit})`;
      return { field, code: 'TYPE', message, fix: `Set it to ${type}${unit}${example(meta)}.` };
    }
    case 'too_small':
    case 'too_big':
      return outOfRange(issue, place, meta);
    case 'invalid_value': {
      const words = issue.values.map(String);
      const meant = typeof value === 'string' ? nearest(value, words) : undefined;
      const message = `${field} is ${show(value)}, not one of ${words.join(', ')}`;
      const code = typeof value === typeof issue.values[0] ? 'FORMAT' : 'TYPE';
      return {
        field,
        code,
        message,
        fix: meant === undefined ? 'Use one of these.' : `Did you mean ${meant}?`,
      };
    }
    case 'invalid_key': {
      const names = meta.names ?? 'another form';
      return {
        field,
        code: 'FORMAT',
        message: `${field} has a name that is not ${names}`,
        fix: `Rename it: ${names}.`,
      };
    }
    case 'custom': {
      // Made by `ruled`, and by nothing else.
      const rule: Rule = issue.params?.rule;
      return { field, code: rule.code, message: `${field} ${rule.says}`, fix: rule.fix };
    }
    default: {
      const form = meta.form ?? typeName(place.schema);
      const message = `${field} is ${show(value)}, which is not ${form}`;
      return { field, code: meta.codes?.form ?? 'FORMAT', message, fix: `Set it to ${form}${example(meta)}.` };
    }
  }
}

type RangeIssue = z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig;

function outOfRange(issue: RangeIssue, { where: field, value, schema }: Place, meta: FieldMeta): SpecIssue {
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const code = (issue.code === 'too_small' ? meta.codes?.small : meta.codes?.big) ?? 'RANGE';
  if (typeof value === 'number') {
    const unit = meta.unit === undefined ? '' : ` ${meta.unit}`;
    const type = core(schema);
    const [low, high] = type instanceof z.ZodNumber ? [type.minValue, type.maxValue] : [];
    const fix = low == null || high == null ? `Set it to ${limit}.` : `Set it to ${low} to ${high}.`;
    return { field, code, message: `${field} is ${value}${unit}; it must be ${limit}`, fix };
  }
  const [size, things] = Array.isArray(value) ? [value.length, 'entries'] : [String(value).length, 'characters'];
  const message = `${field} has ${size} ${things}; it must have ${limit}`;
  return { field, code, message, fix: `Give it ${limit} ${things}.` };
}
