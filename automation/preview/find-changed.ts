import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { EngineError } from '../recording/protocol.ts';
import { type ChangedStacks, changedStacks } from './changed-stacks.ts';
import { runGit } from './git.ts';

/** Which stacks the commits since `base` concern, by git. */
export async function findChanged(base: string): Promise<ChangedStacks> {
  await runGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${base}^{commit}`], '.').catch(
    (cause) => {
      throw new EngineError(
        `--base: found ${JSON.stringify(base)}, which is no commit of this repository; expected one that it has. Of zeros: nothing was there before the push. A shallow clone: git fetch --unshallow`,
        { cause },
      );
    },
  );
  const changed = await runGit(['diff', '--name-only', '--no-renames', '-z', `${base}...HEAD`], '.');
  const files = await stackFiles();
  return changedStacks(lines(changed.stdout), files, await linksOf(files));
}

/** All stacks, as if each file had changed. */
export async function findAll(): Promise<ChangedStacks> {
  const files = await stackFiles();
  return changedStacks(files, files);
}

const lines = (text: string) => text.split('\0').filter((line) => line !== '');
const stackFiles = async () => lines((await runGit(['ls-files', '-z', 'stacks'], '.')).stdout);

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
