import { join } from 'node:path';
import { buildPages } from './shared/build-pages.ts';

const at = (name: string) => join(import.meta.dirname, name);

/** The pages of an instance, as the folder that the gateway serves (its `--web`). @param outDirectory is emptied first. */
export function buildWeb(outDirectory: string): Promise<void> {
  const sources = {
    templates: ['login.html', 'app.html', 'watch.html', 'message.html'].map(at),
    entries: ['src/app.ts', 'src/login.ts', 'src/watch.ts', 'style.css'].map(at),
    files: [at('shared/favicon.svg')],
    tsconfig: at('tsconfig.json'),
  };
  return buildPages(sources, outDirectory);
}
