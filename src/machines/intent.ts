/** Intent: what the record asks for, told apart from what it merely still says. */

import { READER_VERSION } from '../enclave/items/items.ts';
import type { Desired, Lifecycle } from '../enclave/items/lifecycle.ts';
import { omit } from '../enclave/omit.ts';
import { type EnclaveRecord, isCommand, isManaged, type RecordIdentity, sameIdentity } from '../enclave/record.ts';
import { compareHash, type EnclaveSpec, SPEC_HASH_VERSION, specHash } from '../enclave/spec/spec.ts';
import type { Assessment } from './assessment.ts';

export interface IntentInput {
  readonly id: string;
  readonly lifecycle: Lifecycle | undefined;
  readonly record: EnclaveRecord | undefined;
  /** The record's spec; undefined where it is not valid. */
  readonly spec: EnclaveSpec | undefined;
  readonly now: number;
  readonly installedAt: number;
  readonly graceMs: number;
  readonly staleCommandMs: number;
  readonly deletionsAllowed: boolean;
  /** Used if a lifecycle begins now. */
  readonly incarnation: string;
}

export interface Intent {
  /** The lifecycle with desired, lastSeen, generation and missingSince brought up to date. */
  readonly lifecycle: Lifecycle;
  readonly record: Assessment['record'];
  readonly newCommand: boolean;
  readonly newGeneration: boolean;
  readonly staleCommand: boolean;
}

const DESIRED_BY_STATUS: Readonly<Record<string, Desired>> = {
  PENDING_DEPLOY: 'Running',
  RESUMING: 'Running',
  DEPLOYING: 'Running',
  DEPLOYED: 'Running',
  FAILED: 'Running',
  PAUSING: 'Paused',
  PAUSED: 'Paused',
  PENDING_DESTROY: 'Absent',
  DESTROYING: 'Absent',
  DESTROYED: 'Absent',
};

/**
 * Folds the record into the lifecycle.
 *
 * Returns undefined where there is nothing to look after: no lifecycle, and no record of ours to begin one.
 *
 * A command is new if its spelling differs from the last one seen, or, where nothing but a new command leads on
 * (stalled, invalid, destroyed), if it was written again. Everything else the record says is an echo.
 */
export function resolveIntent(input: IntentInput): Intent | undefined {
  const { lifecycle, record } = input;
  if (lifecycle === undefined) {
    return record !== undefined && isManaged(record) ? begin(input, record, undefined) : undefined;
  }
  if (record === undefined || !sameIdentity(record.identity, lifecycle.identity)) {
    if (record !== undefined && lifecycle.phase === 'destroyed' && !lifecycle.retained && isManaged(record)) {
      return begin(input, record, lifecycle);
    }
    // A record that is nobody's business begins nothing, and nothing waits for it.
    return missing(input, lifecycle, record === undefined || !isManaged(record) ? 'gone' : 'other');
  }
  return present(input, lifecycle, record);
}

/** The record is gone, or another enclave's: after the grace, and unless deletions are held, nothing shall be left. */
function missing(input: IntentInput, lifecycle: Lifecycle, record: 'gone' | 'other'): Intent {
  const since = lifecycle.missingSince ?? new Date(input.now).toISOString();
  // Where nothing was ever created there is nothing that a held deletion could save.
  const allowed = input.deletionsAllowed || !lifecycle.touched;
  const due = input.now - Date.parse(since) >= input.graceMs && allowed;
  const next: Lifecycle =
    due && lifecycle.desired !== 'Absent'
      ? {
          ...lifecycle,
          missingSince: since,
          desired: 'Absent',
          absentBecause: 'recordGone',
          commandAt: new Date(input.now).toISOString(),
        }
      : { ...lifecycle, missingSince: since };
  return { lifecycle: next, record, newCommand: false, newGeneration: false, staleCommand: false };
}

