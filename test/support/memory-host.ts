/** One host in memory: what it is, and how a test launches one. */
import type { Report } from '../../src/enclave/items/report.ts';
import type { HostState, HostStatus, Posture } from '../../src/reconciler/ports/index.ts';

export interface MemoryEnclave {
  readonly name: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly debug: boolean;
  /** As the host reports them. @default none */
  readonly measurements?: Report['measurements'];
}

/** What ails a host until it is cured: its reports say so, over what is else to be said. */
export interface Illness {
  readonly says: Partial<Report>;
  /** The least that cures it. */
  readonly cure: 'restartEnclave' | 'restartAllocator' | 'boot';
}

export interface MemoryHost {
  readonly instanceId: string;
  readonly enclaveId: string;
  readonly environment: string;
  readonly region: string;
  /** The run whose Terraform launched it; undefined: a test, or somebody else. */
  readonly launchedBy: string | undefined;
  /** As it truly is; what EC2 tells may lag behind. */
  readonly state: HostState;
  launchedAt: string;
  appliedGeneration: number;
  enclave: MemoryEnclave;
  /** As nitro-cli names it. */
  enclaveState: 'RUNNING' | 'TERMINATED';
  /** Virtual time since which the enclave has run, ms; kept when it ends. */
  ranAt: number;
  bootId: string;
  sequence: number;
  /** False: the agent is frozen, or there is none; the host works on. */
  reports: boolean;
  /** SSM reaches it. */
  managed: boolean;
  /** Made by the incumbent, without an agent, until our Terraform is applied to it. */
  legacy: boolean;
  illness: Illness | undefined;
  /** What EC2 shows of it besides; undefined: it shows nothing. */
  posture: Posture | undefined;
  /** The same as Terraform last made it. */
  made: Posture | undefined;
  /** Virtual time of its last change, ms. */
  alteredAt: number;
  /** What EC2's checks say while it runs, and what is scheduled for it. */
  checks: HostStatus['checks'];
  events: HostStatus['events'];
}

export interface LaunchOptions {
  readonly enclaveId: string;
  readonly region: string;
  readonly environment?: string;
  readonly generation?: number;
  readonly enclave?: MemoryEnclave;
  /** Default `pending`, which boots; `running` is there at once and reports at once; `stopped` stays so. */
  readonly state?: 'pending' | 'running' | 'stopped';
  /** A host made by the incumbent has no agent. */
  readonly reports?: boolean;
  readonly launchedBy?: string;
  readonly posture?: Posture;
}
