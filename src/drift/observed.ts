/** What is compared: what an enclave should be, and what was seen of it. Plain values. */
import type { Made } from '../enclave/digests.ts';
import type { EnclaveSpec } from '../enclave/spec/types.ts';

/** Every part that is absent makes Unknown of what depends on it. */
export interface Wanted {
  readonly enclaveId: string;
  readonly environment: string;
  /** False: the host should be stopped. */
  readonly running: boolean;
  /** As it was last applied. */
  readonly spec: EnclaveSpec;
  /** The generation last applied. */
  readonly generation?: number | undefined;
  /** The host of the enclave, where it is known. */
  readonly instanceId?: string | undefined;
  /** The image that was pinned when the host was made. */
  readonly amiId?: string | undefined;
  /** Present for a host that was taken over: what of it stays as it was found. */
  readonly legacy?: { readonly securityGroupName: string } | undefined;
  /** Absent: nobody knows how what surrounds the host should be. */
  readonly made?: Made | undefined;
}

/** What is too large to be kept: its digest, and, where somebody looks closely, what it says. */
export interface Digested {
  readonly digest: string;
  readonly says?: readonly string[] | undefined;
}

/** An IAM role. */
export interface Role {
  readonly trust?: Digested | undefined;
  readonly attached?: Digested | undefined;
  readonly inline?: Digested | undefined;
}

/** A KMS key. */
export interface Key {
  /** As DescribeKey spells it; `Gone` where it knows none. */
  readonly state?: string | undefined;
  readonly policy?: Digested | undefined;
  /** Statements of its policy that lead to a plaintext without an attestation. */
  readonly bypasses?: readonly string[] | undefined;
  readonly grantIds?: readonly string[] | undefined;
}

/** What DescribeInstances shows of a host besides its state. Null: there is none. */
export interface Posture {
  readonly instanceType?: string | undefined;
  readonly amiId?: string | undefined;
  readonly enclavesEnabled?: boolean | undefined;
  /** Name of the instance profile. */
  readonly profile?: string | null | undefined;
  readonly groups?: readonly { readonly id: string; readonly name?: string | undefined }[] | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly metadata?:
    | {
        readonly endpoint?: string | undefined;
        readonly tokens?: string | undefined;
        readonly hopLimit?: number | undefined;
      }
    | undefined;
  readonly publicIp?: string | null | undefined;
}

/** What DescribeInstanceStatus shows of a host; `ok`, `impaired`, or a word that says nothing yet. */
export interface StatusChecks {
  readonly system?: string | undefined;
  readonly instance?: string | undefined;
  readonly ebs?: string | undefined;
}

export interface ScheduledEvent {
  /** `instance-retirement`, `system-reboot` … */
  readonly code: string;
  /** EC2 keeps past events for a week: theirs begins with `[Completed]` or `[Canceled]`. */
  readonly description?: string | undefined;
  readonly notBefore?: string | undefined;
}

/** A report that may be believed: of this host, newer than its last start, of the wanted generation. */
export interface ReportFacts {
  /** Absent: the host could not see its enclaves. */
  readonly enclaves?: readonly EnclaveFacts[] | undefined;
  /** A batch has ended well. */
  readonly completed?: boolean | undefined;
  /** The host starts the workload again by itself, or the restart policy lets it be. */
  readonly leftToHost?: boolean | undefined;
  readonly health?: 'passing' | 'failing' | 'none' | undefined;
  /** The host's own word, no attestation. */
  readonly measurements?: Readonly<Record<string, string>> | undefined;
  readonly allocatorOk?: boolean | undefined;
  readonly proxies?: readonly { readonly destination: string; readonly state: string }[] | undefined;
}

export interface EnclaveFacts {
  readonly state: string;
  readonly cpuCount?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly debug?: boolean | undefined;
  /** For how long it has been TERMINATING. */
  readonly terminatingMs?: number | undefined;
}

/** What was seen. Absent means not seen, or not seen whole. */
export interface Observed {
  /** Wall time, ms. */
  readonly observedAt: number;
  /** All that carry the enclave's tag, and the known host, asked for by its id where no tag named it. */
  readonly hosts?: readonly { readonly instanceId: string; readonly state: string }[] | undefined;
  readonly posture?: Posture | undefined;
  readonly userData?: string | undefined;
  readonly terminationProtection?: boolean | undefined;
  readonly rootVolume?:
    | { readonly encrypted?: boolean | undefined; readonly deleteOnTermination?: boolean | undefined }
    | undefined;
  readonly checks?: StatusChecks | undefined;
  readonly events?: readonly ScheduledEvent[] | undefined;
  /** Whether SSM has heard of the host lately. */
  readonly agentOnline?: boolean | undefined;
  readonly report?: ReportFacts | undefined;
  /** Sets of registers that KMS has verified, each of which counts; none: nobody attested. Absent: nobody looks. */
  readonly attested?: readonly Readonly<Record<string, string>>[] | undefined;
  readonly rules?: Digested | undefined;
  readonly role?: Role | undefined;
  readonly key?: Key | undefined;
  readonly logGroup?:
    | {
        readonly exists?: boolean | undefined;
        readonly retentionDays?: number | null | undefined;
        readonly kmsKeyArn?: string | null | undefined;
      }
    | undefined;
  readonly terraform?: { readonly state?: boolean | undefined; readonly lockStale?: boolean | undefined } | undefined;
  /** Resources that carry the enclave's tag and are not in its Terraform state. */
  readonly strays?: readonly string[] | undefined;
}
