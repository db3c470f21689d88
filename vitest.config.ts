import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders by how long their suites take: what waits for Terraform must not begin last. */
const LONGEST_FIRST = ['terraform', 'simulation', 'e2e', 'host', 'integration', 'scenarios', 'model', 'unit'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const [, folder = ''] = relative(this.ctx.config.root, moduleId).split('/');
      return LONGEST_FIRST.indexOf(folder);
    };
    return [...(await super.sort(files))].sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // More than the cores of a small machine: the longest suites wait for Terraform, which waits for hosts.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Terraform's provider spends a third of its time on collecting garbage; tests have the memory.
    env: { GOGC: '500' },
    projects: [
      // Nothing of a module outlives a test there: one process loads it once for all.
      { extends: true, test: { name: 'scenarios', include: ['test/scenarios/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'parts', include: ['test/!(unit|scenarios)/**/*.test.ts'] } },
    ],
  },
});
