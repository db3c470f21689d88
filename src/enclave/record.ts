/** The record: what the application keeps in the enclaves table, read as it really writes it. */
import { isPlainMap, type JsonMap } from './json.ts';

/** Statuses that are commands. The application writes them; the operator never does. */
export const COMMAND_STATUSES = ['PENDING_DEPLOY', 'PENDING_DESTROY', 'PAUSING', 'RESUMING'] as const;
export type CommandStatus = (typeof COMMAND_STATUSES)[number];

/** Statuses that are observations. The operator writes them. */
export const OBSERVED_STATUSES = ['DEPLOYING', 'DEPLOYED', 'PAUSED', 'DESTROYING', 'DESTROYED', 'FAILED'] as const;
export type ObservedStatus = (typeof OBSERVED_STATUSES)[number];

export type ManagedStatus = CommandStatus | ObservedStatus;

/** The only provider this operator serves; records of others are left alone. */
export const PROVIDER_ID = 'aws-nitro';

/** What makes two records with one id the same enclave: an id that is deleted and created anew differs here. */
export interface RecordIdentity {
  /** The application's `createdAt`, verbatim; empty where the record has none. */
  readonly createdAt: string;
  /** The owner's `walletAddress`, verbatim; empty where the record has none. */
  readonly walletAddress: string;
}

/**
 * A record as read. Attributes that are not strings where strings are expected read as absent, and `problems` names
 * them: a malformed record is reported, never fatal.
 */
export interface EnclaveRecord {
  readonly id: string;
  /** Verbatim; may be a spelling the operator does not know. */
  readonly status: string;
  /** Verbatim; empty where absent (an absent provider reads as {@link PROVIDER_ID}). */
  readonly providerId: string;
  readonly identity: RecordIdentity;
  /** Verbatim; empty where absent. Its format differs by writer, so it is compared for equality, rarely parsed. */
  readonly updatedAt: string;
  /** The whole item, unmarshalled: sets as arrays, numbers too large for a double as strings, binary as base64. */
  readonly raw: JsonMap;
  /** One sentence each: attributes whose type made them unreadable. */
  readonly problems: readonly string[];
}

function text(raw: JsonMap, field: string, problems: string[]): string {
  const value = raw[field];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  problems.push(`${field} is not a string`);
  return '';
}

/** Reads an item of the enclaves table. Total: any map with a string `id` reads. */
export function readRecord(raw: JsonMap & { readonly id: string }): EnclaveRecord {
  const problems: string[] = [];
  const record = {
    id: raw.id,
    status: text(raw, 'status', problems),
    providerId: text(raw, 'providerId', problems) || PROVIDER_ID,
    identity: {
      createdAt: text(raw, 'createdAt', problems),
      walletAddress: text(raw, 'walletAddress', problems),
    },
    updatedAt: text(raw, 'updatedAt', problems),
    raw,
    problems,
  };
  const config = raw.providerConfig;
  if (config !== undefined && !isPlainMap(config)) problems.push('providerConfig is not a map');
  return record;
}

export function isCommand(status: string): status is CommandStatus {
  return (COMMAND_STATUSES as readonly string[]).includes(status);
}

export function isObserved(status: string): status is ObservedStatus {
  return (OBSERVED_STATUSES as readonly string[]).includes(status);
}

/** True where the record is the operator's business at all: a status it knows, of a provider it serves. */
export function isManaged(record: EnclaveRecord): boolean {
  return record.providerId === PROVIDER_ID && (isCommand(record.status) || isObserved(record.status));
}

export function sameIdentity(a: RecordIdentity, b: RecordIdentity): boolean {
  return a.createdAt === b.createdAt && a.walletAddress === b.walletAddress;
}
