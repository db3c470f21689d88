/** AttributeEntry: all that the drift table says about one attribute. */
import type { Reason } from '../enclave/conditions.ts';
import type { RepairStep, Severity } from './finding.ts';
import type { Judgement } from './judgement.ts';
import type { Observed, Wanted } from './observed.ts';

/** The part of an observation that shows an attribute. `hostState`: whether the host exists and runs. */
export type ObservedPart = Exclude<keyof Observed, 'observedAt'> | 'hostState';

export interface AttributeEntry {
  readonly part: ObservedPart;
  /** The source of the observation, for the documentation. */
  readonly seenBy: string;
  readonly severity: Severity;
  /** Cheapest first; the next one follows when all attempts at this one have failed. None: reported, never repaired. */
  readonly steps: readonly RepairStep[];
  /** @default 'operator' */
  readonly owned?: 'foreign';
  /** It weakens the enclave: an event reports it, and `Secure` is False. @default false */
  readonly security?: true;
  /** Whether its first repair step takes down something that serves. @default as the step does */
  readonly interrupts?: boolean;
  /** How long it may last before it is repaired, because it usually ends by itself, ms. @default 0 */
  readonly patienceMs?: number;
  /** The reason of `InSync`. @default 'Drifted' */
  readonly reason?: Reason;
  /** The state of the host that is this difference. */
  readonly hostState?: 'gone' | 'stopped' | 'running';
  /** Attributes that differ as a consequence, or of which nothing can be said meanwhile: this one is repaired. */
  readonly explains?: readonly string[];
  /** Terraform's names for it, as `type.attribute`. All others are drift of what RESOURCE_TYPES names for their type. */
  readonly terraform?: readonly string[];
  /** What the documentation says is compared. */
  readonly compares: string;
  /** Pure. Undefined: the enclave does not have this attribute, or nobody observes it, and no finding is made. */
  judge(wanted: Wanted, observed: Observed): Judgement | undefined;
}

/** The source of an observation, for the documentation, and the part of the observation that it fills. */
export const by = (seenBy: string, part: ObservedPart) => ({ seenBy, part });
