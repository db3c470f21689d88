/** The drift table: one entry for each attribute. What the operator, the CLI and the documentation say comes from here. */
import { ACCOUNT_ATTRIBUTES } from './account-attributes.ts';
import type { AttributeEntry } from './attribute-entry.ts';
import { ENCLAVE_ATTRIBUTES } from './enclave-attributes.ts';
import { HOST_ATTRIBUTES } from './host-attributes.ts';
import { NETWORK_ATTRIBUTES } from './network-attributes.ts';

/** In the order of the documentation. The part of a name before its dot is the attribute's class. */
const TABLE = { ...HOST_ATTRIBUTES, ...NETWORK_ATTRIBUTES, ...ENCLAVE_ATTRIBUTES, ...ACCOUNT_ATTRIBUTES } as const;

/** Labels of metrics: a closed list. */
export type Attribute = keyof typeof TABLE;
export const ATTRIBUTES = Object.keys(TABLE) as readonly Attribute[];
export const ENTRIES: Readonly<Record<Attribute, AttributeEntry>> = TABLE;

export function isAttribute(name: string): name is Attribute {
  return Object.hasOwn(ENTRIES, name);
}
