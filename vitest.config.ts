import { configDefaults, defineConfig } from 'vitest/config';

/** The simulation's 200 seeds and mutants compute for many minutes: they have a command of their own. */
const simulating = process.env.npm_lifecycle_event === 'test:simulation';

export default defineConfig({
  test: {
    include: simulating ? ['test/simulation/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: simulating ? configDefaults.exclude : [...configDefaults.exclude, 'test/simulation/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
