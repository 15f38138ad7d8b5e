import { join } from 'node:path';
import { buildPages } from '../../sidecar/web/shared/build-pages.ts';

const at = (name: string) => join(import.meta.dirname, name);
const SHARED = '../../sidecar/web/shared';

/** The pages of the console, as the folder that it serves (its `--web`). @param outDirectory is emptied first. */
export function buildConsoleWeb(outDirectory: string): Promise<void> {
  const sources = {
    templates: ['app.html', 'message.html', 'sign-in.html', 'sign-out.html'].map(at),
    entries: ['src/app.ts', 'style.css'].map(at),
    files: [at(`${SHARED}/favicon.svg`)],
    tsconfig: at('tsconfig.json'),
  };
  return buildPages(sources, outDirectory);
}
