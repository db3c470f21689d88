/** A copy of an object without some of its members. */

/** Unlike `Omit`, keeps the types of the other members where an index signature allows any, or where a key is any text. */
export type Without<T, K extends PropertyKey> = string extends K
  ? T
  : { [P in keyof T as P extends K ? never : P]: T[P] };

export function omit<T extends object, K extends keyof T>(object: T, ...keys: readonly K[]): Without<T, K> {
  let rest = object as Readonly<Record<PropertyKey, unknown>>;
  for (const key of keys) {
    // As fast as a destructuring with a fixed name; `delete` would make every later copy of the object ten times slower.
    const { [key]: _omitted, ...others } = rest;
    rest = others;
  }
  return rest as Without<T, K>;
}
