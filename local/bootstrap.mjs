// Runs under whatever Node the machine has, before anything of the project is loaded: brings the packages
// of the lock file (Node 24 among them), and does nothing when they are already there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.installed-lock');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  process.stderr.write('Installing the packages of package-lock.json (npm ci), once per change of it …\n');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    process.stderr.write(
      'npm ci failed. Expected: a reachable npm registry (npm ping). What npm found stands above; then run the same command again.\n',
    );
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
