import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** `node:sqlite` says on each start that it is experimental; the engine relies on it knowingly. */
const execArgv = ['--disable-warning=ExperimentalWarning'];

/** One project per kind of test, so that `npm test -- --project sync` runs just that part. */
const project = (name: string, include: string[], testTimeout = 20_000, globalSetup: string[] = []) => ({
  test: {
    name,
    include,
    testTimeout,
    hookTimeout: testTimeout,
    globalSetup,
    setupFiles: ['test/helpers/fixed-seed.ts'],
    execArgv,
  },
});

export default defineConfig({
  test: {
    // One for each core: most tests wait for processes of their own, so that the rest of a core is not missed.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      project('architecture', ['test/architecture/**/*.test.ts']),
      project('program', ['test/{components,stack}/**/*.test.ts'], 60_000),
      project('recording', ['test/recording/**/*.test.ts'], 60_000),
      project('engine', ['test/engine/**/*.test.ts'], 120_000),
      project('sidecar', ['sidecar/test/**/*.test.ts'], 60_000),
      project('preview', ['automation/preview/test/**/*.test.ts'], 60_000),
      project('fleet', ['automation/fleet/test/**/*.test.ts'], 60_000),
      project('console', ['console/test/**/*.test.ts'], 60_000),
      project('emulator', ['emulators/**/test/**/*.test.ts'], 60_000),
      project('local', ['local/**/test/**/*.test.ts'], 60_000),
      project('bench', ['bench/test/**/*.test.ts'], 60_000),
      project('browser', ['test/browser/**/*.test.ts'], 120_000, ['test/browser/packages.ts']),
    ],
  },
});
