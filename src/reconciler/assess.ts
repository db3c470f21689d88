/** Assess: joins record, spec, policy, host, reports and run into one assessment. */
import { appliedSpec } from '../enclave/applied.ts';
import { immutableChanges, type SpecChange } from '../enclave/change.ts';
import type { Request } from '../enclave/items.ts';
import { canonicalJson } from '../enclave/json.ts';
import type { Lifecycle } from '../enclave/lifecycle-item.ts';
import { STACK_VERSION, stateKey } from '../enclave/names.ts';
import { DEFAULT_POLICY, driftModeOf, type EnclavePolicy, parsePolicy } from '../enclave/policy.ts';
import type { EnclaveRecord } from '../enclave/record.ts';
import type { Report } from '../enclave/report-item.ts';
import type { RunVariables } from '../enclave/run-item.ts';
import {
  type AppliedSpec,
  type EnclaveSpec,
  type IssueCode,
  parseSpec,
  type SpecIssue,
  type SpecResult,
} from '../enclave/spec.ts';
import { type Assessment, awaitsLook, type Intent } from '../machines/index.ts';
import { admit, onLegacyHost, pendingChange } from './admission.ts';
import { approvalOf, approved } from './approvals.ts';
import type { Config } from './config.ts';
import type { ReconcileContext } from './context.ts';
import { isWithoutAgent, viewEnclave } from './enclave-view.ts';
import { isUnprepared, mayDiffer, underPolicy } from './findings.ts';
import { findingsIn } from './look-around.ts';
import { UNSEEN, viewHost } from './observe.ts';
import { regionOf } from './region-of.ts';
import { mayReplace, repairLeave } from './repair-leave.ts';

/** Of an enclave that is found, what its record names counts as applied: it was made by these rules' predecessor. */
const FOUND: AppliedSpec = { spec: undefined, equals: () => true };

/** Before the first observation. A record that asks for a deployment is a new one, whatever is found. */
function takesAsFound(record: EnclaveRecord, lifecycle: Lifecycle | undefined): boolean {
  const isFirst = lifecycle === undefined || lifecycle.phase === 'observing';
  return isFirst && record.status !== 'PENDING_DEPLOY';
}

/** The spec, and what cannot change in place: an enclave's region is the one its state lies in. */
export function readSpec(
  record: EnclaveRecord,
  lifecycle: Lifecycle | undefined,
  { specContext, workOut }: ReconcileContext,
): SpecResult {
  const applied = takesAsFound(record, lifecycle) ? FOUND : appliedSpec(lifecycle);
  const result = parseSpec(record.raw, specContext, { worked: workOut, applied });
  if (!result.ok || lifecycle?.snapshot === undefined || lifecycle.phase === 'destroyed') return result;
  const errors = immutableChanges({ region: lifecycle.snapshot.region }, result.spec);
  return errors.length === 0 ? result : { ok: false, errors, warnings: result.warnings };
}

/** The lifecycle with the policy of our record; of a record that is gone, the one that was last read stays. */
export function withPolicy(intent: Intent, record: EnclaveRecord | undefined): Intent {
  if (intent.record !== 'ours' || record === undefined) return intent;
  const { policy } = parsePolicy(record.raw.policy, record.id);
  if (policy === DEFAULT_POLICY && intent.lifecycle.policy === undefined) return intent;
  const { policy: _before, ...lifecycle } = intent.lifecycle;
  const isDefault = policy === DEFAULT_POLICY || canonicalJson(policy) === canonicalJson(DEFAULT_POLICY);
  return { ...intent, lifecycle: isDefault ? lifecycle : { ...lifecycle, policy: { ...policy } } };
}

/** Written by this schema, from a policy that was read. */
export function policyOf(lifecycle: Lifecycle): EnclavePolicy {
  return lifecycle.policy === undefined ? DEFAULT_POLICY : (lifecycle.policy as unknown as EnclavePolicy);
}

/** A batch that has completed, whose host need not run any more. */
function rests(lifecycle: Lifecycle): boolean {
  const { completed, desired, observedGeneration } = lifecycle;
  const isDone = desired === 'Running' && completed?.generation === observedGeneration;
  return isDone && policyOf(lifecycle).onCompletion === 'stopHost';
}

const SETTLED_PHASES: ReadonlySet<Lifecycle['phase']> = new Set([
  'ready',
  'paused',
  'invalid',
  'stalled',
  'destroyed',
  'pending',
]);

