/** The port to the hosts: EC2 and SSM. */
import type { Posture, ScheduledEvent, StatusChecks } from '../../drift/index.ts';

export type HostState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

/** An EC2 instance that carries our tags. */
export interface Host {
  readonly instanceId: string;
  readonly enclaveId: string;
  readonly environment: string;
  readonly state: HostState;
  readonly launchedAt: string;
  /** What else the same answer shows of it. */
  readonly posture?: Posture | undefined;
}

/** What EC2 says of a host's health. */
export interface HostStatus {
  readonly instanceId: string;
  readonly checks: StatusChecks;
  readonly events: readonly ScheduledEvent[];
}

/** EC2 and SSM, one region a call. */
export interface Hosts {
  /** Hosts tagged with an enclave id and our environment, in pages, terminated ones left out. Throws on any partial answer. */
  sweep(region: string, signal: AbortSignal): AsyncIterable<readonly Host[]>;
  /** Hosts of one enclave, by tag; terminated ones left out. */
  find(region: string, enclaveId: string): Promise<readonly Host[]>;
  /** One host by its id, whatever its tags; undefined: EC2 says it does not exist. */
  byInstanceId(region: string, instanceId: string): Promise<Host | undefined>;
  /** Checks and scheduled events of these hosts, in pages. One that no page shows was not seen; throws where the rest cannot be asked. */
  status(region: string, instanceIds: readonly string[], signal: AbortSignal): AsyncIterable<readonly HostStatus[]>;
  start(region: string, instanceId: string): Promise<void>;
  stop(region: string, instanceId: string): Promise<void>;
  /**
   * Asks the host to report now, by another way than its reports take. `unreachable`: SSM has not heard of it lately;
   * what cannot be known throws.
   */
  askToReport(region: string, instanceId: string): Promise<'asked' | 'unreachable'>;
  /** Asks the host's agent to restart the enclave (an SSM document with fixed commands). */
  restartEnclave(region: string, instanceId: string): Promise<void>;
  /** Asks it to reserve cores and memory for the enclave anew, and to start it; likewise. */
  restartAllocator(region: string, instanceId: string): Promise<void>;
}
