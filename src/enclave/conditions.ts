/** Conditions: independent observations of one enclave, as in Kubernetes' API conventions. */
import { z } from 'zod';

export const CONDITION_TYPES = [
  'Ready',
  'SpecValid',
  'Provisioned',
  'EnclaveRunning',
  'Healthy',
  'InSync',
  'MeasurementsReported',
  'Secure',
  'Progressing',
  'Stalled',
  'DeletionBlocked',
] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** What it means that a condition is True. */
export const CONDITION_MEANINGS: Readonly<Record<ConditionType, string>> = {
  Ready: 'The enclave the spec describes is running.',
  SpecValid: 'The record describes an enclave that can be built.',
  Provisioned: 'The EC2 host exists and is in the state it should be in.',
  EnclaveRunning: 'The host reports that the enclave runs, with the wanted generation.',
  Healthy: 'The health check passes.',
  InSync: 'What exists is what the spec describes, as far as it was observed.',
  MeasurementsReported: "The host has reported the measurements of the image: the host's own word, no attestation.",
  Secure: 'Nothing is known that weakens the enclave.',
  Progressing: 'Something is under way or due.',
  Stalled: 'Nothing more is tried until the record changes, a command comes, or someone asks for a retry.',
  DeletionBlocked: 'The enclave should be gone and is not.',
};

/** Why a condition has its status. One union, so that a reason can be looked up; meanings in {@link REASON_MEANINGS}. */
export const REASON_MEANINGS = {
  // Ready
  Running: 'The enclave the spec describes is running.',
  NotReady: 'The enclave is not, or not yet, what the spec describes.',
  Paused: 'The host is stopped because the record asks for it.',
  Destroyed: 'Every resource of the enclave is gone.',
  Retained: 'The enclave is deleted; its policy retains its resources, and the operator no longer observes them.',
  Destroying: 'The resources of the enclave are being destroyed.',
  // SpecValid
  Valid: 'The record describes an enclave that can be built.',
  InvalidSpec: 'The record describes no enclave that can be built; the message names each field.',
  // Provisioned, EnclaveRunning, Healthy, InSync
  HostRunning: 'The EC2 host is running.',
  HostStarting: 'The EC2 host is starting.',
  HostStopped: 'The EC2 host is stopped although it should run.',
  HostRunningUnwanted: 'The EC2 host is running although it should be stopped.',
  HostMissing: 'The EC2 host does not exist.',
  HostUnknown: 'EC2 could not be asked, or its answer was not complete.',
  NoReport: 'The host has not reported yet.',
  StaleReport: 'The last report is older than the last start of the host.',
  ReportSilent: 'The host has not reported for longer than it should.',
  EnclaveNotRunning: 'The host reports that the enclave is not running.',
  EnclavesUnobserved: 'The host could not ask the hypervisor for its enclaves.',
  EnclaveTerminating: 'The enclave is terminating and does not come to an end.',
  EnclaveSize: 'The enclave has another number of vCPU, or less memory, than the spec says.',
  ExtraEnclaves: 'More than one enclave runs on the host.',
  AllocatorShort: 'The host holds fewer cores or less memory for enclaves than the spec needs.',
  ProxyDown: 'A way out of the enclave that the spec asks for is not there.',
  GenerationPending: 'The host has not yet applied the wanted generation.',
  DebugEnclave: 'The enclave runs in debug mode, which the spec does not ask for.',
  DebugRequested: 'The enclave runs in debug mode, as the spec asks.',
  LegacyHost: 'The host was adopted and has no agent that could report.',
  Completed: 'The batch workload has completed.',
  HealthCheckPassing: 'The health check passes.',
  HealthCheckFailing: 'The health check fails.',
  NoHealthCheck: 'Nothing can be probed: no port, or a batch workload.',
  Drifted: 'What exists differs from what the spec describes.',
  DriftContested: 'The same drift came back twice within an hour of its repair: somebody else wants it so.',
  AlertOnly: 'The policy wants this drift told, not repaired.',
  RepairCapped: 'As many enclaves are under repair as may be at once.',
  BreakerOpen: 'So many enclaves of the region differ at once, or repairs heal so little, that none is begun.',
  Unobserved: 'Not observed yet.',
  // MeasurementsReported, Secure
  MeasurementMismatch: 'The measurements the host reports are in none of the sets the spec expects.',
  MeasurementsUnverified:
    'The record enforces measurements, and the host does not report all registers that the expected sets name.',
  GenerationMismatch: 'The record enforces measurements, and the host reports a generation that was not applied.',
  Reported: 'The host has reported the measurements of the image.',
  // Progressing, Stalled
  Waiting: 'Nothing to do until the next observation.',
  RunInProgress: 'A Terraform run is under way.',
  WaitingForRun: 'A run has been asked for and has not started yet.',
  WaitingForSlot: 'As many runs as the cap allows are under way.',
  WaitingForReport: 'Waiting for the first report of the host.',
  WaitingForHost: 'Waiting for the host to change state.',
  WaitingForPrevious: 'The enclave of a deleted record with the same id is destroyed first.',
  WaitingForGrace: 'The record is gone; the enclave is destroyed after the grace period.',
  QuotaExceeded: 'The wallet has as many enclaves as it may have.',
  Suspended: 'The policy suspends the enclave: nothing but a deletion is carried out.',
  FleetFrozen: 'The whole fleet is frozen: nothing but deletions by command is begun.',
  DependencyNotReady: 'An enclave this one depends on is not ready.',
  DependencyCycle: 'The enclave depends on itself, by way of others: none of them can begin.',
  OutsideMaintenanceWindow: 'A change that interrupts the enclave waits for its maintenance window.',
  AwaitingApproval: 'The policy wants a person to approve what a Terraform run would change: enclavectl plan, approve.',
  BackingOff: 'The last attempt failed; the next one is scheduled.',
  Repairing: 'Drift is being repaired.',
  RetryLimitReached: 'As many attempts failed as one generation has.',
  TerminalError: 'An error that trying again cannot cure.',
  StaleCommand: 'The command was written long before the operator was installed; write it again to confirm it.',
  HostNotFound: 'A record that says the enclave exists, and no host; a new command creates one.',
  Adopted: 'Taken over as it was found.',
  None: 'Nothing of the kind.',
  // DeletionBlocked
  DestroyFailing: 'The destroy run fails; it is tried again.',
  ResourcesRemain: 'Resources of the enclave are still found after a destroy run.',
  DeletionHeld: 'Deletions are held until they are confirmed.',
  DependentsExist: 'An enclave that depends on this one still exists.',
} as const;
export type Reason = keyof typeof REASON_MEANINGS;
export const REASONS = Object.keys(REASON_MEANINGS) as [Reason, ...Reason[]];