/** An enclave that is expected to change is looked at closely; one at rest shares the periodic sweep. */
export async function lookAtHost(
  id: string,
  lifecycle: Lifecycle,
  context: ReconcileContext,
): Promise<Assessment['host']> {
  const { config } = context;
  const region = regionOf(lifecycle, config.region);
  if (lifecycle.phase === 'observing' && region !== config.region) {
    // The pipeline before this one made every host here, whatever the record said.
    const here = await lookIn(config.region, id, lifecycle, context);
    if (here.instanceId !== undefined) return { ...here, foundIn: config.region };
  }
  return lookIn(region, id, lifecycle, context);
}

async function lookIn(
  region: string,
  id: string,
  lifecycle: Lifecycle,
  { config, ports, hosts }: ReconcileContext,
): Promise<Assessment['host']> {
  const settled = SETTLED_PHASES.has(lifecycle.phase) && lifecycle.drift === undefined;
  const atRest = settled || awaitsLook(lifecycle, ports.clock.now());
  const maxAgeMs = atRest ? 2 * config.sweepMs : config.observeMs;
  try {
    const look = await hosts.look(region, id, lifecycle.pinned.instanceId, maxAgeMs);
    return viewHost(look, lifecycle.desired, lifecycle.pinned.instanceId, rests(lifecycle));
  } catch (error) {
    // Unknown, never missing: nothing is repaired on the word of a call that failed.
    ports.log.warn({ enclaveId: id, region, error: String(error) }, 'hosts could not be observed');
    return UNSEEN;
  }
}

export interface Observations {
  readonly intent: Intent;
  readonly record: EnclaveRecord | undefined;
  readonly spec: SpecResult | undefined;
  readonly requests: readonly Request[];
  readonly run: Assessment['run'];
  readonly host: Assessment['host'];
  readonly reports: readonly Report[];
  readonly slot: boolean;
  readonly outlook: string | undefined;
}

export function assess(seen: Observations, context: ReconcileContext): Assessment {
  const { intent } = seen;
  const { lifecycle } = intent;
  const { foundIn } = seen.host;
  const spec = withoutCollision(misplaced(seen.spec, foundIn), context.names.refusal(lifecycle));
  const { clock, random } = context.ports;
  const debugAllowed = debugOf(lifecycle, spec);
  const read = seen.spec?.ok === true ? seen.spec.spec : undefined;
  const wanted = read === undefined || foundIn === undefined ? read : { ...read, region: foundIn };
  const policy = policyOf(lifecycle);
  context.dependencies.declare(lifecycle.id, policy.dependsOn);
  const isLegacy = isWithoutAgent(lifecycle, seen.reports);
  const change = onLegacyHost(isLegacy, pendingChange(lifecycle, wanted));
  const now = clock.now();
  const admission = admit(policy, lifecycle, change, context, now);
  const approval = approvalOf(lifecycle, policy, now);
  const retry = seen.requests.some(({ verb }) => verb === 'retry' || (verb === 'unlock' && isLocked(lifecycle)));
  const findings = underPolicy(findingsIn(lifecycle, seen.host, context), policy, now);
  const look = { reports: seen.reports, silentMs: context.reports.silentMs(lifecycle.id, seen.reports) };
  const enclave = viewEnclave(look, seen.host.instanceId, lifecycle, {
    debugAllowed,
    silenceMs: context.config.reportSilenceMs,
    // Written by this schema, of a spec that was valid.
    applied: lifecycle.applied as EnclaveSpec | undefined,
    mayDiffer: (attribute) => mayDiffer(policy, attribute, now),
    isTold: (attribute) => driftModeOf(policy, attribute) === 'alert',
  });
  const leave = {
    repairs: context.repairs,
    defaultRegion: context.config.region,
    now,
    reported: enclave.attribute,
    retry,
  };
  return {
    now,
    random: random.next(),
    limits: context.limits,
    newCommand: intent.newCommand,
    newGeneration: intent.newGeneration,
    retry,
    adopt: seen.requests.some((request) => request.verb === 'adopt'),
    staleCommand: intent.staleCommand,
    record: intent.record,
    spec: specViewOf(spec, debugAllowed),
    admission: approved(
      admission.ok ? (context.quota.refusal(lifecycle) ?? admission) : admission,
      lifecycle,
      approval,
    ),
    approval,
    // What someone asks for is not contested.
    repair: repairLeave(retry ? withoutRepairs(lifecycle) : lifecycle, policy, admission, leave),
    uncompared: seen.host.posture !== undefined && isUnprepared(lifecycle, seen.host),
    replaceable: mayReplace(lifecycle, policy, enclave.attribute),
    change,
    retain: policy.deletionPolicy === 'Retain',
    rests: rests(lifecycle),
    host: seen.host,
    enclave,
    secondLook: context.secondLooks.answer(lifecycle.id, seen.reports, enclave),
    findings,
    run: seen.run,
    slot: seen.slot,
    outlook: seen.outlook,
    deletionsAllowed: context.deletionsAllowed(),
    dependents: context.dependencies.dependents(lifecycle.id),
    variables: variablesOf(lifecycle, wanted, policy, change, context.config),
    // Asked for by nobody before something has been seen to differ.
    mending: lifecycle.drift === undefined ? undefined : mendingOf(lifecycle, policy),
  };
}

