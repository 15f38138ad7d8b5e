import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files build on each other's end: the last one takes everything down. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((a, b) => a.moduleId.localeCompare(b.moduleId));
  }
}

/** The end-to-end run: one machine, one order, no retries. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/platform.ts'],
    fileParallelism: false,
    sequence: { sequencer: ByName },
    testTimeout: 10 * 60_000,
    hookTimeout: 40 * 60_000,
    disableConsoleIntercept: true,
  },
});
