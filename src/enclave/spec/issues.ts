/** Findings about a record: codes, and how they are collected. */
import { nearest } from '../nearest.ts';

/** One finding about a record. */
export interface SpecIssue {
  /** Path in the record, e.g. `providerConfig.cpuCount`; empty for the record itself. */
  readonly field: string;
  readonly code: IssueCode;
  /** What is wrong, with the numbers. */
  readonly message: string;
  /** What to do about it. */
  readonly fix: string;
}

/** What each code says, and who may raise it beside `parseSpec`. */
export const ISSUE_MEANINGS = {
  SYNTAX: 'The document is neither YAML nor JSON (`enclavectl validate`).',
  REQUIRED: 'A field that has no default is absent.',
  TYPE: 'The value is of another type.',
  RANGE: 'The value, or the length of it, is outside the limits.',
  FORMAT: 'The value is not of the form, or not one of the words, the field takes.',
  ID_FORMAT: 'The id cannot name resources: 1 to 63 of `A-Z a-z 0-9 _ -`, beginning with a letter or digit.',
  REGION_NOT_ENABLED: 'The platform covers other regions only.',
  INSTANCE_UNKNOWN: 'The catalogue does not know the instance type, or the region. A warning: newer ones exist.',
  INSTANCE_NO_ENCLAVES: 'EC2 says that the instance type cannot host an enclave.',
  INSTANCE_NOT_IN_REGION: 'The region does not offer the instance type.',
  CPU_TOO_MANY: 'More vCPU than the host can give away: it keeps one core.',
  CPU_NOT_WHOLE_CORES: 'The vCPU are not whole cores of the host.',
  CPU_TOO_FEW: 'Less than one core.',
  MEM_TOO_SMALL: 'Less than the 64 MiB an enclave needs.',
  MEM_TOO_LARGE: 'More memory than the host can give away.',
  MEM_NUMA_WARN: 'CPU and memory of an enclave must lie on one NUMA node; more than half of a large host may not.',
  MEM_ALIGN_WARN: 'Huge pages round memory up: the enclave may show more than was asked for.',
  IMAGE_NO_TAG: 'An image without tag or digest is whatever `latest` is.',
  IMAGE_LATEST_WARN: 'The tag `latest` moves: the measurements change without a change of the record.',
  IMAGE_NO_DIGEST_WARN: 'A tag can be moved to another image; a digest cannot.',
  IMAGE_KEPT_WARN: 'The record names no image; the enclave keeps the image that is applied.',
  IMAGE_IGNORED_WARN: 'Both `eif` and `dockerImage` are given; `eif` is used.',
  IMAGE_ARCH: 'The image is built for another architecture than the host has (found by the run).',
  DEBUG_WITH_KMS: "A debug enclave attests zeros: KMS denies it, or the key's policy admits anyone.",
  DEBUG_IN_PRODUCTION: 'A debug enclave can be read by its host.',
  DEBUG_WARN: 'A debug enclave can be read by its host, and attests zeros.',
  PCR_FORMAT: 'A measurement is not 96 hexadecimal digits.',
  PCR_ALL_ZERO: 'An all-zero measurement admits every debug enclave.',
  PCR4_BINDING: 'PCR4 is the id of the host, which changes when the host is replaced.',
  PORT_RANGE: 'Not a port: 1 to 65535.',
  PORT_DUP: 'The port is listed twice.',
  PORT_RESERVED: 'The port belongs to the host or to its agent.',
  HEALTH_INTERVAL: 'The interval of the health check is outside 5 to 300 seconds.',
  HEALTH_TIMEOUT: 'The health check must time out before the next one begins.',
  HEALTH_PATH: 'Not an absolute path without spaces.',
  BATCH_WITH_HEALTH_WARN: 'A batch workload is not probed; it completes.',
  BATCH_RESTART_ALWAYS: 'A batch workload that completed would be started again for ever.',
  SERVICE_NO_PORT_WARN: 'Nothing can be probed: Healthy stays Unknown.',
  WORKLOAD_TYPE_WARN: 'The record does not say what kind of workload it is.',
  EGRESS_WILDCARD: 'The enclave could reach every host.',
  CIDR_OPEN: 'The ports are open to everybody.',
  SECRET_IN_ENV_WARN: 'Variables are stored in clear; a secret belongs into `secrets`.',
  ENV_UNSAFE: 'The text holds a NUL character, which no process can receive.',
  HIBERNATION: 'EC2 allows hibernation or enclaves, not both.',
  USERDATA_SIZE: 'The bootstrap of the host exceeds the 16,384 bytes of EC2 (found by the run).',
  NAME_COLLISION: 'Another enclave has resources of the same names (found at admission).',
  REFERENCE_NOT_ALLOWED:
    'The record refers to something that `allowedReferences` of the environment does not list. A warning in `dev`, and for a spec that is already applied.',
  IMMUTABLE_CHANGED: 'The field cannot change during the life of an enclave.',
  QUOTA: 'The owner, or the account, has as much as it may (found at admission).',
  DEPENDENCY_SELF: 'The enclave would wait for itself.',
  UPGRADE_WARN: 'Blue-green upgrades are not built yet: the host is recreated.',
  OWNER_WARN: 'The owner is not an Ethereum address; the application also takes an e-mail address.',
  STATUS_WARN: 'The operator leaves records of this status alone.',
  COERCED: 'The value was read as another type, as the application writes it.',
  ID_DUPLICATE: 'Another document has the same id (`enclavectl apply`, `diff` and `validate`).',
  UNKNOWN_FIELD:
    'The operator does not read the field. In a stored record this is a warning. In a file it is an error if the field is in `providerConfig` or `policy`, or resembles a known field.',
} as const;
export type IssueCode = keyof typeof ISSUE_MEANINGS;

/** So that a record of 400 KB cannot become a report of many MB; one closing issue says how many were left out. */
export const MOST_ISSUES = 100;

/** Collects the findings of one record. */
export interface Findings {
  readonly errors: SpecIssue[];
  readonly warnings: SpecIssue[];
  /** See `SpecContext`. */
  readonly refusesUnknownFields?: boolean;
}

export function error(to: Findings, field: string, code: IssueCode, message: string, fix: string): void {
  add(to.errors, { field, code, message, fix });
}

export function warn(to: Findings, field: string, code: IssueCode, message: string, fix: string): void {
  add(to.warnings, { field, code, message, fix });
}

/** A field that is not among the `known` ones of its map. `fix` is for one that resembles none of them. */
export function unknownField(to: Findings, field: string, key: string, known: readonly string[], fix: string): void {
  const list = to.refusesUnknownFields === true ? to.errors : to.warnings;
  // Looking for what was meant takes time, and a longer list is cut.
  if (list.length > MOST_ISSUES) return;
  const meant = nearest(key, known);
  const message =
    list === to.errors ? `${field} is not a known field` : `${field} is not a field the operator reads; it is kept`;
  add(list, { field, code: 'UNKNOWN_FIELD', message, fix: meant === undefined ? fix : `Did you mean ${meant}?` });
}

/** Adds one to either list. */
export function add(list: SpecIssue[], issue: SpecIssue): void {
  if (list.length < MOST_ISSUES) list.push(issue);
  else if (list.length === MOST_ISSUES) {
    const fix = 'Mend those named, then validate again.';
    list.push({ field: '', code: issue.code, message: `more than ${MOST_ISSUES} findings; the rest is left out`, fix });
  }
}

/** A value of a record, short enough for a message and on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return String(value);
}

/** The path of a member; names that are not plain words are quoted. */
export function at(path: string, key: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(key)) return `${path}[${show(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}
