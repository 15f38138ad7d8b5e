import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../tools/cache.ts';
import type { Report } from '../tools/progress.ts';
import { ask, versionIn } from './ask.ts';
import { buildCli, buildKey, buildPlugin } from './build.ts';
import { downloadCli, VENDOR, type Vendor, whyOffline } from './download.ts';
import { commandEnvironment } from './environment.ts';
import { FullDiskError, intoPlace, makeFolder, type ProgramFolder, whatIsWrong } from './program-folders.ts';
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
  /** How long a `pulumi` on PATH may take to tell its version. */
  readonly answerMs?: number;
}

const INSTALL =
  'Install the Pulumi CLI (https://www.pulumi.com/docs/install/) or Go 1.26, then run it again.';

/**
 * Finds the engine or makes it: `pulumi` on PATH where its version was tried, the vendor's download, or a build from Go
 * modules; the same for the plugins. What was made once is found again in milliseconds, and made again where it is damaged.
 *
 * @throws Error with what was tried and what to install
 */
export async function ensureEngine(report: Report, options: FindOptions = {}): Promise<Engine> {
  const cache = options.cache ?? cacheDirectory('engine', await buildKey());
  const home = join(cache, 'home');
  await makeFolder(home);
  const stop = new AbortController();
  const tried: string[] = [];
  const path = options.path ?? process.env.PATH ?? '';
  const offline = once(() => whyOffline(options.vendor ?? VENDOR));
  const whyNoGo = once(async () => {
    const { isMissing, failure } = await ask('go', ['version'], { PATH: path });
    return isMissing ? '`go` is not on PATH' : failure && `\`go\` on PATH ${failure}`;
  });
  try {
    // The longest build first; what one of them finds out ends the others.
    const cli = findCli();
    const plugins = PLUGIN_NAMES.map((name) => ensurePlugin(name, cli));
    const [found] = await Promise.all([cli, ...plugins]);
    report(`Pulumi ${found.version}, ${found.source}`);
    return { ...found, home };
  } catch (error) {
    stop.abort();
    throw error;
  }

  async function findCli(): Promise<Omit<Engine, 'home'>> {
    const environment = { ...commandEnvironment(home), PATH: path };
    const onPath = await ask('pulumi', ['version'], environment, options.answerMs);
    const version = onPath.failure === undefined ? versionIn(onPath.stdout) : undefined;
    if (version !== undefined && isSupported(version))
      return { command: 'pulumi', version, source: 'on PATH' };
    if (onPath.isMissing) tried.push('`pulumi` is not on PATH');
    else {
      const what = version === undefined ? (onPath.failure ?? 'does not tell its version') : `is ${version}`;
      const passed = `\`pulumi\` on PATH ${what}, expected ${VERSIONS.oldestEngine} or newer of the same major version`;
      report(`${passed}; another is used`);
      tried.push(passed);
    }
    const made = (place: ProgramFolder, source: Source) => ({
      command: join(place.folder, 'pulumi'),
      version: VERSIONS.engine,
      source,
    });
    const folderOf = (name: string): ProgramFolder => ({
      folder: join(cache, name, 'bin'),
      programs: ['pulumi', 'pulumi-language-nodejs'],
      home,
      lock: join(cache, name),
    });
    const [downloaded, built] = [folderOf('download'), folderOf('build')];
    if (await isWhole(downloaded)) return made(downloaded, 'downloaded');
    if (await isWhole(built)) return made(built, 'built from its Go modules');
    const why = await offline();
    if (why === undefined) {
      report(`downloading Pulumi ${VERSIONS.engine}`);
      try {
        await intoPlace(downloaded, report, (draft) => downloadCli(VERSIONS.engine, draft, options.vendor));
        return made(downloaded, 'downloaded');
      } catch (error) {
        if (error instanceof FullDiskError) throw error; // a build needs more of it
        tried.push(`the download failed: ${(error as Error).message}`);
      }
    } else tried.push(why);
    const noGo = await whyNoGo();
    if (noGo !== undefined)
      throw new Error(
        `There is no Pulumi here and none can be made: ${[...tried, noGo].join('; ')}. ${INSTALL}`,
      );
    await intoPlace(built, report, (draft) => buildCli(draft, report, stop.signal));
    return made(built, 'built from its Go modules');
  }

  async function isWhole(place: ProgramFolder): Promise<boolean> {
    if (!existsSync(place.folder)) return false;
    const wrong = await whatIsWrong(place);
    if (wrong !== undefined) report(`${place.folder} is damaged (${wrong}) and is made again`);
    return wrong === undefined;
  }

  async function ensurePlugin(name: PluginName, cli: Promise<unknown>): Promise<void> {
    const version = VERSIONS.plugins[name];
    const program = `pulumi-resource-${name}`;
    const folder = join(home, 'plugins', `resource-${name}-v${version}`);
    const place = { folder, programs: [program], home, lock: join(cache, name) };
    if (await isWhole(place)) return;
    // With the internet at hand Pulumi fetches it, checked, when it is first needed.
    const why = await offline();
    if (why === undefined) {
      // Pulumi marks what it is fetching itself.
      if (!existsSync(`${folder}.partial`)) await rm(folder, { recursive: true, force: true });
      return;
    }
    const noGo = await whyNoGo();
    if (noGo !== undefined) {
      await cli; // where that fails, it says more
      throw new Error(
        `The ${name} provider is not in ${folder} and cannot be made: ${why}; ${noGo}. ${INSTALL}`,
      );
    }
    await intoPlace(place, report, (draft) => buildPlugin(name, draft, report, stop.signal));
  }
}

function once<T>(answer: () => Promise<T>): () => Promise<T> {
  let given: Promise<T> | undefined;
  return () => {
    given ??= answer();
    return given;
  };
}
