// Runs under whatever Node the machine has, before anything of the project is loaded: brings the packages
// of the lock file (Node 24 among them), and does nothing when they are already there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, 'package-lock.json');
const installed = join(root, 'node_modules');
const stamp = join(installed, '.installed-lock');
const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/** Packages of other machines are left out by npm. */
function isForThisMachine({ os, cpu, libc, optional }) {
  if (!optional) return true;
  const ownLibc = process.report?.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  const named = [
    [os, process.platform],
    [cpu, process.arch],
    [libc, ownLibc],
  ].filter(([list]) => list !== undefined);
  return named.length > 0 && named.every(([list, own]) => list.includes(own));
}

/** Whether somebody ran `npm ci` by hand: npm lists what it installed once all of it is there. */
function isInstalled() {
  // Put there by the last script of an installation, which --ignore-scripts leaves out.
  if (!existsSync(join(installed, 'node', 'bin', 'node'))) return false;
  try {
    const found = packagesOf(join(installed, '.package-lock.json'));
    return Object.entries(packagesOf(lockFile)).every(([path, { version, integrity, ...rest }]) => {
      if (path === '') return true;
      const own = found[path];
      return own ? own.version === version && own.integrity === integrity : !isForThisMachine(rest);
    });
  } catch {
    return false;
  }
}

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  if (!isInstalled()) install();
  writeFileSync(stamp, wanted);
}

function install() {
  process.stderr.write('Installing the packages of package-lock.json (npm ci), once per change of it …\n');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status === 0) return;
  process.stderr.write(
    'npm ci failed. Expected: a reachable npm registry (npm ping). What npm found stands above; then run the same command again.\n',
  );
  process.exit(result.status ?? 1);
}
