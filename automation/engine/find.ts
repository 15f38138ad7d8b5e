import { existsSync, statfsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../tools/cache.ts';
import type { Report } from '../tools/progress.ts';
import { buildCli, buildKey, buildPlugin } from './build.ts';
import { downloadCli, VENDOR, type Vendor, whyOffline } from './download.ts';
import { commandEnvironment } from './environment.ts';
import { isSupported, PLUGIN_NAMES, type PluginName, VERSIONS } from './versions.ts';

type Source = 'on PATH' | 'downloaded' | 'built from its Go modules';

/** A Pulumi that can deploy. */
export interface Engine {
  /** The command `pulumi`. */
  readonly command: string;
  readonly version: string;
  readonly source: Source;
  /** PULUMI_HOME: plugins, and what the command remembers. None of the user's own. */
  readonly home: string;
}

export interface FindOptions {
  /** PATH to look on. */
  readonly path?: string;
  readonly vendor?: Vendor;
  /** Where what is downloaded or built is kept. */
  readonly cache?: string;
}

/**
 * Finds the engine or makes it: `pulumi` on PATH where its version was tried, the vendor's download, or a build from Go
 * modules; the same for the plugins. What was made once is found again in milliseconds.
 *
 * @throws Error with what was tried and what to install
 */
export async function ensureEngine(report: Report, options: FindOptions = {}): Promise<Engine> {
  const cache = options.cache ?? cacheDirectory('engine', await buildKey());
  const home = join(cache, 'home');
  await mkdir(home, { recursive: true }).catch(refuseDisk(cache));
  const stop = new AbortController();
  const tried: string[] = [];
  const offline = once(() => whyOffline(options.vendor ?? VENDOR));
  try {
    // The longest build first; what one of them finds out ends the others.
    const plugins = PLUGIN_NAMES.map((name) => ensurePlugin(name, home));
    const [cli] = await Promise.all([findCli(), ...plugins]);
    report(`Pulumi ${cli.version}, ${cli.source}`);
    return { ...cli, home };
  } catch (error) {
    stop.abort();
    throw error;
  }

  async function findCli(): Promise<Omit<Engine, 'home'>> {
    const onPath = await versionOf('pulumi', home, options.path);
    if (onPath !== undefined && isSupported(onPath))
      return { command: 'pulumi', version: onPath, source: 'on PATH' };
    tried.push(
      onPath === undefined
        ? '`pulumi` is not on PATH'
        : `\`pulumi\` on PATH is ${onPath}, expected ${VERSIONS.oldestEngine} or newer of the same major version`,
    );
    const made = async (name: string, source: Source) => ({
      command: join(cache, name, 'bin', 'pulumi'),
      version: VERSIONS.engine,
      source,
    });
    for (const [name, source] of [
      ['download', 'downloaded'],
      ['build', 'built from its Go modules'],
    ] as const) {
      if (existsSync(join(cache, name, 'bin', 'pulumi'))) return made(name, source);
    }
    const why = await offline();
    if (why === undefined) {
      report(`downloading Pulumi ${VERSIONS.engine}`);
      try {
        await intoPlace(join(cache, 'download', 'bin'), (draft) =>
          downloadCli(VERSIONS.engine, draft, options.vendor),
        );
        return made('download', 'downloaded');
      } catch (error) {
        if (error instanceof FullDiskError) throw error; // a build needs more of it
        tried.push(`the download failed: ${(error as Error).message}`);
      }
    } else tried.push(why);
    await refuseWithoutGo(tried, options.path);
    await intoPlace(join(cache, 'build', 'bin'), (draft) => buildCli(draft, report, stop.signal));
    return made('build', 'built from its Go modules');
  }

  async function ensurePlugin(name: PluginName, pulumiHome: string): Promise<void> {
    const version = VERSIONS.plugins[name];
    const place = join(pulumiHome, 'plugins', `resource-${name}-v${version}`);
    if (existsSync(join(place, `pulumi-resource-${name}`))) return;
    // With the internet at hand Pulumi fetches it, checked, when it is first needed.
    if ((await offline()) === undefined) return;
    await refuseWithoutGo(
      [`the ${name} provider is not in ${pulumiHome}`, String(await offline())],
      options.path,
    );
    await intoPlace(place, (draft) => buildPlugin(name, draft, report, stop.signal));
  }
}

/** `v3.276.0`; undefined where there is no such command. */
async function versionOf(
  command: string,
  home: string,
  path = process.env.PATH,
): Promise<string | undefined> {
  const env = { ...commandEnvironment(home), PATH: path ?? '' };
  const { stdout, failed } = await execa(command, ['version'], { env, reject: false });
  return failed ? undefined : stdout.trim().replace(/^v/, '');
}

async function refuseWithoutGo(tried: readonly string[], path = process.env.PATH): Promise<void> {
  const { failed } = await execa('go', ['version'], { env: { PATH: path ?? '' }, reject: false });
  if (!failed) return;
  throw new Error(
    `There is no Pulumi here and none can be made: ${tried.join('; ')}; \`go\` is not on PATH. ` +
      'Install the Pulumi CLI (https://www.pulumi.com/docs/install/) or Go 1.26, then run it again.',
  );
}

/** Makes a folder as a whole or not at all. */
async function intoPlace(place: string, make: (draft: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  const draft = await mkdtemp(`${place}-draft-`);
  try {
    await make(draft);
    await chmod(draft, 0o755);
    await rename(draft, place).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; what it made comes from the same inputs.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (error) {
    return refuseDisk(place)(error as NodeJS.ErrnoException);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

class FullDiskError extends Error {}

/** Below this a disk is full, whatever the program says that failed on it (tar: "wrote only 512 bytes"). */
const FULL_BYTES = 2 ** 20;

/** @throws the error; a full disk in words */
function refuseDisk(place: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const isTold = error.code === 'ENOSPC' || /no space left on device/i.test(error.message);
    if (!isTold && freeBytes(place) > FULL_BYTES) throw error;
    throw new FullDiskError(
      `The disk of ${place} is full; the engine needs 2 GB there. Make room (df -h ${dirname(place)}), then run it again.`,
    );
  };
}

/** On the disk of this folder, or of the one that it would be made in. */
function freeBytes(folder: string): number {
  if (!existsSync(folder)) return freeBytes(dirname(folder));
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}
