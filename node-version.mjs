// Loaded before the program (Pulumi.yaml, `nodeargs`): an older Node.js would only say "Unknown file extension .ts".
const OLDEST = [22, 18];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `This program needs Node.js ${OLDEST.join('.')} or newer: found ${process.versions.node} on PATH. ` +
      'What to do: run Pulumi through npm, which brings Node.js 24 (npm run pulumi -- up), or install a newer one.\n',
  );
  process.exit(1);
}
