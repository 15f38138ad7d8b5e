import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

/** `node:sqlite` says on each start that it is experimental; the engine relies on it knowingly. */
const execArgv = ['--disable-warning=ExperimentalWarning'];

/** What is waited for and comes in a moment has this long on a busy machine. */
const PATIENCE_MS = 30_000;

/** What takes longer hangs: most tests take milliseconds, and many times that while a machine does other things too. */
const HANGS_MS = 120_000;

interface More {
  readonly globalSetup?: string[];
  readonly exclude?: string[];
  /** After all others, one file at a time: where somebody waits for a desktop, seconds are counted. */
  readonly isAlone?: boolean;
  /** After those that are not: in CI, Pulumi and Kubernetes are built meanwhile. */
  readonly startsEngines?: boolean;
}

/** One project per kind of test, so that `npm test -- --project sync` runs just that part. */
const project = (name: string, include: string[], more: More = {}) => {
  const { globalSetup = [], exclude = [], isAlone = false, startsEngines = false } = more;
  return {
    test: {
      name,
      include,
      exclude: [...configDefaults.exclude, ...exclude],
      testTimeout: HANGS_MS,
      hookTimeout: HANGS_MS,
      globalSetup,
      setupFiles: ['test/helpers/fixed-seed.ts', ...(startsEngines ? ['test/helpers/engine-first.ts'] : [])],
      execArgv,
      // Its usual second is too short where both cores are busy; what comes at once is seen at once all the same.
      expect: { poll: { timeout: PATIENCE_MS } },
      ...(startsEngines ? { sequence: { groupOrder: 1 } } : {}),
      ...(isAlone ? { maxWorkers: 1, sequence: { groupOrder: 2 } } : {}),
    },
  };
};

const GATEWAY_ATTACKS = 'sidecar/test/gateway/attacks.test.ts';

export default defineConfig({
  test: {
    // One for each core: most tests wait for processes of their own, so that the rest of a core is not missed.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      project('architecture', ['test/architecture/**/*.test.ts']),
      project('program', ['test/{components,stack}/**/*.test.ts']),
      project('recording', ['test/recording/**/*.test.ts']),
      project('engine', ['test/engine/**/*.test.ts'], { startsEngines: true }),
      project('sidecar', ['sidecar/test/**/*.test.ts'], { exclude: [GATEWAY_ATTACKS] }),
      project('preview', ['automation/preview/test/**/*.test.ts']),
      project('fleet', ['automation/fleet/test/**/*.test.ts']),
      project('console', ['console/test/**/*.test.ts']),
      project('emulator', ['emulators/**/test/**/*.test.ts']),
      project('local', ['local/**/test/**/*.test.ts']),
      project('bench', ['bench/test/**/*.test.ts']),
      project('attacks', [GATEWAY_ATTACKS], { isAlone: true }),
      project('browser', ['test/browser/**/*.test.ts'], {
        globalSetup: ['test/browser/packages.ts'],
        isAlone: true,
      }),
    ],
  },
});
