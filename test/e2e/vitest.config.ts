import { defineConfig } from 'vitest/config';

/** The end-to-end run: one machine, one order, no retries; a failed step ends the run, since the next builds on it. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    bail: 1,
    testTimeout: 10 * 60_000,
    hookTimeout: 40 * 60_000,
    disableConsoleIntercept: true,
  },
});
