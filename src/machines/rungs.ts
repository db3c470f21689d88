/** Repair steps as metrics count them. */
import { REPAIR_STEPS, type RepairStep } from '../drift/index.ts';

/** Stopping the host of a paused enclave is the pausing phase's work. */
export type Rung = Exclude<RepairStep, 'stopHost'>;
export const RUNGS: readonly Rung[] = REPAIR_STEPS.filter((step) => step !== 'stopHost');

export const isRung = (word: string): word is Rung => (RUNGS as readonly string[]).includes(word);
