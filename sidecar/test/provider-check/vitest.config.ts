import { defineConfig } from 'vitest/config';

/** Over a real network, to a provider that may fetch data from far away first. */
export default defineConfig({
  test: {
    include: ['sidecar/test/provider-check/*.check.ts'],
    testTimeout: 5 * 60_000,
    hookTimeout: 2 * 60_000,
  },
});
