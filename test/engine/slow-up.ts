import { fileURLToPath } from 'node:url';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';

/** A process that is interrupted: `node slow-up.ts STATE MILLISECONDS`, which is how long the first resource takes. */

const [stateDirectory = '', milliseconds = ''] = process.argv.slice(2);
const stack = openStack(await ensureEngine(() => {}), {
  program: fileURLToPath(new URL('./programs/slow', import.meta.url)),
  stack: 'slow',
  stateDirectory,
  config: { 'slow:milliseconds': milliseconds },
  secrets: {},
  environment: {},
  cli: 'npm run pulumi --',
});
try {
  const { changes } = await stack.up((line) => console.log(line));
  console.log(`DONE ${JSON.stringify(changes)}`);
} catch (error) {
  console.log(`FAILED ${(error as Error).message}`);
}
