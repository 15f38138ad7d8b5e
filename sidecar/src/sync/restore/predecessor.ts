import type { Clock } from '../../clock.ts';
import { isWithoutFile, type ReadOnlySpace, readAll } from '../../spaces/space.ts';
import { VIRTUAL_ID } from '../model.ts';
import type { StateStore } from '../state/state.ts';

const DUMP = 'symlink-dump';
const DUMP_MAX_BYTES = 64 << 20;

/**
 * The predecessor of this program dropped symbolic links from its saves and wrote them to `symlink-dump` in the root of
 * the space, one `TARGET LINK` a line, split by blanks that names may hold too. Such links join the listing, so that a
 * restore makes them and the next save holds them. The file itself is left alone.
 */
export async function addPredecessorLinks(context: {
  readonly space: ReadOnlySpace;
  readonly state: StateStore;
  readonly clock: Clock;
}): Promise<number> {
  const { space, state } = context;
  let text: string;
  try {
    text = (await readAll(space, { path: DUMP }, DUMP_MAX_BYTES)).toString('utf8');
  } catch (error) {
    if (isWithoutFile(error)) return 0;
    throw error;
  }
  const isDirectory = (path: string): boolean => path === '' || state.remote.get(path)?.kind === 'directory';
  let added = 0;
  state.transaction(() => {
    for (const line of text.split('\n')) {
      const link = parseDumpLine(line, isDirectory);
      // The space knows better where it has an entry, and so does the base of this volume.
      if (link === null || state.remote.get(link.path) !== null || state.base.get(link.path) !== null)
        continue;
      state.remote.addVirtual([
        { path: link.path, kind: 'symlink', id: VIRTUAL_ID, size: 0, mtimeSeconds: null },
      ]);
      state.manifest.put({
        path: link.path,
        kind: 'symlink',
        size: 0,
        mtimeNs: BigInt(context.clock.now()) * 1_000_000n,
        mode: 0o777,
        target: link.target,
        hash: null,
        linkGroup: null,
        remote: null,
      });
      added += 1;
    }
  });
  return added;
}

/**
 * Pure. Among the readings of an ambiguous line the first one counts whose link would lie in a directory that exists;
 * an absolute target is preferred, because Scipion's links are.
 */
export function parseDumpLine(
  line: string,
  isDirectory: (path: string) => boolean,
): { target: string; path: string } | null {
  const readings: { target: string; path: string }[] = [];
  for (const match of line.matchAll(/ +/g)) {
    const target = line.slice(0, match.index);
    const path = line.slice(match.index + match[0].length).replace(/^(\.\/)+/, '');
    if (target !== '' && isPlainPath(path)) readings.push({ target, path });
  }
  return readings.find((each) => isDirectory(each.path.split('/').slice(0, -1).join('/'))) ?? null;
}

function isPlainPath(path: string): boolean {
  return path !== '' && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}
