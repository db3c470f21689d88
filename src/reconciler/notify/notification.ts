/** Notifications: what people are told, and when it is the same as before. Pure. */
import { createHash } from 'node:crypto';
import { conditionOf, isSecurityFinding } from '../../enclave/conditions.ts';
import type { EventReason } from '../../enclave/event-reasons.ts';
import type { Control } from '../../enclave/items/fleet.ts';
import type { OperatorEvent } from '../../enclave/items/items.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import {
  NOTIFICATION_KINDS,
  type Notification,
  type NotificationKind,
  type NotificationSeverity,
} from '../ports/notification.ts';

export { NOTIFICATION_KINDS, type Notification, type NotificationKind, type NotificationSeverity };

export type Draft = Pick<Notification, 'kind' | 'severity' | 'subject' | 'reason' | 'message' | 'since'>;

const LONGEST_MESSAGE = 1_000;
const LONGEST_SUBJECT = 256;

/** Events that are told; what is also a condition of an enclave is told from there, where no crash loses it. */
export const TOLD_EVENTS: Readonly<Partial<Record<EventReason, Pick<Notification, 'kind' | 'severity'>>>> = {
  BreakerOpened: { kind: 'Breaker', severity: 'critical' },
  BreakerClosed: { kind: 'Breaker', severity: 'info' },
  OrphanFound: { kind: 'Orphan', severity: 'warning' },
};

/** Strings of a record come through here: one line, no control characters, bounded. */
function plain(text: string, longest: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}

export function notification(environment: string, draft: Draft): Notification {
  const identity = [environment, draft.kind, draft.subject, draft.reason, draft.since];
  return {
    v: 1,
    id: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32),
    kind: draft.kind,
    severity: draft.severity,
    environment,
    subject: plain(draft.subject, LONGEST_SUBJECT),
    reason: draft.reason,
    message: plain(draft.message, LONGEST_MESSAGE),
    since: draft.since,
  };
}

/** What stands of one enclave and must be known. */
export function standingOf(lifecycle: ListedLifecycle): readonly Draft[] {
  if (lifecycle.phase === 'destroyed') return [];
  const drafts: Draft[] = [];
  const stalled = conditionOf(lifecycle.conditions, 'Stalled');
  if (stalled?.status === 'True') {
    const { reason, message, lastTransitionTime: since } = stalled;
    drafts.push({ kind: 'Stalled', severity: 'warning', subject: lifecycle.id, reason, message, since });
  }
  const secure = conditionOf(lifecycle.conditions, 'Secure');
  // Expected findings raise no notification; otherwise each new leader would send one.
  if (secure !== undefined && isSecurityFinding(secure)) {
    const { reason, message, lastTransitionTime: since } = secure;
    drafts.push({ kind: 'SecurityFinding', severity: 'critical', subject: lifecycle.id, reason, message, since });
  }
  return drafts;
}

export function heldDeletions({ reason, since }: NonNullable<Control['deletionHold']>): Draft {
  return {
    kind: 'DeletionsHeld',
    severity: 'critical',
    subject: 'fleet',
    reason: 'DeletionHeld',
    message: `${reason}: restore the records, or run \`enclavectl confirm-deletions\``,
    since,
  };
}

/** Undefined: the event is nobody's alarm. */
export function toldEvent({ id, at, reason, message }: OperatorEvent): Draft | undefined {
  const told = Object.hasOwn(TOLD_EVENTS, reason) ? TOLD_EVENTS[reason as EventReason] : undefined;
  return told === undefined ? undefined : { ...told, subject: id, reason, message, since: at };
}

/** What within a window is told once. A breaker that opens again has closed meanwhile: that is told each time. */
export function keyOf({ kind, subject, reason }: Notification): string {
  return JSON.stringify(kind === 'Breaker' ? [kind, subject] : [kind, subject, reason]);
}
