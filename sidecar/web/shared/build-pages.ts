import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

export interface PageSources {
  /** Pages that the server fills in before it sends them. */
  readonly templates: readonly string[];
  /** Scripts and style sheets, each bundled with all that it imports: nothing comes from another host. */
  readonly entries: readonly string[];
  /** Files that are served as they are. */
  readonly files: readonly string[];
  readonly tsconfig: string;
}

/**
 * Builds the folder that a server of pages serves: the page templates at the top, and in `assets/` what a browser may
 * load without a session.
 * @param outDirectory is emptied first.
 */
export async function buildPages(sources: PageSources, outDirectory: string): Promise<void> {
  const assets = join(outDirectory, 'assets');
  await rm(outDirectory, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  for (const path of sources.templates) await cp(path, join(outDirectory, basename(path)));
  for (const path of sources.files) await cp(path, join(assets, basename(path)));
  await build({
    entryPoints: [...sources.entries],
    outdir: assets,
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'eof',
    logLevel: 'warning',
    tsconfig: sources.tsconfig,
  });
  await compressAll(assets);
}

/** Puts compressed copies beside the files, so that the server never compresses for a stranger. */
async function compressAll(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const content = await readFile(path);
    await writeFile(`${path}.br`, brotliCompressSync(content));
    await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
  }
}
