import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { type Engine, ensureEngine, VERSIONS } from '../../automation/engine/index.ts';
import type { Report } from '../../automation/tools/progress.ts';
import { copyNode } from '../../sidecar/build.ts';
import { buildConsoleWeb } from '../web/build.ts';

/**
 * Builds the context of `Containerfile`: Node's binary, the source files that console and program reach, their packages
 * as they are installed here by package-lock.json, the pages, and Pulumi as this machine has found or made it.
 */

const ROOT = join(import.meta.dirname, '..', '..');
/** What is run by a path. */
const ENTRIES = ['console/src/main.ts', 'index.ts'] as const;
/** What is read by a path. */
const FILES = ['Pulumi.yaml', 'package.json', 'node-version.mjs'] as const;
/** Loaded by a hook when it first speaks to the cluster, which no import shows. */
const LOADED = ['@kubernetes/client-node'] as const;
/** Half of the packages: types, maps back to sources, and words. */
const NOT_RUN = /\.([cm]?ts|map)$|\/(?!LICEN[CS]E|NOTICE)[^/]*\.md$/i;
/** Only a console without `--web` builds its pages. */
const PAGES = /web\/build\.ts$/;

/** @param outDirectory is emptied first. */
export async function buildConsoleImage(outDirectory: string, report: Report): Promise<void> {
  await rm(outDirectory, { recursive: true, force: true });
  await buildApp(join(outDirectory, 'app'));
  await copyNode(join(outDirectory, 'node'));
  await copyEngine(join(outDirectory, 'engine'), report);
  await copyFile(join(import.meta.dirname, 'start'), join(outDirectory, 'start'));
  await chmod(join(outDirectory, 'start'), 0o755);
}

/** Console, program, pages and packages: what is /opt/scipion in the image. */
export async function buildApp(app: string): Promise<void> {
  await mkdir(app, { recursive: true });
  const { files, packages } = await reached();
  for (const file of [...files, ...FILES]) await copyTo(file, app);
  for (const folder of await closure([...packages, ...LOADED]))
    await cp(join(ROOT, folder), join(app, folder), {
      recursive: true,
      dereference: true,
      // A package inside of another one comes by itself, where something needs it.
      filter: (path) => path !== join(ROOT, folder, 'node_modules') && !NOT_RUN.test(path),
    });
  await buildConsoleWeb(join(app, 'web'));
}

async function copyTo(file: string, app: string): Promise<void> {
  await mkdir(dirname(join(app, file)), { recursive: true });
  await copyFile(join(ROOT, file), join(app, file));
}

/** Files of this repository, and packages, that the entries import. */
async function reached() {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRIES],
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'dist',
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    plugins: [
      {
        name: 'pages',
        setup: ({ onResolve }) => onResolve({ filter: PAGES }, ({ path }) => ({ path, external: true })),
      },
    ],
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const packages = imports
    .filter(({ path, external }) => external === true && !path.startsWith('node:') && !PAGES.test(path))
    .map(({ path }) => path.split('/', path.startsWith('@') ? 2 : 1).join('/'));
  return { files: Object.keys(metafile.inputs), packages: [...new Set(packages)] };
}

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/** Folders of packages and of all that they need, relative to the root. */
async function closure(names: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  const add = async (name: string, from: string, isNeeded: boolean): Promise<void> => {
    const folder = folderOf(name, from);
    if (folder === undefined) {
      if (isNeeded) throw new Error(`The package ${name} is not installed: run npm ci.`);
      return;
    }
    const path = relative(ROOT, folder);
    if (found.has(path)) return;
    found.add(path);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const next of Object.keys(manifest.dependencies ?? {}))
      await add(next, folder, !(next in (manifest.optionalDependencies ?? {})));
    for (const next of Object.keys({ ...manifest.optionalDependencies })) await add(next, folder, false);
  };
  for (const name of names) await add(name, ROOT, true);
  return [...found].toSorted();
}

/** As Node looks for it. */
function folderOf(name: string, from: string): string | undefined {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  return places
    .map((place) => join(place, name))
    .find((folder) => folder.startsWith(ROOT) && existsSync(join(folder, 'package.json')));
}

/** The command with its host of programs, and the plugins. */
async function copyEngine(target: string, report: Report): Promise<void> {
  // One of the user's own may be linked to who knows where.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !existsSync(join(folder, 'pulumi')))
    .join(delimiter);
  const engine = await ensureEngine(report, { path });
  await cp(dirname(await realpath(engine.command)), join(target, 'bin'), { recursive: true });
  for (const [name, version] of Object.entries(VERSIONS.plugins)) {
    const folder = `resource-${name}-v${version}`;
    const source = join(engine.home, 'plugins', folder);
    if (!(await stat(source).catch(() => undefined))) await install(engine, name, version);
    await cp(source, join(target, 'plugins', folder), { recursive: true });
  }
  for (const name of await readdir(join(target, 'bin')))
    if (!/^pulumi(-language-nodejs(-exec)?)?$/.test(name))
      await rm(join(target, 'bin', name), { recursive: true });
}

/** Pulumi checks what it fetches. */
async function install({ command, home }: Engine, name: string, version: string): Promise<void> {
  await execa(command, ['plugin', 'install', 'resource', name, `v${version}`], {
    env: { PULUMI_HOME: home },
  });
}

if (import.meta.main) {
  const outDirectory = join(import.meta.dirname, 'dist');
  await buildConsoleImage(outDirectory, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`The console's build context is ready: ${outDirectory}\n`);
}
