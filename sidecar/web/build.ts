import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const HERE = import.meta.dirname;
/** Pages that the gateway fills in before it sends them. */
const TEMPLATES = ['login.html', 'app.html', 'watch.html', 'message.html'];
const ENTRIES = ['src/app.ts', 'src/login.ts', 'src/watch.ts', 'style.css'];

/**
 * Builds the folder that the gateway serves (its `--web`): the page templates at the top, and in `assets/` what a
 * browser may load without a session. noVNC is bundled with the page; nothing comes from another host.
 * @param outDirectory is emptied first.
 */
export async function buildWeb(outDirectory: string): Promise<void> {
  const assets = join(outDirectory, 'assets');
  await rm(outDirectory, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  for (const name of TEMPLATES) await cp(join(HERE, name), join(outDirectory, name));
  await cp(join(HERE, 'favicon.svg'), join(assets, 'favicon.svg'));
  await build({
    entryPoints: ENTRIES.map((name) => join(HERE, name)),
    outdir: assets,
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'eof',
    logLevel: 'warning',
    tsconfig: join(HERE, 'tsconfig.json'),
  });
  await compressAll(assets);
}

/** Puts compressed copies beside the files, so that the gateway never compresses for a stranger. */
async function compressAll(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const content = await readFile(path);
    await writeFile(`${path}.br`, brotliCompressSync(content));
    await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
  }
}
