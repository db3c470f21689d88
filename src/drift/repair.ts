/** Repair: what the drift table says about repairing an attribute. */
import { type Attribute, ENTRIES } from './attributes.ts';
import type { DriftRung, Finding, RepairStep } from './finding.ts';

/** What restarts or replaces something that runs. */
const INTERRUPTING: ReadonlySet<DriftRung> = new Set(['restartEnclave', 'restartAllocator', 'restartHost', 'replace']);

/** Whether repairing an attribute by this step takes down an enclave that serves: it waits for the maintenance window. */
export function interrupts(attribute: Attribute, step: DriftRung): boolean {
  const { steps, interrupts: own } = ENTRIES[attribute];
  return own !== undefined && step === steps[0] ? own : INTERRUPTING.has(step);
}

/** The repair steps that follow from one of them: all of the attribute's, or that one where it is another than its first. */
export function stepsFrom(attribute: Attribute, step: RepairStep): readonly RepairStep[] {
  const { steps } = ENTRIES[attribute];
  return steps[0] === step ? steps : [step];
}

/** What a finding of the attribute is by itself, before anything was observed. */
export function baseOf(attribute: Attribute): Pick<Finding, 'severity' | 'rung' | 'owned' | 'security'> {
  const { severity, steps, owned = 'operator', security = false } = ENTRIES[attribute];
  return { severity, rung: steps[0] ?? 'alert', owned, security };
}
