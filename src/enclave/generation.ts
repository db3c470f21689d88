/** The generation of a spec: a hash that tells one meaning from another. */
import { hash } from 'node:crypto';
import { canonicalJson } from './json.ts';
import type { EnclaveSpec } from './spec-types.ts';

/** Rises whenever the same record would hash differently: a new field, another default, another normal form. */
export const SPEC_HASH_VERSION = 1;

/** Of specs that are read once and kept: they are frozen. */
const hashes = new WeakMap<EnclaveSpec, string>();

/** Equal for equal meaning, whatever the order of keys; 64 hex digits. */
export function specHash(spec: EnclaveSpec): string {
  const known = hashes.get(spec);
  if (known !== undefined) return known;
  const made = hash('sha256', canonicalJson(spec), 'hex');
  if (Object.isFrozen(spec)) hashes.set(spec, made);
  return made;
}

export interface StoredHash {
  readonly hashVersion: number;
  readonly specHash: string;
}

/**
 * How a spec relates to a stored hash. Hashes of different versions cannot be compared: `otherVersion` is no change,
 * it only asks to store the hash anew.
 */
export function compareHash(stored: StoredHash, spec: EnclaveSpec): 'same' | 'changed' | 'otherVersion' {
  if (stored.hashVersion !== SPEC_HASH_VERSION) return 'otherVersion';
  return stored.specHash === specHash(spec) ? 'same' : 'changed';
}
