/** Event reasons: every event the operator emits, by its reason. */
import type { OperatorEvent } from './items/items.ts';

interface EventDefinition {
  /** `Varies`: whoever emits it says which. */
  readonly type: OperatorEvent['type'] | 'Varies';
  readonly meaning: string;
  /** What a person does about it. */
  readonly action: string;
}

const NONE = 'Nothing.';
const ORPHAN_ACTION =
  'Run `enclavectl orphans`. Restore the record if the enclave is still needed; otherwise delete what is listed.';

export const EVENT_REASONS = {
  PhaseChanged: {
    type: 'Varies',
    meaning:
      'The enclave entered another phase; the message names both phases and the cause. A warning if the new phase is `stalled`, `invalid` or `backingOff`.',
    action: 'For a warning, run `enclavectl describe ID`: its conditions say what to correct.',
  },
  Requested: {
    type: 'Normal',
    meaning: 'The operator accepted a request that a person made with `enclavectl`; `actor` names the person.',
    action: NONE,
  },
  // Runs
  RunStarted: { type: 'Normal', meaning: 'The operator started a Terraform run.', action: NONE },
  RunCancelled: {
    type: 'Normal',
    meaning: 'The operator is cancelling a Terraform run that is no longer wanted or has passed its deadline.',
    action: 'If runs often pass their deadline, read the log of one: `enclavectl logs ID`.',
  },
  // Host and enclave
  HostStarting: { type: 'Normal', meaning: 'The operator is starting the EC2 host.', action: NONE },
  HostStopping: { type: 'Normal', meaning: 'The operator is stopping the EC2 host.', action: NONE },
  HostAsked: {
    type: 'Normal',
    meaning: 'The operator asked the host through SSM to report now, before it repairs what the host last reported.',
    action: 'If the message says that SSM does not reach the host, check the SSM agent of the host.',
  },
  EnclaveRestarting: {
    type: 'Warning',
    meaning: 'The operator is restarting the enclave on its host to repair drift. The enclave is interrupted.',
    action: 'If it happens repeatedly, run `enclavectl describe ID` and find out what stops or changes the enclave.',
  },
  AllocatorRestarting: {
    type: 'Warning',
    meaning:
      'The operator is restarting the Nitro Enclaves allocator of the host, because the host reserves too few cores or too little memory. The enclave is interrupted.',
    action: 'If it happens repeatedly, find out what changes the allocator configuration of the host.',
  },
  SecurityFinding: {
    type: 'Warning',
    meaning:
      'A security finding appeared; the message names the drift attribute or the reason of the condition Secure.',
    action: 'Run `enclavectl describe ID`, and investigate who made the change, even if the operator repairs it.',
  },
  // Plans and approvals
  PlanFoundDrift: {
    type: 'Warning',
    meaning: 'A plan run found differences that the plan before it did not find; the message names the resources.',
    action:
      'Run `enclavectl describe ID`. If the policy repairs this drift, the operator does; otherwise revert the change in AWS or adjust the record.',
  },
  PlanFailed: {
    type: 'Warning',
    meaning: 'No plan could be made of the enclave; the message says why. Whether it drifted is unknown.',
    action: 'The operator plans again after a growing pause. If it keeps failing, correct what the message names.',
  },
  Approved: {
    type: 'Normal',
    meaning: 'A person approved a plan; the approval is valid for 24 hours.',
    action: NONE,
  },
  ApprovalRefused: {
    type: 'Warning',
    meaning: 'The operator refused an approval, because it does not name the last plan of the current generation.',
    action: 'Run `enclavectl plan ID`, review the plan, and approve it.',
  },
  ApprovalVoid: {
    type: 'Warning',
    meaning: 'An approval no longer applies: a fresh plan or the generation differs from the one that was approved.',
    action: 'Run `enclavectl plan ID`, review the plan, and approve it.',
  },
  ApprovalExpired: {
    type: 'Warning',
    meaning: 'An approval expired before the approved plan was applied.',
    action: 'Run `enclavectl plan ID`, review the plan, and approve it.',
  },
  // Fleet
  OrphanFound: {
    type: 'Warning',
    meaning:
      "An EC2 host or another resource carries the operator's tags, but no record and no lifecycle of its enclave exists.",
    action: ORPHAN_ACTION,
  },
  OrphanStateFound: {
    type: 'Warning',
    meaning: 'A Terraform state exists, but no record and no lifecycle of its enclave.',
    action: ORPHAN_ACTION,
  },
  OrphanDestroyed: {
    type: 'Warning',
    meaning: 'The operator started to destroy an orphaned enclave, because the setting `orphans` is `destroy`.',
    action: 'Nothing, if the enclave was to be deleted. Otherwise set `orphans` to `report` and restore the record.',
  },
  BreakerOpened: {
    type: 'Warning',
    meaning:
      'The circuit breaker paused repairs in a region, because too many of its enclaves drifted at once or repairs failed. The event belongs to the region.',
    action: 'Find out what the drifted enclaves have in common. Repairs resume after one trial repair succeeds.',
  },
  BreakerClosed: {
    type: 'Normal',
    meaning: 'The circuit breaker of a region closed: repairs resume. The event belongs to the region.',
    action: NONE,
  },
  // Dry run
  ObserveOnly: {
    type: 'Varies',
    meaning:
      'The operator runs with `observeOnly` and changes nothing; the message says which event it would have emitted, and has the type of that event.',
    action: 'Compare it with what you expect, before you let this operator act.',
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;

export type EventReason = keyof typeof EVENT_REASONS;
type EventTypeOf<R extends EventReason> = (typeof EVENT_REASONS)[R]['type'] extends OperatorEvent['type']
  ? (typeof EVENT_REASONS)[R]['type']
  : OperatorEvent['type'];

/** A reason with the type its definition allows: another combination does not compile. */
export type EventClass = { [R in EventReason]: { readonly reason: R; readonly type: EventTypeOf<R> } }[EventReason];

/** An event of this version. What is read from the table may have reasons of another version. */
export type EmittedEvent = OperatorEvent & EventClass;

/** What happened, before it is known to which enclave and when. */
export type EventDraft = EventClass & { readonly message: string };

interface EventDetails {
  /** The enclave, or what else it belongs to: a region. */
  readonly id: string;
  readonly at: string;
  readonly message: string;
  readonly actor?: string;
  readonly generation?: number;
  readonly run?: string;
}

export function newEvent(eventClass: EventClass, details: EventDetails): EmittedEvent {
  return { v: 1, minReader: 1, actor: 'operator', ...details, ...eventClass };
}
