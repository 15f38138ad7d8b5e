import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, readSource, trackedFiles } from './sources.ts';

/** Whoever opens a folder finds a sentence about it, and the file to begin with. */

const SOURCE = /\.(ts|mjs|py|go)$/;
/** Tests lie beside their subject and follow its names; the folders below the Go modules are Go's own. */
const SPEAKS_FOR_ITSELF =
  /(^|\/)(test|fixtures)(\/|$)|^automation\/engine\/go\/|^local\/cluster\/go\/|^\.ci$/;

interface Row {
  readonly folder: string;
  readonly begin: string | undefined;
}

/** Rows of tables whose first cell is a folder, relative to the file (of architecture.md: to the root). */
function rowsOf(page: string): Row[] {
  const base = page.startsWith('docs/') ? '' : dirname(page);
  let hasBegin = false;
  return readSource(page)
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .flatMap((cells) => {
      if (cells[1]?.startsWith('folder') || cells[1] === 'file') hasBegin = cells.at(-2) === 'begin with';
      const name = /^`([^`]+)\/`$/.exec(cells[1] ?? '')?.[1];
      const begin = hasBegin ? /`([^`]+)`/.exec(cells.at(-2) ?? '')?.[1] : undefined;
      return name === undefined ? [] : [{ folder: join(base, name), begin }];
    });
}

const PAGES = ['docs/architecture.md', ...trackedFiles().filter((file) => /^[^/].*\/README\.md$/.test(file))];
const ROWS = PAGES.flatMap(rowsOf);

test('each folder with source has a sentence in docs/architecture.md or in a README above it', () => {
  const folders = new Set(
    trackedFiles()
      .filter((file) => SOURCE.test(file) && file.includes('/'))
      .map((file) => dirname(file))
      .filter((folder) => !SPEAKS_FOR_ITSELF.test(folder)),
  );
  const told = new Set([...ROWS.map(({ folder }) => folder), ...PAGES.map((page) => dirname(page))]);
  expect([...folders].filter((folder) => !told.has(folder))).toEqual([]);
  expect(folders.size).toBeGreaterThan(30);
});

test('what is told of is there, with the file to begin with', () => {
  const missing = ROWS.flatMap(({ folder, begin }) =>
    [folder, ...(begin === undefined ? [] : [join(folder, begin)])].filter(
      (path) => !existsSync(join(ROOT, path)),
    ),
  );
  expect(missing).toEqual([]);
});
