import util from 'node:util';

// Loaded before the program (Pulumi.yaml, `nodeargs`). An older Node.js would only say "Unknown file extension .ts".
const OLDEST = [22, 18];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `This program needs Node.js ${OLDEST.join('.')} or newer: found ${process.versions.node} on PATH. ` +
      'What to do: run Pulumi through npm, which brings Node.js 24 (npm run pulumi -- up), or install a newer one.\n',
  );
  process.exit(1);
}

// Node 24.9 does not come back from colouring an error whose stack has a file directly under `node_modules/@scope/`, as
// the SDK's own source maps name them: half a minute later memory ends it. The SDK colours every error of a program.
const { inspect } = util;
const withoutColours = (value, options, ...rest) =>
  inspect(value, value instanceof Error ? { colors: false } : options, ...rest);
util.inspect = Object.assign(withoutColours, inspect);
