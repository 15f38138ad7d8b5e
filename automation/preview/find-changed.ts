import { type ChangedStacks, changedStacks } from './changed-stacks.ts';
import { runGit } from './git.ts';

/** Which stacks the commits since `base` concern, by git. */
export async function findChanged(base: string): Promise<ChangedStacks> {
  const lines = (text: string) => text.split('\0').filter((line) => line !== '');
  const changed = await runGit(['diff', '--name-only', '--no-renames', '-z', `${base}...HEAD`], '.');
  const files = await runGit(['ls-files', '-z', 'stacks'], '.');
  return changedStacks(lines(changed.stdout), lines(files.stdout));
}
