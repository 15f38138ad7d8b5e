import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const HERE = import.meta.dirname;
/** Pages that the gateway fills in before it sends them. */
const TEMPLATES = ['login.html', 'app.html', 'message.html'];
const STATIC_ASSETS = ['style.css', 'favicon.svg'];

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
  for (const name of STATIC_ASSETS) await cp(join(HERE, name), join(assets, name));
  await build({
    entryPoints: [join(HERE, 'src/app.ts'), join(HERE, 'src/login.ts')],
    outdir: assets,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'eof',
    logLevel: 'warning',
    tsconfig: join(HERE, 'tsconfig.json'),
  });
}
