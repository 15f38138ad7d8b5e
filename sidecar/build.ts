import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { GATEWAY_NODE_FLAGS, JOBS_NODE_FLAGS, NODE_FLAGS } from './contract/node-flags.ts';
import { buildWeb } from './web/build.ts';

const HERE = import.meta.dirname;
/** How Node is started for each command. */
const COMMANDS = { sync: NODE_FLAGS, gateway: GATEWAY_NODE_FLAGS, jobs: JOBS_NODE_FLAGS } as const;
/** Threads of the commands, each a bundle that lies beside theirs. */
const THREADS = {
  'hash-thread': 'sync/volume/hash-thread.ts',
  'http-thread': 'spaces/onedata/http-thread.ts',
  'write-thread': 'sync/volume/write-thread.ts',
  'scan-thread': 'sync/volume/scan-thread.ts',
} as const;

/** Where `sidecar/Containerfile` puts `app/`; `gateway` looks for its pages in `web/` there. */
const INSTALLED_AT = '/opt/scipion';

/**
 * Builds everything the sidecar image holds besides its base, as the build context of `sidecar/Containerfile`:
 * `node` (Node's binary), `bin/` (the commands `sync`, `gateway` and `jobs`), `app/` (one bundle each, and the web pages).
 *
 * @param outDirectory is emptied first.
 */
export async function buildSidecar(outDirectory: string): Promise<void> {
  await rm(outDirectory, { recursive: true, force: true });
  await mkdir(join(outDirectory, 'app'), { recursive: true });
  await mkdir(join(outDirectory, 'bin'));
  await bundle(
    Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, join(HERE, 'src', name, 'main.ts')])),
    join(outDirectory, 'app'),
  );
  await buildWeb(join(outDirectory, 'app', 'web'));
  for (const [name, flags] of Object.entries(COMMANDS))
    await writeCommand(join(outDirectory, 'bin', name), flags, `${INSTALLED_AT}/${name}.js`);
  await copyNode(join(outDirectory, 'node'));
}

/**
 * Bundles programs, each into one file that runs without packages, and the threads beside them.
 * @param programs file of each by the name that it gets
 */
export async function bundle(
  programs: Readonly<Record<string, string>>,
  outDirectory: string,
  plugins: Plugin[] = [],
): Promise<void> {
  const threads = Object.entries(THREADS).map(([name, file]) => [name, join(HERE, 'src', file)]);
  await build({
    entryPoints: { ...programs, ...Object.fromEntries(threads) },
    outdir: outDirectory,
    bundle: true,
    plugins,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // CommonJS packages in a bundle of ES modules call `require` for Node's own modules.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  await writeFile(join(outDirectory, 'package.json'), '{ "type": "module" }\n');
}

/** Node's binary of the version in package.json, which needs nothing but the C and C++ libraries. */
export async function copyNode(target: string): Promise<void> {
  await copyFile(join(nodePackage(), 'bin', 'node'), target);
  await chmod(target, 0o755);
}

/** The version that `copyNode` copies. */
export function nodeVersion(): string {
  const { version } = createRequire(import.meta.url)('node/package.json') as { version: string };
  return version;
}

function nodePackage(): string {
  return dirname(createRequire(import.meta.url).resolve('node/package.json'));
}

async function writeCommand(path: string, flags: readonly string[], program: string): Promise<void> {
  const line = `exec /usr/local/bin/node ${flags.join(' ')} ${program} "$@"`;
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}

if (import.meta.main) {
  const outDirectory = join(HERE, 'dist');
  await buildSidecar(outDirectory);
  process.stdout.write(`The sidecar's build context is ready: ${outDirectory}\n`);
}