/** Warnings about what the operator does otherwise than the record says, or only for as long as nothing is edited. */
const DEPARTURES: ReadonlySet<string> = new Set<IssueCode>(['IMAGE_KEPT_WARN', 'REFERENCE_NOT_ALLOWED']);

/** Absence is a case of its own: a record that is gone must not pass for a valid one. */
function specViewOf(spec: SpecResult | undefined, debugAllowed: boolean): Assessment['spec'] {
  if (spec === undefined) return { ok: false, absent: true };
  if (!spec.ok) return { ok: false, issues: spec.errors };
  const warnings = spec.warnings.filter(({ code }) => DEPARTURES.has(code));
  return {
    ok: true,
    debugAllowed,
    workloadType: spec.spec.workloadType,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

function withoutRepairs({ healed: _fought, ...lifecycle }: Lifecycle): Lifecycle {
  return lifecycle;
}

/** Every run breaks a dead one's lock: to unlock is to try again, where a lock is what was in the way. */
function isLocked({ failure }: Lifecycle): boolean {
  return failure?.class === 'locked';
}

/** An enclave lies where its host is: that the record names another region is the record's mistake, and is told. */
function misplaced(read: SpecResult | undefined, foundIn: string | undefined): SpecResult | undefined {
  if (read?.ok !== true || foundIn === undefined) return read;
  return { ok: false, errors: immutableChanges({ region: foundIn }, read.spec), warnings: read.warnings };
}

function withoutCollision(read: SpecResult | undefined, collision: SpecIssue | undefined): SpecResult | undefined {
  if (read === undefined || collision === undefined) return read;
  return { ok: false, errors: [collision, ...(read.ok ? [] : read.errors)], warnings: read.warnings };
}

function debugOf(lifecycle: Lifecycle, spec: SpecResult | undefined): boolean {
  if (spec?.ok === true) return spec.spec.enableDebug;
  return lifecycle.snapshot?.spec?.enableDebug === true;
}

/** Of the last run's variables, what holds for others: which host a repair was to replace does not. */
function remembered(snapshot: Lifecycle['snapshot']): Lifecycle['snapshot'] {
  if (snapshot?.replaces === undefined) return snapshot;
  const { replaces: _done, change: _asked, ...rest } = snapshot;
  return rest;
}

/** What was last applied, once more. */
export function mendingOf(
  { snapshot: last, applied, pinned, observedGeneration: generation }: Lifecycle,
  policy: EnclavePolicy,
): RunVariables | undefined {
  const snapshot = remembered(last);
  if (snapshot === undefined || applied === undefined) return undefined;
  return { ...snapshot, stackVersion: STACK_VERSION, generation, spec: applied, policy, change: 'none', pinned };
}

/** What a deploy would be given: the record's spec, or, where that is not valid, what was last applied. */
export function variablesOf(
  lifecycle: Lifecycle,
  wanted: EnclaveSpec | undefined,
  policy: EnclavePolicy,
  change: SpecChange | undefined,
  config: Config,
): RunVariables | undefined {
  const { pinned } = lifecycle;
  const snapshot = remembered(lifecycle.snapshot);
  if (wanted === undefined) return snapshot?.spec === undefined ? undefined : { ...snapshot, policy, pinned };
  return {
    ...snapshot,
    region: wanted.region,
    environment: config.environment,
    stateKey: stateKey(lifecycle.id),
    stackVersion: STACK_VERSION,
    walletAddress: lifecycle.identity.walletAddress,
    generation: lifecycle.generation,
    spec: { ...wanted },
    policy,
    /** How disruptive this generation is allowed to be: the gate replaces a host only where a field asks for it. */
    change: change?.class ?? 'none',
    pinned,
  };
}