export const ConditionSchema = z.looseObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.number(),
  /** RFC 3339; moves only when `status` does. */
  lastTransitionTime: z.string(),
});
export type Condition = z.infer<typeof ConditionSchema>;

export interface ConditionUpdate {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: Reason;
  readonly message?: string;
}

/** Reasons of Secure=False that need no action: the spec asks for debug mode, or the host was adopted. */
const EXPECTED_INSECURE_REASONS: ReadonlySet<string> = new Set<Reason>(['LegacyHost', 'DebugRequested']);

/** `Secure` is False for a reason that needs action. */
export function isSecurityFinding(secure: Pick<Condition, 'status' | 'reason'> | undefined): boolean {
  return secure?.status === 'False' && !EXPECTED_INSECURE_REASONS.has(secure.reason);
}

/** Returns `conditions` with `update` merged in; the very same array where nothing changed. */
export function setCondition(
  conditions: readonly Condition[],
  update: ConditionUpdate,
  at: { readonly now: string; readonly generation: number },
): readonly Condition[] {
  const old = conditions.find((condition) => condition.type === update.type);
  const message = update.message ?? REASON_MEANINGS[update.reason];
  if (
    old !== undefined &&
    old.status === update.status &&
    old.reason === update.reason &&
    old.message === message &&
    old.observedGeneration === at.generation
  ) {
    return conditions;
  }
  const next: Condition = {
    type: update.type,
    status: update.status,
    reason: update.reason,
    message,
    observedGeneration: at.generation,
    lastTransitionTime: old !== undefined && old.status === update.status ? old.lastTransitionTime : at.now,
  };
  return old === undefined
    ? [...conditions, next]
    : conditions.map((condition) => (condition.type === update.type ? next : condition));
}

/** The condition of one type, where it has been set. */
export function conditionOf(conditions: readonly Condition[], type: ConditionType): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}
