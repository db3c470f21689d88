/** The specification: what one enclave should be, normalized and fully defaulted, or every reason why it cannot be. */
import { z } from 'zod';
import { deepFreeze, isGiven, isPlainMap, type JsonMap } from '../json.ts';
import { nearest } from '../nearest.ts';
import { omit } from '../omit.ts';
import { isCommand, isObserved } from '../record.ts';
import { checkHost } from './checks-host.ts';
import { checkNetwork } from './checks-network.ts';
import { checkWorkload } from './checks-workload.ts';
import { coercerOf } from './coerce.ts';
import { add, at, error, type Findings, type SpecIssue, show, unknownField, warn } from './issues.ts';
import { normalize } from './normalize.ts';
import { parsePolicy } from './policy.ts';
import { PolicySchema } from './policy-schema.ts';
import { readerOf } from './read.ts';
import { checkReferences } from './references.ts';
import { ProviderConfigSchema, RecordFieldsSchema } from './schema.ts';
import type { AppliedSpec, Draft, EnclaveSpec, SpecContext, SpecResult } from './types.ts';

export { compareHash, SPEC_HASH_VERSION, type StoredHash, specHash } from './generation.ts';
export type { IssueCode, SpecIssue } from './issues.ts';
export type { AppliedSpec, EnclaveSpec, SpecContext, SpecResult } from './types.ts';

const readRecordFields = readerOf(RecordFieldsSchema, '', 'members');
const readConfig = readerOf(ProviderConfigSchema, 'providerConfig', 'members');
/** Of its members nothing: they are read by their schema, like those of a map that was never text. */
const asMap = coercerOf(z.record(z.string(), z.unknown()));

/** Attributes other components write: not ours to read, not the user's mistake. */
const FOREIGN = new Set(
  'status createdAt updatedAt updated_at githubConnection error_message error_type instance_id architecture workload_type configuration sourceType buildId buildStatus buildLogGroup operator'.split(
    ' ',
  ),
);
export const FOREIGN_CONFIG: ReadonlySet<string> = new Set(['instanceId', 'compliance', 'signingAddress']);
const RECORD_KEYS = [...Object.keys(RecordFieldsSchema.shape), 'name', 'description', 'providerConfig', 'policy'];
const CONFIG_KEYS = Object.keys(ProviderConfigSchema.shape);
const POLICY_KEYS = Object.keys(PolicySchema.shape);
/** Where each field belongs; the outermost, where one name is used twice. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ...POLICY_KEYS.map((key) => [key, `policy.${key}`] as const),
  ...CONFIG_KEYS.map((key) => [key, `providerConfig.${key}`] as const),
  ...RECORD_KEYS.map((key) => [key, key] as const),
]);

/** What of a record makes its spec, as it was read so far. */
export interface SpecSource {
  readonly providerConfig: unknown;
  /** Absent where it could not be read. */
  readonly region: string | undefined;
  readonly tags: EnclaveSpec['tags'] | undefined;
  /** The image that is applied, where `providerConfig` names none. */
  readonly appliedImage?: JsonMap | undefined;
}

export interface WorkedOut {
  /** Complete where there are no errors; frozen. */
  readonly draft: Draft;
  readonly given: JsonMap;
  readonly errors: readonly SpecIssue[];
  readonly warnings: readonly SpecIssue[];
}

/** The part of reading a record that takes most of its time, and does not depend on whose record it is. */
export function workOut({ providerConfig, region, tags, appliedImage }: SpecSource, context: SpecContext): WorkedOut {
  const { refusesUnknownFields = false } = context;
  const to: Findings = { errors: [], warnings: [], refusesUnknownFields };
  if (region !== undefined) checkRegion(region, context, to);
  const given = withImage(withoutEmptyImage(configOf(providerConfig, to)), appliedImage, to);
  const config = readConfig(given, to);
  const draft = {
    ...normalize(config, to),
    ...(region === undefined ? {} : { region }),
    ...(tags === undefined ? {} : { tags }),
  };
  checkHost(draft, config, to);
  checkWorkload(draft, given, context.environment, to);
  checkNetwork(draft, context.environment, to);
  return { draft: deepFreeze(draft), given, errors: to.errors, warnings: to.warnings };
}

