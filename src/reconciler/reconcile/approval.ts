/** Approval: what a person must approve before Terraform changes an enclave whose policy asks for it. Pure. */
import type { Request } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Approval } from '../../enclave/items/plan.ts';
import type { Outcome } from '../../enclave/items/run.ts';
import { omit } from '../../enclave/omit.ts';
import type { EnclavePolicy } from '../../enclave/spec/policy.ts';
import type { Admission, Assessment, Effect } from '../../machines/index.ts';

const APPROVED_MS = 24 * 60 * 60_000;
/** As much of a digest as a person compares. */
const SHOWN = 12;

const iso = (ms: number) => new Date(ms).toISOString();

/**
 * Whether a run that applies something may begin; undefined: nobody is asked. A first deployment changes nothing that
 * is there, and to take something over applies nothing.
 */
export function approvalOf(lifecycle: Lifecycle, policy: EnclavePolicy, now: number): Assessment['approval'] {
  const { observedGeneration, generation, adopting, approval } = lifecycle;
  if (policy.drift.approval !== 'manual' || observedGeneration === 0) return undefined;
  if (adopting && generation === observedGeneration) return undefined;
  return approval !== undefined && isValid(approval, lifecycle, now) ? 'given' : 'awaited';
}

function isValid({ generation, expiresAt }: Approval, lifecycle: Lifecycle, now: number): boolean {
  return generation === lifecycle.generation && Date.parse(expiresAt) > now;
}

/** A change of the record waits for its approval, as it does for a maintenance window. */
export function approved(admission: Admission, lifecycle: Lifecycle, approval: Assessment['approval']): Admission {
  const { id, generation, observedGeneration } = lifecycle;
  if (!admission.ok || approval !== 'awaited' || generation === observedGeneration) return admission;
  const message = `generation ${generation} awaits approval: \`enclavectl plan ${id}\` shows it, \`enclavectl approve ${id}\` lets it be applied`;
  return { ok: false, reason: 'AwaitingApproval', message };
}

/** Takes up `plan` and `approve`, and lets go of an approval that no longer counts. */
export function takeRequests(lifecycle: Lifecycle, requests: readonly Request[], now: number): Lifecycle {
  let next = lifecycle;
  if (next.approval !== undefined && next.run === undefined && !isValid(next.approval, next, now)) {
    next = omit(next, 'approval');
  }
  if (next.desired === 'Absent') return next;
  for (const request of requests) {
    const { verb, actor } = request;
    if (verb === 'plan') next = { ...next, planAsked: { at: iso(now), actor } };
    if (verb !== 'approve' || refusal(lifecycle, request) !== undefined) continue;
    const { generation } = lifecycle;
    const digest = request.digest ?? '';
    next = { ...next, approval: { generation, digest, actor, at: iso(now), expiresAt: iso(now + APPROVED_MS) } };
  }
  return next;
}

/** Why an approval does not hold: only what was planned last, and still stands, can be approved. */
function refusal({ planned, ranAt, generation, desired }: Lifecycle, request: Request): string | undefined {
  if (desired === 'Absent') return 'it is being destroyed';
  if (request.generation !== generation)
    return `generation ${generation} is wanted, not ${request.generation ?? 'none'}`;
  if (planned?.digest === undefined || planned.generation !== generation) return 'no plan of this generation is known';
  if (ranAt !== undefined && Date.parse(ranAt) >= Date.parse(planned.askedAt)) return 'a run has ended since the plan';
  return planned.digest === request.digest ? undefined : `the last plan is ${planned.digest.slice(0, SHOWN)}`;
}

interface Told {
  readonly before: Lifecycle | undefined;
  readonly after: Lifecycle;
  readonly requests: readonly Request[];
  readonly outcome: Outcome | undefined;
}

/** What became of each approval. */
export function approvalEvents({ before, after, requests, outcome }: Told): readonly Effect[] {
  const asked = requests.filter(({ verb }) => verb === 'approve').map((request) => answerTo(request, before ?? after));
  if (before?.approval === undefined || after.approval !== undefined || after.desired === 'Absent') return asked;
  const { generation, digest, expiresAt } = before.approval;
  const lost = (reason: 'ApprovalVoid' | 'ApprovalExpired', message: string): readonly Effect[] => [
    ...asked,
    { type: 'emitEvent', event: { type: 'Warning', reason, message: `${message}; approve a fresh plan` } },
  ];
  if (outcome?.unapproved !== undefined) {
    const fresh = outcome.unapproved.slice(0, SHOWN);
    return lost('ApprovalVoid', `plan ${digest.slice(0, SHOWN)} was approved, and a fresh one is ${fresh}`);
  }
  if (outcome?.result === 'succeeded') return asked;
  if (generation !== after.generation) return lost('ApprovalVoid', `generation ${generation} was approved`);
  return lost('ApprovalExpired', `the approval of plan ${digest.slice(0, SHOWN)} ended ${expiresAt}`);
}

function answerTo(request: Request, lifecycle: Lifecycle): Effect {
  const refused = refusal(lifecycle, request);
  const what = `plan ${(request.digest ?? '').slice(0, SHOWN)} of generation ${request.generation ?? 'none'}`;
  return refused === undefined
    ? {
        type: 'emitEvent',
        event: { type: 'Normal', reason: 'Approved', message: `${what}, by ${request.actor}, for a day` },
      }
    : { type: 'emitEvent', event: { type: 'Warning', reason: 'ApprovalRefused', message: `${what}: ${refused}` } };
}
