import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // More than the cores of a small machine: the longest suites wait for Terraform, which waits for hosts.
    maxWorkers: 3,
    // Terraform's provider spends a third of its time on collecting garbage; tests have the memory.
    env: { GOGC: '500' },
  },
});
