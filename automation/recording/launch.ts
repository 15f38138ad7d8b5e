import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

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

// Node 24.9 does not come back from colouring an error whose stack has a file directly under `node_modules/@scope/`, as
// the SDK's own source maps name them: half a minute later memory ends it. The SDK colours every error of a program.
const util = require('node:util') as typeof import('node:util');
const inspect = util.inspect;
const withoutColours = (value: unknown, options: unknown, ...rest: unknown[]) =>
  Reflect.apply(inspect, util, [value, value instanceof Error ? { colors: false } : options, ...rest]);
util.inspect = Object.assign(withoutColours, inspect) as typeof inspect;
require(runner);

// From here on the SDK keeps its configuration in this store; programs that the program starts need not inherit it.
const { getStore } = require('../../runtime/state.js') as { getStore(): unknown };
getStore();
for (const name of Object.keys(secretEnvironment)) delete process.env[name];
