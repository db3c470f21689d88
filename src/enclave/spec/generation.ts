/** The generation of a spec: a hash that tells one meaning from another. */
import { hash } from 'node:crypto';
import { canonicalJson } from '../json.ts';
import type { EnclaveSpec } from './types.ts';

/** Rises whenever the same record would hash differently: a new field, another default, another normal form. */
export const SPEC_HASH_VERSION = 1;

/** Equal for equal meaning, whatever the order of keys; 64 hex digits. */
export function specHash(spec: EnclaveSpec): string {
  return hash('sha256', canonicalJson(spec), 'hex');
}

/** Of specs that are worked out once and looked at often: they are frozen. */
const known = new WeakMap<EnclaveSpec, string>();

function rememberedHash(spec: EnclaveSpec): string {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const made = specHash(spec);
  if (Object.isFrozen(spec)) known.set(spec, made);
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
  return stored.specHash === rememberedHash(spec) ? 'same' : 'changed';
}
