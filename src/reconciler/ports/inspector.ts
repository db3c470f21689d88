/** The port to the resources of one enclave, each read by its own id or name. It changes nothing. */
import type { RoleDocuments } from '../../drift/index.ts';
import type { GroupRule, SeenLogGroup, SeenVolume } from './inventory.ts';

/** What only DescribeInstanceAttribute shows of a host. */
export interface InstanceAttributes {
  /** SHA-1 of the user data, in hexadecimal, as Terraform stores it; undefined: the host has none. */
  readonly userData: string | undefined;
  readonly terminationProtection: boolean | undefined;
}

export type LogGroup = { readonly exists: false } | ({ readonly exists: true } & Omit<SeenLogGroup, 'enclaveId'>);

/**
 * Reads what a person asks about now; the inventory ({@link Surroundings}) reads the same in bulk, for all enclaves.
 *
 * *Guarantees*: each method reads one resource in a few calls. No secret leaves it: user data is a digest.
 * *Errors*: `OperatorError`; a resource that does not exist is an error too, unless the method says otherwise.
 */
export interface Inspector {
  instanceAttributes(region: string, instanceId: string, signal: AbortSignal): Promise<InstanceAttributes>;
  /** The only volume of the host; undefined where it has none or several, of which the root is not known. */
  rootVolume(
    region: string,
    instanceId: string,
    signal: AbortSignal,
  ): Promise<Pick<SeenVolume, 'encrypted' | 'deleteOnTermination'> | undefined>;
  /** Undefined: the host has never registered with SSM. */
  agentOnline(region: string, instanceId: string, signal: AbortSignal): Promise<boolean | undefined>;
  rules(region: string, groupId: string, signal: AbortSignal): Promise<readonly GroupRule[] | undefined>;
  logGroup(region: string, enclaveId: string, signal: AbortSignal): Promise<LogGroup>;
  /** The role of the enclave's host, by its name. */
  role(enclaveId: string, signal: AbortSignal): Promise<RoleDocuments>;
}
