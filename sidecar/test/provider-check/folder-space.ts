import { joinPath, nameOf, type Space, type SpaceEntry, SpaceError } from '../../src/spaces/space.ts';

/** One folder of a space as if it were a space of its own; nothing outside of it is touched. */
export function folderSpace(space: Space, folder: string): Space {
  const inside = (path: string) => (path === '' ? folder : joinPath(folder, path));
  const outside = (entry: SpaceEntry): SpaceEntry => {
    const path = entry.path.slice(folder.length + 1);
    return { ...entry, path, name: nameOf(path) };
  };
  return {
    identity: `${space.identity}/${folder}`,
    capabilities: space.capabilities,
    check: (options) => space.check(options),
    async *list(directory, options) {
      const there = { ...directory, path: inside(directory.path) };
      for await (const entry of space.list(there, options)) yield outside(entry);
    },
    stat: async (entry, options) => {
      const found = await space.stat({ ...entry, path: inside(entry.path) }, options);
      return found && outside(found);
    },
    read: (file, options) => space.read({ ...file, path: inside(file.path) }, options),
    readSymlink: (link, options) => space.readSymlink({ ...link, path: inside(link.path) }, options),
    write: async (path, content, options) => outside(await space.write(inside(path), content, options)),
    makeDirectory: async (path, options) => outside(await space.makeDirectory(inside(path), options)),
    makeSymlink: async (path, target, options) =>
      outside(await space.makeSymlink(inside(path), target, options)),
    move: (from, to, options) => space.move({ ...from, path: inside(from.path) }, inside(to), options),
    removeFile: (path, options) => space.removeFile(inside(path), options),
    removeEmptyDirectory: (path, options) => space.removeEmptyDirectory(inside(path), options),
    removeTree: async (path, options) => {
      if (path === '') throw new SpaceError('bad-request', 'the root of a space is never removed', { path });
      await space.removeTree(inside(path), options);
    },
    close: () => space.close(),
  };
}
