/** Names fixed by the contract with the application and by AWS' limits. */
import { createHash } from 'node:crypto';

/** Version of the enclave stack: what the operator's runs apply, and the newest a runner may apply over. */
export const STACK_VERSION = 1;

/** Ids up to this many characters appear whole in run names: the application's Logs tab looks for them there. */
const LONGEST_WHOLE_ID = 50;
const EXECUTION_NAME_LIMIT = 80;

export type RunAction = 'deploy' | 'destroy';
/** Actions of runs that are not one enclave's: no lock, no marker. */
export type FleetRunAction = 'drift';
export type AnyRunAction = RunAction | FleetRunAction;

/** At most `limit` characters of `[A-Za-z0-9_-]`, unique: an id that does not fit keeps its head and gains a hash. */
export function shortenId(id: string, limit: number): string {
  const safe = id.replace(/[^A-Za-z0-9_-]/g, '-');
  if (safe === id && safe.length <= limit) return safe;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 10);
  return `${safe.slice(0, limit - hash.length - 1)}-${hash}`;
}

/** Characters of a run name's random part. */
const NONCE_LENGTH = 6;

/**
 * The name of a run: of its Step Functions execution, its run item and its lock:
 * `e-<id>-<6 random characters>-<seq>-<action>`. At most 80 characters of `[A-Za-z0-9_-]` (StartExecution's limit):
 * an id of 50 characters and `destroy` leave 12 for `seq`.
 *
 * `seq` comes from the write that recorded the intent. It alone would not make the name unique: a state table that is
 * restored from a backup counts again from an earlier number, while the history table keeps the later runs.
 *
 * `random` is in [0, 1).
 */
export function runName(id: string, seq: number, action: RunAction, random: number): string {
  const nonce = Math.floor(random * 36 ** NONCE_LENGTH)
    .toString(36)
    .padStart(NONCE_LENGTH, '0');
  const name = `e-${shortenId(id, LONGEST_WHOLE_ID)}-${nonce}-${seq}-${action}`;
  if (name.length > EXECUTION_NAME_LIMIT) throw new Error(`run name of ${name.length} characters: ${name}`);
  return name;
}

/** A text without the random parts of the run names in it: what two decisions to start the same run have in common. */
export function withoutNonces(text: string): string {
  return text.replace(/-[0-9a-z]{6}(-[0-9]+-(?:deploy|destroy))\b/g, '$1');
}

export const STATES_PREFIX = 'enclaves/';
const STATE_FILE = '/terraform.tfstate';
const LOCK_SUFFIX = '.tflock';

/** Key of the enclave's Terraform state object, as the incumbent has it, so that states are adopted. */
export function stateKey(id: string): string {
  return `${STATES_PREFIX}${id}${STATE_FILE}`;
}

/** The enclave a key is the state of; undefined of other objects. */
export function enclaveOfState(key: string): string | undefined {
  if (!key.startsWith(STATES_PREFIX) || !key.endsWith(STATE_FILE)) return undefined;
  return key.slice(STATES_PREFIX.length, -STATE_FILE.length) || undefined;
}

/** The enclave a key is the lock on the state of, as Terraform's S3 backend names it; undefined of other objects. */
export function enclaveOfLock(key: string): string | undefined {
  return key.endsWith(LOCK_SUFFIX) ? enclaveOfState(key.slice(0, -LOCK_SUFFIX.length)) : undefined;
}

const NAMED_KINDS = ['sg', 'instance-role', 'instance-profile'] as const;
type NamedKind = (typeof NAMED_KINDS)[number];

export const namePrefix = (kind: NamedKind) => `treza-enclave-${kind}-`;
/** IAM allows 64 characters. */
const roomForId = (kind: NamedKind) => 64 - namePrefix(kind).length;

/** Ids up to this many characters appear whole in the names of all resources. */
export const LONGEST_UNSHORTENED_ID = Math.min(...NAMED_KINDS.map(roomForId));

/** Name of a resource of one enclave, e.g. `treza-enclave-sg-<id>`. */
export function resourceName(kind: NamedKind, id: string): string {
  return `${namePrefix(kind)}${shortenId(id, roomForId(kind))}`;
}

/**
 * What stands for an id in the names of its resources. Two ids that share one of these share a resource: a shortened
 * id is itself a valid id, and IAM ignores case.
 */
export function idsInNames(id: string): ReadonlySet<string> {
  return new Set(NAMED_KINDS.map((kind) => shortenId(id, roomForId(kind)).toLowerCase()));
}

/** CloudWatch log group of one enclave; the application's Logs and PCR tabs read it. */
export function logGroupName(id: string): string {
  return `/aws/ec2/enclave/${id}`;
}

/** Where the enclave stack, and the pipeline before it, have the host in their Terraform state. */
export const HOST_ADDRESS = 'aws_instance.enclave_instance';

/** Tag that marks every resource of one enclave; its value is the enclave's id, whole. */
export const TAG_ENCLAVE_ID = 'EnclaveId';
export const TAG_ENVIRONMENT = 'Environment';
export const TAG_MANAGED_BY = 'ManagedBy';
export const TAG_GENERATION = 'Generation';
