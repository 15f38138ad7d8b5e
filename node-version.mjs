import { createRequire } from 'node:module';

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

// The SDK maps the places of its own compiled files back to sources that are not installed. Its reader of source maps runs
// in JavaScript at every resource and every error: a fifth of what a preview costs. And Node 24.9 does not come back from
// colouring an error whose stack has a file directly under `node_modules/@scope/`, as those maps name them.
try {
  createRequire(import.meta.url)('source-map-support').install = () => {};
} catch {
  // An SDK that brings none.
}
