/** The fields of a record that are its owner's, and what a document would change of them. */
import { canonicalJson, isPlainMap, type JsonMap } from '../enclave/json.ts';
import { omit } from '../enclave/omit.ts';

/** Attributes that are not the owner's: a record that was printed and is applied again carries them along. */
const NOT_THE_OWNERS = new Set([
  'id',
  'status',
  'createdAt',
  'updatedAt',
  'updated_at',
  'error_message',
  'error_type',
  'instance_id',
  'architecture',
  'workload_type',
  'operator',
]);

/** Without the host's id, which is published inside `providerConfig`. */
export function ownersPart(record: JsonMap): JsonMap {
  const part = Object.fromEntries(Object.entries(record).filter(([field]) => !NOT_THE_OWNERS.has(field)));
  if (!isPlainMap(part.providerConfig)) return part;
  return { ...part, providerConfig: omit(part.providerConfig, 'instanceId') };
}

/** What applying the document writes; fields it does not name stay, `providerConfig` is replaced whole. */
export function changedFields(document: JsonMap, stored: JsonMap): JsonMap {
  const current = ownersPart(stored);
  return Object.fromEntries(
    Object.entries(ownersPart(document)).filter(
      ([field, value]) => canonicalJson(value) !== canonicalJson(current[field]),
    ),
  );
}
