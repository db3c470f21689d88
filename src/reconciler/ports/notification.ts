/** A notification, as the channels of notifications take it. */

export const NOTIFICATION_KINDS = [
  /** An enclave is given up until a person acts. */
  'Stalled',
  /** Something weakens an enclave. */
  'SecurityFinding',
  /** Repairs of a region have stopped because too much of it drifted, or go on again. */
  'Breaker',
  /** Deletions wait for a confirmation. */
  'DeletionsHeld',
  /** A host of ours that belongs to no enclave. */
  'Orphan',
  /** The leader is at work. */
  'Heartbeat',
] as const;
export type NotificationKind = (typeof NOTIFICATION_KINDS)[number];
export type NotificationSeverity = 'info' | 'warning' | 'critical';

/** As it goes out, in JSON. */
export interface Notification {
  readonly v: 1;
  /** Equal for the same occurrence, whoever tells it and however often: receivers drop repeats by it. */
  readonly id: string;
  readonly kind: NotificationKind;
  readonly severity: NotificationSeverity;
  readonly environment: string;
  /** The enclave's id, or what else it concerns: `fleet`, a region. */
  readonly subject: string;
  readonly reason: string;
  readonly message: string;
  /** Since when it stands, RFC 3339; of a heartbeat, when it was made. */
  readonly since: string;
}
