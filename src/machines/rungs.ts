/** Repair steps as metrics count them. */
import type { RepairStep } from '../drift/index.ts';

export const RUNGS = [
  'startHost',
  'restartEnclave',
  'restartAllocator',
  'restartHost',
  'apply',
  'replace',
] as const satisfies readonly RepairStep[];
export type Rung = (typeof RUNGS)[number];

export const isRung = (word: string): word is Rung => (RUNGS as readonly string[]).includes(word);