export interface Reading {
  /** Stands in for {@link workOut} where its results are kept. */
  readonly worked?: (source: SpecSource, context: SpecContext) => WorkedOut;
  /** Absent: the enclave is new. */
  readonly applied?: AppliedSpec | undefined;
}

/**
 * Reads a record of the enclaves table, against what its enclave runs already.
 *
 * *Guarantees*: pure and total: returns for any JSON value, never throws. All errors at once. Equal meaning gives an
 * equal spec, and the spec's own record ({@link recordOf}) gives the spec again. What is unknown is not read.
 */
export function parseSpec(raw: unknown, context: SpecContext, { worked = workOut, applied }: Reading = {}): SpecResult {
  const { refusesUnknownFields = false } = context;
  const to: Findings = { errors: [], warnings: [], refusesUnknownFields };
  if (!isPlainMap(raw)) {
    error(to, '', 'TYPE', `the record is ${show(raw)}, not a map`, 'Write a map with at least id and walletAddress.');
    return { ok: false, errors: to.errors, warnings: to.warnings };
  }
  const record = readRecordFields(raw, to);
  checkRecord(raw, to);
  const { draft, given, errors, warnings } = worked(
    {
      providerConfig: raw.providerConfig,
      region: 'region' in record ? (record.region ?? context.defaultRegion) : undefined,
      tags: record.tags,
      appliedImage: namesImage(raw.providerConfig) ? undefined : imageOf(applied?.spec),
    },
    context,
  );
  for (const issue of errors) add(to.errors, issue);
  for (const issue of warnings) add(to.warnings, issue);

  const policy = parsePolicy(raw.policy, record.id, refusesUnknownFields);
  for (const issue of policy.errors) add(to.errors, issue);
  for (const issue of policy.warnings) add(to.warnings, issue);
  checkUnknown(raw, given, to);
  const isValid = to.errors.length === 0;
  checkReferences(draft, context, () => isValid && applied?.equals(draft as EnclaveSpec) === true, to);

  if (to.errors.length > 0) return { ok: false, errors: to.errors, warnings: to.warnings };
  // Without an error every field was read, so the draft is complete.
  return { ok: true, spec: draft as EnclaveSpec, warnings: to.warnings };
}

/** `providerConfig` as a map; JSON text of one is read, as everywhere. */
function configOf(value: unknown, to: Findings): JsonMap {
  if (value === undefined || value === null) return {};
  const field = 'providerConfig';
  if (typeof value !== 'string') {
    if (isPlainMap(value)) return value;
  } else {
    const map = asMap(value, field, to);
    if (isPlainMap(map)) return map;
  }
  error(to, field, 'TYPE', `${field} is ${show(value)}, not a map`, 'Make it a map.');
  return {};
}

/** Of a spec with an image file `dockerImage` is empty, and its record must read back; elsewhere empty is an error. */
function withoutEmptyImage(given: JsonMap): JsonMap {
  if (given.dockerImage !== '' || given.eif === undefined || given.eif === null) return given;
  return omit(given, 'dockerImage');
}

/** False for text, too: whether it names an image shows only when it is read. */
function namesImage(providerConfig: unknown): boolean {
  return isPlainMap(providerConfig) && (isGiven(providerConfig.dockerImage) || isGiven(providerConfig.eif));
}

/** The image of a spec as a record names it, with where it comes from and how its registry is entered. */
function imageOf(spec: EnclaveSpec | undefined): JsonMap | undefined {
  if (spec === undefined) return undefined;
  const { dockerImage, eif, sourceType, registryCredentialsArn } = spec;
  if (eif !== undefined) return { eif: { ...eif } };
  return { dockerImage, sourceType, ...(registryCredentialsArn === undefined ? {} : { registryCredentialsArn }) };
}

