import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type ChangedStacks, changedStacks } from './changed-stacks.ts';
import { runGit } from './git.ts';

/** Which stacks the commits since `base` concern, by git. */
export async function findChanged(base: string): Promise<ChangedStacks> {
  const lines = (text: string) => text.split('\0').filter((line) => line !== '');
  const changed = await runGit(['diff', '--name-only', '--no-renames', '-z', `${base}...HEAD`], '.');
  const files = lines((await runGit(['ls-files', '-z', 'stacks'], '.')).stdout);
  return changedStacks(lines(changed.stdout), files, await linksOf(files));
}

/** Files that are links, and where they lead; what leads nowhere is told by its own preview. */
async function linksOf(files: readonly string[]): Promise<Map<string, string>> {
  const root = await realpath('.');
  const found = await Promise.all(
    files.map(async (file) => {
      const target = await realpath(file).catch(() => join(root, file));
      return [file, relative(root, target)] as const;
    }),
  );
  return new Map(found.filter(([file, target]) => file !== target));
}
