import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import type { TreeItem } from './desktop.ts';
import { emulator } from './world.ts';

/** Where the engine keeps its own in a project space; not part of the user's tree. */
const ENGINE_FOLDER = '.scipion-sync';

/** The user's tree in a space of the emulator, by relative path. */
export async function spaceTree(space: keyof typeof INSTANCE_SPACES): Promise<Map<string, TreeItem>> {
  const entries = await (await emulator()).tree(INSTANCE_SPACES[space]);
  const own = entries.filter(({ path }) => path !== ENGINE_FOLDER && !path.startsWith(`${ENGINE_FOLDER}/`));
  return new Map(own.map(({ path, type, size, sha256, target }) => [path, { type, size, sha256, target }]));
}

/** What differs, one line each; empty for equal trees. Sizes count for files only: a directory's is its disk's. */
export function differences(
  left: ReadonlyMap<string, TreeItem>,
  right: ReadonlyMap<string, TreeItem>,
): string[] {
  const lines: string[] = [];
  for (const path of new Set([...left.keys(), ...right.keys()])) {
    const [a, b] = [describe(left.get(path)), describe(right.get(path))];
    if (a !== b) lines.push(`${path}: ${a} / ${b}`);
  }
  return lines.sort();
}

function describe(item: TreeItem | undefined): string {
  if (!item) return 'absent';
  if (item.type === 'DIR') return 'directory';
  if (item.type === 'SYMLNK') return `link to ${item.target}`;
  return `file of ${item.size} bytes, ${item.sha256}`;
}