/** The application replaces the whole map with every edit, also where the edit names a single field of it. */
function withImage(given: JsonMap, appliedImage: JsonMap | undefined, to: Findings): JsonMap {
  if (appliedImage === undefined || isGiven(given.dockerImage) || isGiven(given.eif)) return given;
  const field = 'providerConfig.dockerImage';
  const message = 'the record names no image; the enclave keeps the image that is applied';
  warn(to, field, 'IMAGE_KEPT_WARN', message, `Set ${field} or providerConfig.eif.`);
  const stated = Object.entries(given).filter(([, value]) => isGiven(value));
  return { ...appliedImage, ...Object.fromEntries(stated) };
}

function checkRecord(raw: JsonMap, to: Findings): void {
  for (const [key, most] of [
    ['name', 128],
    ['description', 1_024],
  ] as const) {
    const value = raw[key];
    if (value === undefined || value === null) continue;
    // Labels: they never reach the enclave, so they can be odd without harm.
    if (typeof value !== 'string') warn(to, key, 'TYPE', `${key} is ${show(value)}, not text`, 'Make it text.');
    else if (value.length > most) {
      warn(to, key, 'RANGE', `${key} has ${value.length} characters`, `Keep it to ${most}.`);
    }
  }
  const { walletAddress, status } = raw;
  if (typeof walletAddress === 'string' && !/^0x[0-9a-fA-F]{40}$/.test(walletAddress)) {
    const message = `walletAddress is ${show(walletAddress)}, no Ethereum address`;
    warn(to, 'walletAddress', 'OWNER_WARN', message, 'Nothing, where the application uses e-mail addresses.');
  }
  if (typeof status === 'string' && !isCommand(status) && !isObserved(status)) {
    const message = `status is ${show(status)}: the operator leaves the record alone`;
    warn(to, 'status', 'STATUS_WARN', message, 'PENDING_DEPLOY asks for the enclave.');
  }
}

function checkRegion(region: string, context: SpecContext, to: Findings): void {
  if (context.regions.length > 0 && !context.regions.includes(region)) {
    const meant = nearest(region, context.regions);
    const fix = `Use ${meant === undefined ? `one of ${context.regions.join(', ')}` : meant}.`;
    const message = `the platform does not cover ${region}; it covers ${context.regions.join(', ')}`;
    error(to, 'region', 'REGION_NOT_ENABLED', message, fix);
  }
}

function checkUnknown(raw: JsonMap, given: JsonMap, to: Findings): void {
  for (const key of Object.keys(raw)) {
    if (!RECORD_KEYS.includes(key) && !FOREIGN.has(key)) checkUnknownOfRecord(key, to);
  }
  for (const key of Object.keys(given)) {
    if (CONFIG_KEYS.includes(key) || FOREIGN_CONFIG.has(key)) continue;
    const field = at('providerConfig', key);
    if (POLICY_KEYS.includes(key)) unknownField(to, field, key, [], belongsToPolicy(key));
    else unknownField(to, field, key, CONFIG_KEYS, '`enclavectl explain providerConfig` lists the fields.');
  }
}

/** Other attributes may be another component's, unless they resemble a field: misspelt, or one level too high. */
function checkUnknownOfRecord(key: string, to: Findings): void {
  const field = at('', key);
  if (to.refusesUnknownFields === true) {
    const meant = nearest(key, FIELDS.keys(), Math.max(1, Math.floor(key.length / 4)));
    if (meant !== undefined) {
      unknownField(to, field, key, [], `Did you mean ${FIELDS.get(meant)}?`);
      return;
    }
  }
  const warned: Findings = { ...to, refusesUnknownFields: false };
  if (POLICY_KEYS.includes(key)) unknownField(warned, field, key, [], belongsToPolicy(key));
  else unknownField(warned, field, key, RECORD_KEYS, 'Remove it, if it was meant for the operator.');
}

const belongsToPolicy = (key: string) => `It belongs in the record's map policy: policy.${key}.`;

/** The record a spec stands for, without its identity: what `parseSpec` reads back unchanged. */
export function recordOf(spec: EnclaveSpec): JsonMap {
  const { region, tags, ...config } = spec;
  return { region, tags, providerConfig: config as unknown as JsonMap };
}
