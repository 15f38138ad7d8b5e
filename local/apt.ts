import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { Report } from '../automation/tools/progress.ts';

/** Another program may hold the locks of apt for as long as an installation of its own takes. */
const LOCK_WAIT_SECONDS = 600;
const UPDATE_ATTEMPTS = 60;

/**
 * RUNLEVEL=1 keeps installed daemons from being started: the packages are wanted for their programs,
 * which are run with settings and folders of our own.
 */
const APT_ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', LC_ALL: 'C.UTF-8' };

let last: Promise<void> = Promise.resolve();

/**
 * Installs the Debian packages of `names` that are missing; does nothing, and needs no rights, when none is.
 * Calls within one process run one after the other; locks held by other programs are waited for.
 *
 * @throws Error that names the packages and what apt said.
 */
export function ensurePackages(names: readonly string[], report: Report): Promise<void> {
  const turn = last.then(() => installMissing(names, report));
  last = turn.catch(() => undefined);
  return turn;
}

/** Those of `names` that the output of `dpkg-query -W -f '${Package} ${db:Status-Status}\n'` does not call installed. */
export function missingPackages(names: readonly string[], dpkgOutput: string): string[] {
  const installed = new Set(
    dpkgOutput
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, status]) => status === 'installed')
      .map(([name]) => name),
  );
  return [...new Set(names)].filter((name) => !installed.has(name));
}

async function installMissing(names: readonly string[], report: Report): Promise<void> {
  const query = await execa('dpkg-query', ['-W', '-f', `\${Package} \${db:Status-Status}\n`, ...names], {
    reject: false,
  });
  if (query.failed && query.exitCode === undefined) {
    throw new Error(
      `Cannot look for the packages ${names.join(', ')}: dpkg-query does not run here. ` +
        'Expected a Debian-like system; elsewhere use a Kubernetes cluster of your own (--context NAME).',
    );
  }
  const missing = missingPackages(names, query.stdout ?? '');
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    throw new Error(
      `Packages missing: ${missing.join(', ')}. Only root may install them; run as root: ` +
        `apt-get update && apt-get install --no-install-recommends ${missing.join(' ')}`,
    );
  }
  report('updating the list of Debian packages');
  await update();
  report(`installing ${missing.join(', ')}`);
  await apt(['install', '-y', '--no-install-recommends', ...missing], missing);
}

/** The lock of the package lists, unlike dpkg's, cannot be waited for by an option, so a refused update is tried again. */
async function update(): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await execa('apt-get', ['update'], { env: APT_ENVIRONMENT, reject: false, all: true });
    if (result.exitCode === 0) return;
    const locked = /Could not get lock|Unable to lock/.test(result.all);
    if (!locked || attempt === UPDATE_ATTEMPTS) throw aptError('apt-get update', result.all);
    await sleep(2000);
  }
}

async function apt(args: readonly string[], names: readonly string[]): Promise<void> {
  const result = await execa('apt-get', ['-o', `DPkg::Lock::Timeout=${LOCK_WAIT_SECONDS}`, ...args], {
    env: APT_ENVIRONMENT,
    reject: false,
    all: true,
  });
  if (result.exitCode !== 0) throw aptError(`Installing ${names.join(', ')}`, result.all);
}

function aptError(what: string, output: string): Error {
  const tail = output.trim().split('\n').slice(-8).join('\n');
  return new Error(
    `${what} failed; apt-get said:\n${tail}\n` +
      'Expected a reachable Debian mirror (/etc/apt/sources.list) and free disk space. Run the same command again afterwards.',
  );
}
