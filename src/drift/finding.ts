/** Finding: one attribute of an enclave, as desired and as observed. */
import type { Attribute } from './attributes.ts';

/** `Unknown` never leads to a repair. */
export type Verdict = 'Match' | 'Drift' | 'Unknown';

export type Severity = 'critical' | 'high' | 'medium' | 'low';

const RANKS: Readonly<Record<Severity, number>> = { critical: 0, high: 1, medium: 2, low: 3 };

/** Lower is graver. */
export function severityRank(severity: Severity): number {
  return RANKS[severity];
}

/** The ways to repair a difference. */
export const REPAIR_STEPS = [
  'startHost',
  'stopHost',
  'restartEnclave',
  'restartAllocator',
  'restartHost',
  'apply',
  'replace',
] as const;
export type RepairStep = (typeof REPAIR_STEPS)[number];

/** The first repair step of an attribute. `alert`: the operator reports the difference and repairs nothing. */
export type DriftRung = 'alert' | RepairStep;

export interface Finding {
  readonly attribute: Attribute;
  /** Short printable text; undefined: nobody knows what it should be, or nobody asked for it in words. */
  readonly desired: string | undefined;
  /** Likewise; undefined where the verdict is Unknown. Written by others: to be shown, never to be acted on. */
  readonly observed: string | undefined;
  readonly verdict: Verdict;
  readonly severity: Severity;
  readonly rung: DriftRung;
  /** `foreign`: not the operator's to change, whatever it is. */
  readonly owned: 'operator' | 'foreign';
  /** An event reports it even where the operator repairs it at once. */
  readonly security: boolean;
  /** Wall time of the look it comes from, ms: two findings of one look are one observation. */
  readonly observedAt: number;
}
