/** JSON values, and the few questions asked of them everywhere. */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonMap;
export interface JsonMap {
  readonly [key: string]: JsonValue | undefined;
}

/** True for a map: not null, not an array. */
export function isPlainMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Null counts as absent. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** JSON with keys in one order at every depth, so that equal values give equal text. Undefined members vanish. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (!isPlainMap(value)) return JSON.stringify(value) ?? 'null';
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined) members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/** True where both have the same {@link canonicalJson}, at a fraction of the cost where they share parts. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'string' && typeof b === 'string') return false;
  if (Array.isArray(a)) return Array.isArray(b) && equalItems(a, b);
  return isPlainMap(a) && isPlainMap(b) ? equalMembers(a, b) : canonicalJson(a) === canonicalJson(b);
}

/** Called for everything that is looked at, and most of it is equal: plain loops cost a third of the lists' methods. */
function equalItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (!equalJson(a[index], b[index])) return false;
  return true;
}

function equalMembers(a: JsonMap, b: JsonMap): boolean {
  let onlyInB = 0;
  for (const key of Object.keys(b)) if (b[key] !== undefined) onlyInB += 1;
  for (const key of Object.keys(a)) {
    const member = a[key];
    if (member === undefined) continue;
    if (!Object.hasOwn(b, key) || b[key] === undefined || !equalJson(member, b[key])) return false;
    onlyInB -= 1;
  }
  return onlyInB === 0;
}

/** Freezes a value of plain maps and lists, all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
