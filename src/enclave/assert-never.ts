/** Makes the compiler prove that a switch is exhaustive; throws if unchecked data slips through. */
export function assertNever(value: never, what: string): never {
  throw new Error(`unexpected ${what}: ${JSON.stringify(value)}`);
}
