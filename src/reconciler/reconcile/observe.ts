/** Observe: what is asked for, what is remembered, and what exists of one enclave. */
import type { Finding } from '../../drift/index.ts';
import type { PlanResult } from '../../enclave/items/fleet-run.ts';
import { isFromTheFuture, type Lock, REQUEST_VERBS, type Request } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { Report } from '../../enclave/items/report.ts';
import { canonicalJson } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { type EnclaveRecord, readRecord } from '../../enclave/record.ts';
import { appliedSpec } from '../../enclave/spec/applied.ts';
import { immutableChanges } from '../../enclave/spec/change.ts';
import { DEFAULT_POLICY, parsePolicy, policyOf } from '../../enclave/spec/policy.ts';
import { type AppliedSpec, parseSpec, type SpecResult } from '../../enclave/spec/spec.ts';
import { type Assessment, awaitsLook, type Intent } from '../../machines/index.ts';
import { UNSEEN, viewHost } from '../observers/host-view.ts';
import { findingsIn } from './collect-findings.ts';
import type { ReconcileContext, ReconcileRequest } from './context.ts';

/** What is stored of an enclave. */
export interface Stored {
  readonly record: EnclaveRecord | undefined;
  readonly lifecycle: Lifecycle | undefined;
  readonly lock: Lock | undefined;
  readonly requests: readonly Request[];
  readonly planResults: readonly PlanResult[];
  /** Of the record; undefined where there is none. */
  readonly spec: SpecResult | undefined;
}

/** Undefined where a newer operator has written what this one cannot read. */
export async function readStored(
  { id, requested }: ReconcileRequest,
  context: ReconcileContext,
): Promise<Stored | undefined> {
  const { ports } = context;
  const [raw, { lifecycle, lock, fromTheFuture }, requests, planResults] = await Promise.all([
    ports.records.get(id),
    ports.state.read(id),
    requested ? ports.state.requests(id) : [],
    requested ? ports.state.planResults(id) : [],
  ]);
  if (fromTheFuture || (lifecycle !== undefined && isFromTheFuture(lifecycle))) return undefined;
  const record = raw === undefined ? undefined : readRecord(raw);
  const spec = record === undefined ? undefined : readSpec(record, lifecycle, context);
  return {
    record,
    lifecycle,
    lock,
    requests: requests.filter(isUnderstood),
    planResults: planResults.filter((result) => !isFromTheFuture(result)),
    spec,
  };
}

/** What exists of an enclave, as far as it could be seen. */
export interface Observed {
  readonly run: Assessment['run'];
  readonly host: Assessment['host'];
  readonly reports: readonly Report[];
  /** For how long the reports have been as they are, ms. */
  readonly silentMs: number;
  /** Of all observers and the last plan; what the policy makes of them is decided later. */
  readonly findings: readonly Finding[];
}

export async function observe(
  request: ReconcileRequest,
  { lifecycle }: Intent,
  lock: Lock | undefined,
  context: ReconcileContext,
): Promise<Observed> {
  const { observers } = context;
  const looked = lookAtHost(request, lifecycle, context);
  const [run, host, reports] = await Promise.all([
    observers.runs.view(request.id, lifecycle.run, lock),
    looked,
    looked.then((seen) => reportsOf(lifecycle, seen, context)),
  ]);
  const silentMs = observers.reports.observe(request.id, reports);
  return { run, host, reports, silentMs, findings: findingsIn(lifecycle, host, context) };
}

/** Verbs of a newer enclavectl are left for a newer operator. */
function isUnderstood(request: Request): boolean {
  return (REQUEST_VERBS as readonly string[]).includes(request.verb) && !isFromTheFuture(request);
}

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
  { specs }: Pick<ReconcileContext, 'specs'>,
): SpecResult {
  const applied = takesAsFound(record, lifecycle) ? FOUND : appliedSpec(lifecycle);
  const result = parseSpec(record.raw, specs.context, { worked: specs.workOut, applied });
  if (!result.ok || lifecycle?.snapshot === undefined || lifecycle.phase === 'destroyed') return result;
  const errors = immutableChanges({ region: lifecycle.snapshot.region }, result.spec);
  return errors.length === 0 ? result : { ok: false, errors, warnings: result.warnings };
}

/** The lifecycle with the policy of our record; of a record that is gone, the one that was last read stays. */
export function withPolicy(intent: Intent, record: EnclaveRecord | undefined): Intent {
  if (intent.record !== 'ours' || record === undefined) return intent;
  const { policy } = parsePolicy(record.raw.policy, record.id);
  if (policy === DEFAULT_POLICY && intent.lifecycle.policy === undefined) return intent;
  const lifecycle = omit(intent.lifecycle, 'policy');
  const isDefault = policy === DEFAULT_POLICY || canonicalJson(policy) === canonicalJson(DEFAULT_POLICY);
  return { ...intent, lifecycle: isDefault ? lifecycle : { ...lifecycle, policy: { ...policy } } };
}

/** A batch that has completed, whose host need not run any more. */
export function rests(lifecycle: Lifecycle): boolean {
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
async function lookAtHost(
  request: ReconcileRequest,
  lifecycle: Lifecycle,
  context: ReconcileContext,
): Promise<Assessment['host']> {
  const { config } = context;
  const region = regionOf(lifecycle, config.region);
  if (lifecycle.phase === 'observing' && region !== config.region) {
    // The pipeline before this one made every host here, whatever the record said.
    const here = await lookIn(config.region, request, lifecycle, context);
    if (here.instanceId !== undefined) return { ...here, foundIn: config.region };
  }
  return lookIn(region, request, lifecycle, context);
}

async function lookIn(
  region: string,
  { id, log }: ReconcileRequest,
  lifecycle: Lifecycle,
  { config, ports, observers }: ReconcileContext,
): Promise<Assessment['host']> {
  const settled = SETTLED_PHASES.has(lifecycle.phase) && lifecycle.drift === undefined;
  const atRest = settled || awaitsLook(lifecycle, ports.clock.now());
  const maxAgeMs = atRest ? 2 * config.sweepMs : config.observeMs;
  try {
    const look = await observers.hosts.look(region, id, lifecycle.pinned.instanceId, maxAgeMs);
    return viewHost(look, lifecycle.desired, lifecycle.pinned.instanceId, rests(lifecycle));
  } catch (error) {
    // Unknown, never missing: nothing is repaired on the word of a call that failed.
    log.warn({ enclaveId: id, region, error: String(error) }, 'hosts could not be observed');
    return UNSEEN;
  }
}

/** Reports of the host that is pinned and of the one that EC2 shows, which differ only until a new one is pinned. */
async function reportsOf(
  { id, pinned }: Lifecycle,
  { instanceId }: Assessment['host'],
  { ports }: ReconcileContext,
): Promise<readonly Report[]> {
  const known = [pinned.instanceId, instanceId].filter((each) => each !== undefined);
  return known.length === 0 ? [] : ports.state.reports(id, [...new Set(known)]);
}
