/** The whole controller under every fault there is: 200 seeds hold, and every mutant is found by them. */
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { MUTANTS, type Mutant } from './mutants.ts';
import { summaryOf, traceOf } from './report.ts';
import { OWN_RULE } from './stage.ts';
import { play, type Report } from './worker-pool.ts';

const SEEDS = 200;
const threads = Math.min(4, availableParallelism());
/** Minutes of computing, on a machine that does other things as well. */
const PATIENCE_MS = 20 * 60_000;

/** The reports of seeds that fail; all of them, or the first. */
async function failures(options: { from: number; seeds: number; mutant?: Mutant; all: boolean }): Promise<Report[]> {
  const failed: Report[] = [];
  await play({ ...options, threads }, (report) => {
    if (report.violation !== undefined) failed.push(report);
    return failed.length > 0 && !options.all ? 'stop' : 'on';
  });
  return failed;
}

describe('the controller, whatever happens', () => {
  it(
    `holds every invariant over ${SEEDS} seeds`,
    async () => {
      const failed = await failures({ from: 1, seeds: SEEDS, all: true });
      const shown = failed.map((report) => `${summaryOf(report)}\n${traceOf(report).join('\n')}`);
      expect(shown.slice(0, 3).join('\n\n'), `${failed.length} of ${SEEDS} seeds fail`).toBe('');
    },
    PATIENCE_MS,
  );

  it(
    'goes the same way for the same seed, to the last line of its trace',
    async () => {
      const digests = async () => {
        const all = new Map<number, string>();
        await play({ from: 1, seeds: 6, threads: 2 }, ({ seed, digest }) => {
          all.set(seed, digest);
          return 'on';
        });
        return [...all].sort(([a], [b]) => a - b);
      };
      const first = await digests();
      expect(await digests()).toEqual(first);
      expect(new Set(first.map(([, digest]) => digest)).size).toBe(6);
    },
    PATIENCE_MS,
  );
});

describe('the simulation can find bugs', () => {
  it.each(MUTANTS)(
    `finds within ${SEEDS} seeds: $name`,
    async (mutant) => {
      const [early] = await failures({ from: mutant.seed ?? 1, seeds: 1, mutant, all: false });
      const [found] = early ? [early] : await failures({ from: 1, seeds: SEEDS, mutant, all: false });
      expect(found, `${mutant.name} is not found`).toBeDefined();
      expect(found?.violation?.rule).not.toBe(OWN_RULE);
    },
    PATIENCE_MS,
  );
});
