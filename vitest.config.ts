import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    pool: 'forks',
    // Most tests wait, for files, processes and answers: one at a time would leave two cores idle.
    maxWorkers: 2,
  },
});
