import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The files of the repository and what they import, as the architecture tests look at them. */

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Import {
  /** Path from the root of the repository, `/` between folders. */
  readonly file: string;
  /** As written: `./names.ts`, `node:fs`, `zod`. */
  readonly specifier: string;
  /** Path from the root for a file of the repository. */
  readonly target?: string;
}

/** Every file under version control that is there, as paths from the root. */
export function trackedFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(ROOT, file)));
}

export const readSource = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const isScript = (file: string) => /\.(ts|js|mjs)$/.test(file);

/** What one file imports, statically, dynamically or for its types alone. */
export function importsOf(file: string, text: string): readonly Import[] {
  return ts.preProcessFile(text, true, false).importedFiles.map(({ fileName: specifier }) => {
    const isRelative = specifier.startsWith('.');
    return isRelative
      ? { file, specifier, target: normalize(join(dirname(file), specifier)) }
      : { file, specifier };
  });
}

export function allImports(): readonly Import[] {
  return trackedFiles()
    .filter(isScript)
    .flatMap((file) => importsOf(file, readSource(file)));
}
