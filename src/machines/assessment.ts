/** Assessment: all that one decision may look at, as a plain value. */
import type { Attribute, Finding, Posture } from '../drift/index.ts';
import type { Reason } from '../enclave/conditions.ts';
import type { Outcome, PlanSummary, RunVariables } from '../enclave/items/run.ts';
import type { SpecChange } from '../enclave/spec/change.ts';
import type { SpecIssue } from '../enclave/spec/spec.ts';

/** `Unknown` never leads to a repair. */
export type Verdict = 'Match' | 'Drift' | 'Unknown';

/** The EC2 host, as observed against what is desired. */
export interface HostView {
  readonly verdict: Verdict;
  /** `gone`: no host carries our tag and the pinned instance is known to be terminated. `several`: more than one does. */
  readonly state: 'pending' | 'running' | 'stopping' | 'stopped' | 'gone' | 'several' | 'unknown';
  readonly instanceId: string | undefined;
  /** Its region, where that is not the one the record names. */
  readonly foundIn?: string;
  /** Wall time of the observation, ms: two looks at one sweep are one observation. */
  readonly observedAt: number;
  /** What else the look showed of it. */
  readonly posture?: Posture | undefined;
  /** All that carry the enclave's tag, and itself. */
  readonly hosts?: readonly { readonly instanceId: string; readonly state: string }[] | undefined;
}

/** The enclave on the host, as its agent reports it. */
export interface EnclaveView {
  readonly verdict: Verdict;
  readonly reason: Reason;
  /** What differs, as the comparison calls it. */
  readonly attribute?: Attribute;
  /** The policy wants it told, and not repaired. */
  readonly told?: boolean;
  /** What the report shows of each attribute, as the policy has it; absent: there is no report that may be believed. */
  readonly findings?: readonly Omit<Finding, 'observedAt'>[];
  readonly message?: string | undefined;
  /** The applied generation that the report was judged by; absent: there was no report. */
  readonly generation?: number;
  /** The host's message, if it reports a permanent error for that generation. */
  readonly refusal?: string;
  /** The report is newer than the last start of the host. */
  readonly fresh: boolean;
  /** An enclave runs, whatever is wrong with it; undefined: the host could not tell. */
  readonly running: boolean | undefined;
  readonly health: 'passing' | 'failing' | 'none' | 'unknown';
  readonly measured: boolean;
  readonly debug: boolean;
  /** The spec asks for debug mode. @default false */
  readonly debugRequested?: boolean;
  /** Its measurements are in none of the sets that are expected. */
  readonly mismeasured: boolean;
  /** Why it does not count as ready, where the record enforces measurements; absent: it counts, or none are enforced. */
  readonly withheld?: { readonly reason: Reason; readonly message?: string | undefined };
  /** What the host has resolved the image's tag to. */
  readonly imageDigest: string | undefined;
  readonly bootId: string | undefined;
  readonly sequence: number | undefined;
}

/** The run the marker names. */
export type RunView =
  /** No marker: a run may be started. */
  | { readonly state: 'none' }
  /** Asked for, not claimed yet: starting it again under its name is harmless. */
  | { readonly state: 'intended' }
  /** Claimed; a task may be at work. */
  | { readonly state: 'running'; readonly taskArn: string | undefined }
  /** Outcome recorded and lock released. */
  | { readonly state: 'finished'; readonly outcome: Outcome; readonly plan?: PlanSummary | undefined };

export type SpecView =
  | {
      readonly ok: true;
      readonly debugAllowed: boolean;
      readonly workloadType: string;
      /** What the operator takes otherwise than the record says, or takes for now. @default none */
      readonly warnings?: readonly SpecIssue[];
    }
  | { readonly ok: false; readonly absent?: false; readonly issues: readonly SpecIssue[] }
  /** No record says what is wanted (it is gone, another enclave's, or unmanaged): nothing is deployed. */
  | { readonly ok: false; readonly absent: true };

export type Admission =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Reason; readonly message: string; readonly until?: string | undefined };

/** Whether a repair may begin now: by policy, and by what is known of the whole fleet. */
export type RepairPermission =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Reason; readonly message: string; readonly until?: string | undefined };

/** Durations and limits the machine needs, ms; a part of the configuration. */
export interface Limits {
  readonly attemptsPerGeneration: number;
  readonly repairAttempts: number;
  readonly observeMs: number;
  readonly runBackstopMs: number;
  readonly settleMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly stalledRetryMs: number;
  readonly deletionGraceMs: number;
  readonly staleCommandMs: number;
  readonly reportSilenceMs: number;
  readonly deployDeadlineMs: number;
  readonly destroyDeadlineMs: number;
  readonly verifyDeadlineMs: number;
  readonly pauseDeadlineMs: number;
  readonly resumeDeadlineMs: number;
  readonly taskStopMs: number;
  /** Drift attempts are forgotten after this long in ready. */
  readonly healthyResetMs: number;
}

export interface Assessment {
  /** Wall time, ms. */
  readonly now: number;
  /** In [0, 1): the jitter of the pause this decision sets, or the random part of the name of the run it starts. */
  readonly random: number;
  readonly limits: Limits;
  /** A command that was not there at the last decision. */
  readonly newCommand: boolean;
  /** The valid spec changed its meaning since the last decision. */
  readonly newGeneration: boolean;
  /** `enclavectl retry`, or `unlock` where a lock was in the way. */
  readonly retry: boolean;
  /** `enclavectl adopt`. */
  readonly adopt: boolean;
  /** The first command is older than the installation by more than a day. */
  readonly staleCommand: boolean;
  /** `gone`: no record; `other`: another enclave's; `unmanaged`: ours, in a status that is not ours to touch. */
  readonly record: 'ours' | 'unmanaged' | 'other' | 'gone';
  readonly spec: SpecView;
  readonly admission: Admission;
  readonly repair: RepairPermission;
  /** Whether a person has approved what a run would apply; undefined: nobody is asked. */
  readonly approval?: 'given' | 'awaited' | undefined;
  /** What the wanted spec changes of the applied one; undefined where nothing was applied. */
  readonly change: SpecChange | undefined;
  /** The deletion policy: what exists stays when the enclave is deleted. */
  readonly retain: boolean;
  /** The batch has completed, and its host is to stop. */
  readonly rests: boolean;
  readonly host: HostView;
  readonly enclave: EnclaveView;
  /** What the host said, or did not, when it was asked by another way; undefined: it was not asked lately. */
  readonly secondLook: 'unreachable' | 'unanswered' | 'unwell' | 'well' | undefined;
  /**
   * Every attribute that was compared, those that match among them, each once. None: nothing was. What the policy wants
   * told only has the rung `alert`.
   */
  readonly findings: readonly Finding[];
  readonly run: RunView;
  /** A run may start now without passing the cap. */
  readonly slot: boolean;
  /** What waiting for a slot looks like: how long, and why. */
  readonly outlook?: string | undefined;
  /** Deletions may be carried out (no hold). */
  readonly deletionsAllowed: boolean;
  /** Enclaves that exist and depend on this one; undefined: not known yet. They are destroyed first. */
  readonly dependents: readonly string[] | undefined;
  /** What a deploy started now would be given. */
  readonly variables: RunVariables | undefined;
  /** What a run is given that puts back what was applied, and nothing newer. */
  readonly mending: RunVariables | undefined;
  /** The host is another pipeline's, and is compared with nothing: what was found of it before counts no more. @default false */
  readonly uncompared?: boolean;
  /** The policy lets the host be replaced, where nothing else has cured what differs. @default false */
  readonly replaceable?: boolean;
}
