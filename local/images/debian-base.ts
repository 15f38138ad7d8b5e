import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, cacheKey } from '../../automation/tools/cache.ts';
import type { Report } from '../../automation/tools/progress.ts';

const RELEASE = 'bookworm';
/** Raised when the steps below change. */
const RECIPE = '1';

/** What `debian:bookworm-slim` leaves out as well; licences stay. */
const DPKG_EXCLUDES = `path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
`;

/** A line of `apt-get indextargets`: where a package list comes from. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly component: string;
}

export interface DebianBase {
  /** Tar of the root file system. */
  readonly archive: string;
  readonly key: string;
}

/** Sources of the release among the lines `URI SUITE COMPONENT` that apt prints. */
export function parseSources(indexTargets: string, release: string = RELEASE): AptSource[] {
  return indexTargets
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([uri, suite, component]) => uri && component === 'main' && suite && isOf(suite, release))
    .map(([uri = '', suite = '', component = '']) => ({ uri, suite, component }));
}

function isOf(suite: string, release: string): boolean {
  return suite === release || suite.startsWith(`${release}-`);
}

/** The mirrors that the machine's own apt uses; none is known here. */
export async function debianSources(): Promise<AptSource[]> {
  const list = async () => {
    const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
    const result = await execa('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
    return parseSources(result.stdout);
  };
  let sources = await list();
  if (!sources.some(({ suite }) => suite === RELEASE)) {
    // apt names only sources whose lists it has.
    await execa('apt-get', ['update']);
    sources = await list();
  }
  if (!sources.some(({ suite }) => suite === RELEASE)) {
    throw new Error(
      `No Debian ${RELEASE} mirror found in this machine's apt sources (/etc/apt). Images are made from Debian ${RELEASE}: ` +
        'add its main section to the sources and run `apt-get update`.',
    );
  }
  return sources;
}

/** The base of all images, named by what it is made from; `makeDebianBase` makes it. */
export function debianBase(sources: readonly AptSource[]): DebianBase {
  const key = cacheKey(RECIPE, process.arch, sourcesList(sources), DPKG_EXCLUDES);
  return { key, archive: join(cacheDirectory('base', key), 'debian.tar') };
}

export function sourcesList(sources: readonly AptSource[]): string {
  return sources.map(({ uri, suite, component }) => `deb ${uri} ${suite} ${component}\n`).join('');
}

/** Makes a minimal Debian root file system with debootstrap (about 50 s) unless it is there. Needs root. */
export async function makeDebianBase(sources: readonly AptSource[], report: Report): Promise<void> {
  const { archive, key } = debianBase(sources);
  const mirror = sources.find(({ suite }) => suite === RELEASE)?.uri ?? '';
  const directory = cacheDirectory('base', key);
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, 'work-'));
  const root = join(work, 'root');
  try {
    report(`base: Debian ${RELEASE} with debootstrap`);
    const child = execa('debootstrap', ['--variant=minbase', '--merged-usr', RELEASE, root, mirror], {
      all: true,
    });
    for await (const line of child.iterable({ from: 'all' })) {
      if (/^I: (Retrieving|Unpacking|Configuring) /.test(line)) report(`base: ${line.slice(3)}`);
    }
    await child;
    report('base: leaving out documentation and translations');
    await trim(root, sources);
    const finished = join(work, 'debian.tar');
    await execa('tar', ['-C', root, '--numeric-owner', '-cf', finished, '.']);
    await rename(finished, archive);
  } catch (error) {
    throw baseError(error);
  } finally {
    await unmountBelow(work);
    await rm(work, { recursive: true, force: true });
  }
}

async function trim(root: string, sources: readonly AptSource[]): Promise<void> {
  const excludes = join(root, 'etc/dpkg/dpkg.cfg.d');
  await mkdir(excludes, { recursive: true });
  await writeFile(join(excludes, 'slim'), DPKG_EXCLUDES);
  await writeFile(join(root, 'etc/apt/sources.list'), sourcesList(sources));
  const unwanted = 'rm -rf var/lib/apt/lists/* var/cache/apt/* var/log/* usr/share/man/* usr/share/info/*';
  const documents = 'find usr/share/doc -type f ! -name copyright -delete';
  const locales = 'find usr/share/locale -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +';
  await execa('sh', ['-ec', `${unwanted}; ${documents}; ${locales}`], { cwd: root });
  // debootstrap copies the names of this machine; the runtime writes the pod's.
  await writeFile(join(root, 'etc/hostname'), 'localhost\n');
  await writeFile(join(root, 'etc/resolv.conf'), '');
}

/** debootstrap leaves file systems mounted when it is stopped half-way; removing the folder would reach into them. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const path of mounts.filter((mount) => mount.startsWith(`${directory}/`)).reverse()) {
    await execa('umount', [path]);
  }
}

function baseError(error: unknown): Error {
  const output = String((error as { all?: string }).all ?? (error as Error).message);
  const tail = output.trim().split('\n').slice(-5).join('\n');
  return new Error(
    `Making the Debian base of the images failed:\n${tail}\n` +
      'Expected: root, debootstrap, a reachable Debian mirror, 1 GB of free disk space. Then run the same command again.',
    { cause: error },
  );
}
