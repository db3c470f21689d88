/** Assess: joins record, spec, policy, host, reports and run into one assessment. */

import type { Control } from '../../enclave/items/fleet.ts';
import type { Request } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { omit } from '../../enclave/omit.ts';
import type { EnclaveRecord } from '../../enclave/record.ts';
import { immutableChanges } from '../../enclave/spec/change.ts';
import { policyOf } from '../../enclave/spec/policy.ts';
import type { EnclaveSpec, IssueCode, SpecIssue, SpecResult } from '../../enclave/spec/spec.ts';
import type { Assessment, Intent } from '../../machines/index.ts';
import type { Config } from '../config.ts';
import type { Dependencies } from '../fleet/dependencies.ts';
import type { NameCollisions } from '../fleet/name-collisions.ts';
import type { WalletQuota } from '../limits/wallet-quota.ts';
import { isUnprepared, policyView, underPolicy } from '../observers/compare.ts';
import type { HostProbes } from '../observers/host-probes.ts';
import { isWithoutAgent, viewEnclave } from '../observers/report-view.ts';
import type { RepairBudget } from '../repair/budget.ts';
import { mayReplace, repairPermission } from '../repair/permission.ts';
import { admit, onLegacyHost, pendingChange } from './admission.ts';
import { approvalOf, approved } from './approval.ts';
import { type Observed, rests } from './observe.ts';
import { mendingOf, variablesOf } from './run-request.ts';

export interface Observations extends Observed {
  readonly intent: Intent;
  readonly record: EnclaveRecord | undefined;
  readonly spec: SpecResult | undefined;
  readonly requests: readonly Request[];
  /** How long a run would wait for a slot, in words; undefined where one is free. */
  readonly wait: string | undefined;
  /** Wall time, ms. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
}

/** What an assessment reads. It changes nothing: what it finds free is taken by `reserve`, at the decision. */
export interface AssessContext {
  readonly config: Config;
  readonly fleet: {
    readonly control: Pick<Control, 'freeze'>;
    readonly dependencies: Pick<Dependencies, 'cycle' | 'missing' | 'dependents'>;
    readonly deletionsAllowed: boolean;
  };
  readonly observers: { readonly secondLooks: Pick<HostProbes, 'answer'> };
  readonly limits: {
    readonly repairs: Pick<RepairBudget, 'ask'>;
    readonly quota: Pick<WalletQuota, 'refusal'>;
    readonly names: Pick<NameCollisions, 'refusal'>;
  };
}

/** Pure but for what `context` reads: equal states give equal assessments. */
export function assess(seen: Observations, context: AssessContext): Assessment {
  const { intent, now } = seen;
  const { lifecycle } = intent;
  const { foundIn } = seen.host;
  const spec = withoutCollision(misplaced(seen.spec, foundIn), context.limits.names.refusal(lifecycle));
  const debugAllowed = debugOf(lifecycle, spec);
  const read = seen.spec?.ok === true ? seen.spec.spec : undefined;
  const wanted = read === undefined || foundIn === undefined ? read : { ...read, region: foundIn };
  const policy = policyOf(lifecycle);
  const isLegacy = isWithoutAgent(lifecycle, seen.reports);
  const change = onLegacyHost(isLegacy, pendingChange(lifecycle, wanted));
  const admission = admit(policy, lifecycle, change, context.fleet, now);
  const approval = approvalOf(lifecycle, policy, now);
  const retry = seen.requests.some(({ verb }) => verb === 'retry' || (verb === 'unlock' && isLocked(lifecycle)));
  const view = policyView(policy, now);
  const findings = underPolicy(seen.findings, view);
  const enclave = viewEnclave(seen, seen.host.instanceId, lifecycle, {
    debugAllowed,
    silenceMs: context.config.reportSilenceMs,
    // Written by this schema, of a spec that was valid.
    applied: lifecycle.applied as EnclaveSpec | undefined,
    policy: view,
  });
  const leave = {
    repairs: context.limits.repairs,
    defaultRegion: context.config.region,
    now,
    reported: enclave.attribute,
    retry,
  };
  return {
    now,
    random: seen.random,
    limits: context.config,
    newCommand: intent.newCommand,
    newGeneration: intent.newGeneration,
    retry,
    adopt: seen.requests.some((request) => request.verb === 'adopt'),
    staleCommand: intent.staleCommand,
    record: intent.record,
    spec: specViewOf(spec, debugAllowed),
    admission: approved(
      admission.ok ? (context.limits.quota.refusal(lifecycle) ?? admission) : admission,
      lifecycle,
      approval,
    ),
    approval,
    // What someone asks for is not contested.
    repair: repairPermission(retry ? omit(lifecycle, 'healed') : lifecycle, policy, admission, leave),
    uncompared: seen.host.posture !== undefined && isUnprepared(lifecycle, seen.host),
    replaceable: mayReplace(lifecycle, policy, enclave.attribute),
    change,
    retain: policy.deletionPolicy === 'Retain',
    rests: rests(lifecycle),
    host: seen.host,
    enclave,
    secondLook: context.observers.secondLooks.answer(lifecycle.id, seen.reports, enclave),
    findings,
    run: seen.run,
    slot: seen.wait === undefined,
    outlook: seen.wait,
    deletionsAllowed: context.fleet.deletionsAllowed,
    dependents: context.fleet.dependencies.dependents(lifecycle.id),
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
