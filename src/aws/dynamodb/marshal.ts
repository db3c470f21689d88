/** DynamoDB items to plain JSON and back. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { JsonMap, JsonValue } from '../../enclave/json.ts';

export type Item = Readonly<Record<string, AttributeValue>>;

/** Decimal digits a double always keeps. */
const DOUBLE_DIGITS = 15;

/** A number where a double holds it exactly enough to give the same text back; else the text. */
function plainNumber(text: string): number | string {
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  // -0 has no JSON of its own.
  if (Number.isSafeInteger(value) && /^-?[0-9]+$/.test(text)) return value + 0;
  const digits = text
    .replace(/[eE].*$/, '')
    .replace(/[^0-9]/g, '')
    .replace(/^0+/, '').length;
  return !Number.isInteger(value) && digits <= DOUBLE_DIGITS ? value : text;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

/**
 * Any attribute as JSON: sets as arrays, binary as base64, numbers too large or too fine for a double as text.
 * Total: never throws, whatever an item holds; an attribute of an unknown type reads as null.
 */
export function toPlainValue(value: AttributeValue): JsonValue {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return plainNumber(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.M !== undefined) return toPlain(value.M);
  if (value.L !== undefined) return value.L.map(toPlainValue);
  if (value.SS !== undefined) return value.SS;
  if (value.NS !== undefined) return value.NS.map(plainNumber);
  if (value.B !== undefined) return base64(value.B);
  if (value.BS !== undefined) return value.BS.map(base64);
  return null;
}

/**
 * `Object.fromEntries` makes own members even of `__proto__`; an assignment would set the prototype. The SDK gives an
 * item's attribute of that name as undefined, whatever its type says: it is left out.
 */
export function toPlain(item: Item): JsonMap {
  const attributes: readonly (readonly [string, AttributeValue | undefined])[] = Object.entries(item);
  return Object.fromEntries(
    attributes.flatMap(([name, value]) => (value === undefined ? [] : [[name, toPlainValue(value)]])),
  );
}

/** Undefined members vanish. Throws on what no item can hold (functions, NaN): a fault of this program. */
export function toItem(plain: object): Record<string, AttributeValue> {
  return marshall({ ...plain }, { removeUndefinedValues: true, allowImpreciseNumbers: true });
}

/** One value; undefined members inside it vanish. */
export function toAttribute(value: unknown): AttributeValue {
  const { value: attribute } = toItem({ value });
  if (attribute === undefined) throw new TypeError('undefined is no attribute value');
  return attribute;
}
