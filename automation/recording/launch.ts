import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import '../../node-version.mjs';

/**
 * Runs in a process of its own and becomes Pulumi's program runner there. Configuration comes on standard input and is
 * put into this process's own variables: what a parent passes as environment can be read in `/proc/<pid>/environ`,
 * and the configuration holds secrets.
 */
const { runner, environment, secretEnvironment } = JSON.parse(readFileSync(0, 'utf8')) as {
  /** Path of the SDK's `cmd/run`, as the program resolves it. */
  runner: string;
  environment: Record<string, string>;
  secretEnvironment: Record<string, string>;
};
Object.assign(process.env, environment, secretEnvironment);
const require = createRequire(runner);

require(runner);

// From here on the SDK keeps its configuration in this store; programs that the program starts need not inherit it.
const { getStore } = require('../../runtime/state.js') as { getStore(): unknown };
getStore();
for (const name of Object.keys(secretEnvironment)) delete process.env[name];