function present(input: IntentInput, old: Lifecycle, record: EnclaveRecord): Intent {
  const lifecycle = withoutAbsence(old);
  if (!isManaged(record)) {
    return { lifecycle, record: 'unmanaged', newCommand: false, newGeneration: false, staleCommand: false };
  }
  const onlyCommandsLead =
    lifecycle.phase === 'stalled' || lifecycle.phase === 'invalid' || lifecycle.phase === 'destroyed';
  const newCommand =
    isCommand(record.status) &&
    (record.status !== lifecycle.lastSeen.status ||
      (onlyCommandsLead && record.updatedAt !== lifecycle.lastSeen.updatedAt));
  const desired = newCommand ? afterCommand(lifecycle, record.status) : lifecycle.desired;
  // A newer operator's hash is left as it is; an older one's is stored anew, and makes no new generation.
  const known = input.spec !== undefined && desired !== 'Absent' && lifecycle.hashVersion <= SPEC_HASH_VERSION;
  const compared = known && input.spec !== undefined ? compareHash(lifecycle, input.spec) : 'same';
  const newGeneration = compared === 'changed' || (compared === 'otherVersion' && lifecycle.generation === 0);
  return {
    lifecycle: {
      ...withoutReason(lifecycle),
      ...(desired === 'Absent' ? { absentBecause: lifecycle.absentBecause ?? 'command' } : {}),
      desired,
      lastSeen: { status: record.status, updatedAt: record.updatedAt },
      // While nothing has been looked at yet, the last command is the one to begin with.
      origin: newCommand && lifecycle.phase === 'observing' ? record.status : lifecycle.origin,
      commandAt: newCommand || newGeneration ? new Date(input.now).toISOString() : lifecycle.commandAt,
      generation: newGeneration ? lifecycle.generation + 1 : lifecycle.generation,
      ...(compared === 'same' || input.spec === undefined
        ? {}
        : { specHash: specHash(input.spec), hashVersion: SPEC_HASH_VERSION }),
    },
    record: 'ours',
    newCommand,
    newGeneration,
    staleCommand: false,
  };
}

/** Most have none, and a copy of a lifecycle costs more than the rest of an intent. */
function withoutAbsence(lifecycle: Lifecycle): Lifecycle {
  if (lifecycle.missingSince === undefined) return lifecycle;
  return omit(lifecycle, 'missingSince');
}

function withoutReason(lifecycle: Lifecycle): Lifecycle {
  if (lifecycle.absentBecause === undefined) return lifecycle;
  return omit(lifecycle, 'absentBecause');
}

/** Absent is sticky: only a PENDING_DEPLOY that was read after the destruction was committed leads back. */
function afterCommand(lifecycle: Lifecycle, status: string): Desired {
  if (lifecycle.desired === 'Absent' && !(lifecycle.phase === 'destroyed' && status === 'PENDING_DEPLOY')) {
    return 'Absent';
  }
  return DESIRED_BY_STATUS[status] ?? lifecycle.desired;
}

/** A new lifecycle, or a new incarnation under an id whose last enclave is destroyed. */
function begin(input: IntentInput, record: EnclaveRecord, previous: Lifecycle | undefined): Intent {
  const now = new Date(input.now).toISOString();
  const valid = input.spec !== undefined;
  const updated = Date.parse(record.updatedAt);
  return {
    lifecycle: {
      v: 1,
      minReader: READER_VERSION,
      id: input.id,
      identity: { createdAt: record.identity.createdAt, walletAddress: record.identity.walletAddress },
      incarnation: input.incarnation,
      runSeq: previous?.runSeq ?? 0,
      desired: DESIRED_BY_STATUS[record.status] ?? 'Running',
      ...(DESIRED_BY_STATUS[record.status] === 'Absent' ? { absentBecause: 'command' as const } : {}),
      lastSeen: { status: record.status, updatedAt: record.updatedAt },
      origin: record.status,
      ...regionOf(input, record),
      commandAt: now,
      hashVersion: SPEC_HASH_VERSION,
      specHash: input.spec === undefined ? '' : specHash(input.spec),
      generation: valid ? 1 : 0,
      // What exists already is taken as it is: only a later edit of the record is a change.
      observedGeneration: valid && record.status !== 'PENDING_DEPLOY' ? 1 : 0,
      phase: 'observing',
      phaseSince: now,
      attempts: { key: '', count: 0 },
      pinned: {},
      touched: previous === undefined && !createdAfter(record.identity, input.installedAt),
      serving: false,
      adopted: false,
      conditions: [],
      message: '',
      revision: previous?.revision ?? 0,
      epoch: 0,
    },
    record: 'ours',
    // The first look carries out what it finds: nothing it says is news against anything.
    newCommand: false,
    newGeneration: false,
    staleCommand:
      previous === undefined &&
      record.status === 'PENDING_DEPLOY' &&
      Number.isFinite(updated) &&
      updated < input.installedAt - input.staleCommandMs,
  };
}

/** Where what a record describes lies, as far as it can be told. */
function regionOf({ spec }: IntentInput, record: EnclaveRecord): { readonly region?: string } {
  if (spec !== undefined) return { region: spec.region };
  const { region } = record.raw;
  return typeof region === 'string' && /^[a-z]{2}(-[a-z]+)+-[0-9]$/.test(region) ? { region } : {};
}

/** A record made after the installation was never touched by another system; of any other, resources may exist. */
function createdAfter(identity: RecordIdentity, installedAt: number): boolean {
  const created = Date.parse(identity.createdAt);
  return Number.isFinite(created) && created >= installedAt;
}
