/** What to show of a seed that failed. */

import { timeOf } from './trace.ts';
import type { Report } from './worker-pool.ts';

/** The one command that plays it again. */
export function commandOf({ seed }: Pick<Report, 'seed'>, more = ''): string {
  return `npm run sim -- --seeds 1 --from ${seed}${more} --trace`;
}

/** Which invariant broke, when and how, and the command. */
export function summaryOf(report: Report, more = ''): string {
  const { seed, violation } = report;
  if (violation === undefined) return `seed ${seed} holds`;
  return `seed ${seed} after ${timeOf(violation.atMs)}: ${violation.rule}: ${violation.message}\n  ${commandOf(report, more)}`;
}

/** The end of its trace: of the enclave the violation names, and of the world around it. */
export function traceOf({ violation, lines }: Report, length = 80): readonly string[] {
  const id = /\benc_\w+/.exec(violation?.message ?? '')?.[0];
  const about = id === undefined ? lines : lines.filter((line) => !line.includes('enc_') || line.includes(id));
  return about.slice(-length);
}
