/** Conditional writes composed of named conditions. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { toAttribute } from './marshal.ts';

/** A condition's text together with the names and values it refers to. */
export interface Condition {
  readonly text: string;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, AttributeValue>>;
}

/** Placeholders carry the attribute's name, so that conditions can be joined without counting. Never of hostile text. */
const nameOf = (attribute: string) => `#${attribute}`;

function condition(text: string, attribute: string, values: Readonly<Record<string, unknown>> = {}): Condition {
  return {
    text,
    names: { [nameOf(attribute)]: attribute },
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toAttribute(value)])),
  };
}

export const exists = (attribute: string): Condition => condition(`attribute_exists(${nameOf(attribute)})`, attribute);

export const absent = (attribute: string): Condition =>
  condition(`attribute_not_exists(${nameOf(attribute)})`, attribute);

export const equal = (attribute: string, value: string | number): Condition =>
  condition(`${nameOf(attribute)} = :${attribute}`, attribute, { [`:${attribute}`]: value });

export const atMost = (attribute: string, value: number): Condition =>
  condition(`${nameOf(attribute)} <= :${attribute}`, attribute, { [`:${attribute}`]: value });

/** One of at least one value: `IN ()` is no expression. */
export const oneOf = (attribute: string, values: readonly string[]): Condition => {
  const placeholders = values.map((_, index) => `:${attribute}${index}`);
  return condition(
    `${nameOf(attribute)} IN (${placeholders.join(', ')})`,
    attribute,
    Object.fromEntries(values.map((value, index) => [`:${attribute}${index}`, value])),
  );
};

export const isMap = (attribute: string): Condition =>
  condition(`attribute_type(${nameOf(attribute)}, :mapType)`, attribute, { ':mapType': 'M' });

/** No text: the attribute is absent, of another type, or the empty string. */
export const isNoText = (attribute: string): Condition =>
  condition(`(NOT attribute_type(${nameOf(attribute)}, :textType) OR ${nameOf(attribute)} = :emptyText)`, attribute, {
    ':textType': 'S',
    ':emptyText': '',
  });

/** With any of the prefixes. */
export const startsWith = (attribute: string, ...prefixes: readonly string[]): Condition =>
  condition(
    prefixes.map((_, index) => `begins_with(${nameOf(attribute)}, :${attribute}Prefix${index})`).join(' OR '),
    attribute,
    Object.fromEntries(prefixes.map((prefix, index) => [`:${attribute}Prefix${index}`, prefix])),
  );

export const either = (...conditions: readonly Condition[]): Condition => joined(conditions, ' OR ');

export const all = (...conditions: readonly Condition[]): Condition => joined(conditions, ' AND ');

function joined(conditions: readonly Condition[], by: string): Condition {
  return {
    text: conditions.map((each) => each.text).join(by),
    names: Object.assign({}, ...conditions.map((each) => each.names)),
    values: Object.assign({}, ...conditions.map((each) => each.values)),
  };
}

/** As the SDK wants it; empty maps are errors to DynamoDB and are left out. */
export function conditionInput(given: Condition) {
  return {
    ConditionExpression: given.text,
    ExpressionAttributeNames: { ...given.names },
    ...(Object.keys(given.values).length > 0 ? { ExpressionAttributeValues: { ...given.values } } : {}),
  };
}
