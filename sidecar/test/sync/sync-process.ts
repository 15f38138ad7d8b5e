import { program } from '../../src/sync/main.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';

/** The real command line with the places of a test: `node sync-process.ts PATHS-AS-JSON COMMAND...`. No probes. */
const [paths, ...command] = process.argv.slice(2) as [string, ...string[]];
await program(JSON.parse(paths) as SyncPaths, (code) => process.exit(code), null).parseAsync(command, {
  from: 'user',
});
