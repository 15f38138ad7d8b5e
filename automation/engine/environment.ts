import { delimiter, dirname } from 'node:path';
import { cacheDirectory } from '../tools/cache.ts';
import { callsPastProxies } from '../tools/own-calls.ts';

/** Variables on top of the process's own; one without a value is taken away from those. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the command keeps of its own logs, one for each run; its own bound is half a gigabyte. */
const LOGS = { PULUMI_LOG_ROTATION_MAX_AGE_DAYS: '7', PULUMI_LOG_ROTATION_MAX_TOTAL_MB: '20' };

/** For any run of the command, also before it is known whether it is taken: nothing of the user's own Pulumi is touched. */
export const commandEnvironment = (home: string) => ({
  PULUMI_HOME: home,
  PULUMI_SKIP_UPDATE_CHECK: 'true',
  ...LOGS,
});

/** The environment that the command runs in: this Node.js first, and nothing of the user's own Pulumi. */
export function engineEnvironment(engine: {
  readonly command: string;
  readonly home: string;
}): Record<string, string> {
  const folders = [dirname(engine.command), dirname(process.execPath), process.env.PATH ?? ''];
  return {
    ...commandEnvironment(engine.home),
    ...callsPastProxies(),
    PATH: folders.filter((folder) => folder !== '' && folder !== '.').join(delimiter),
    // Compiled modules of the SDKs, kept by Node itself: they are most of what a run of the program costs.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? cacheDirectory('node-modules', process.version),
  };
}
