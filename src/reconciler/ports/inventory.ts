/** The port to what surrounds the hosts: groups, volumes, log groups, agents, roles, keys, attestations. Nothing of it is ever changed. */
import type { KeyDocuments } from '../../drift/index.ts';
import type { GroupRule } from '../../enclave/digests.ts';

export type { GroupRule } from '../../enclave/digests.ts';

/** A security group that carries an enclave's tag. */
export interface SeenGroup {
  readonly enclaveId: string;
  readonly groupId: string;
  readonly rules: readonly GroupRule[];
}

/** A volume that carries an enclave's tag; one for each host it is attached to. */
export interface SeenVolume {
  readonly enclaveId: string;
  readonly volumeId: string;
  /** Undefined: it is attached to nothing. */
  readonly instanceId: string | undefined;
  readonly encrypted: boolean | undefined;
  readonly deleteOnTermination: boolean | undefined;
}

export interface SeenLogGroup {
  readonly enclaveId: string;
  /** Null: for ever. */
  readonly retentionDays: number | null;
  /** Null: a key of AWS'. */
  readonly kmsKeyArn: string | null;
}

/** An agent of SSM that has ever registered. */
export interface SeenAgent {
  readonly instanceId: string;
  readonly online: boolean;
}

/** The role of an enclave's host; policies are JSON text. */
export interface SeenRole {
  readonly name: string;
  /** By its tag. */
  readonly enclaveId: string;
  /** It is another environment's: nothing of it is ours to compare, but what bears its name is that one's as well. */
  readonly foreign?: true;
  readonly trust: string;
  readonly attachedArns: readonly string[];
  readonly inline: Readonly<Record<string, string>>;
}

/** Wall times, ms. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** What KMS saw when an enclave on a host had it decrypt something. */
export interface SeenAttestation {
  readonly instanceId: string;
  /** Wall time, ms. */
  readonly at: number;
  /** Registers in hex by their names, `pcr0` and so on. */
  readonly measurements: Readonly<Record<string, string>>;
}

/**
 * Reads in bulk, page by page: calls grow with pages. Each list is of our environment alone, where the API can tell;
 * only roles of others are listed too, as theirs.
 *
 * *Errors*: a list throws where the rest of it cannot be had; what came before is then no whole answer.
 */
export interface Surroundings {
  groups(region: string, signal: AbortSignal): AsyncIterable<readonly SeenGroup[]>;
  volumes(region: string, signal: AbortSignal): AsyncIterable<readonly SeenVolume[]>;
  logGroups(region: string, signal: AbortSignal): AsyncIterable<readonly SeenLogGroup[]>;
  agents(region: string, signal: AbortSignal): AsyncIterable<readonly SeenAgent[]>;
  /** Of the whole account: IAM knows no regions. */
  roles(signal: AbortSignal): AsyncIterable<readonly SeenRole[]>;
  /** Decrypts with an attestation within that time, both ends included. */
  attestations(region: string, time: Span, signal: AbortSignal): AsyncIterable<readonly SeenAttestation[]>;
  /** One key. What may not be seen of it is absent; `withGrants`: it is the enclave's own, and has none. */
  key(keyArn: string, withGrants: boolean, signal: AbortSignal): Promise<KeyDocuments>;
}
