import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A hang is found all the same; a machine that is busy with other things is no failure.
    testTimeout: 60_000,
    pool: 'forks',
    // Most tests wait, for files, processes and answers: one at a time would leave two cores idle.
    maxWorkers: 2,
  },
});
