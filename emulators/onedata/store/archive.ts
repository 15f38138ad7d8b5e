import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Pack, pack } from 'tar-stream';
import type { Entry } from './entry.ts';
import type { Spaces } from './spaces.ts';

export interface ImportResult {
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly bytes: number;
}

/** Everything below a directory as tar. Never holds more than one chunk in memory. */
export async function writeArchive(
  archive: Pack,
  spaces: Spaces,
  top: Entry,
  isVisible: (names: readonly string[]) => boolean = () => true,
): Promise<void> {
  const walk = async (directory: Entry, names: readonly string[]): Promise<void> => {
    for (let after = '', isMore = true; isMore; ) {
      const batch = spaces.tree.children(directory.uuid, after, 500);
      for (const child of batch) {
        const below = [...names, child.name];
        if (!isVisible(below)) continue;
        await addEntry(archive, spaces, child, below.join('/'));
        if (child.type === 'DIR') await walk(child, below);
      }
      after = batch.at(-1)?.name ?? '';
      isMore = batch.length === 500;
    }
  };
  await walk(top, []);
  archive.finalize();
}

async function addEntry(archive: Pack, spaces: Spaces, entry: Entry, name: string): Promise<void> {
  const header = { name, mode: entry.mode, mtime: new Date(entry.mtime * 1000) };
  if (entry.type === 'DIR') archive.entry({ ...header, type: 'directory' });
  else if (entry.type === 'SYMLNK')
    archive.entry({ ...header, type: 'symlink', linkname: entry.target ?? '' });
  else {
    const size = await spaces.contents.size(entry.inode);
    const source = size === 0 ? Readable.from([]) : spaces.contents.read(entry.inode, 0, size - 1);
    await pipeline(source, archive.entry({ ...header, size }));
  }
}

/** Fills a directory of a space from a tar stream; what is there already under the same name is replaced. */
export async function readArchive(spaces: Spaces, top: Entry, source: Readable): Promise<ImportResult> {
  const result = { files: 0, directories: 0, links: 0, bytes: 0 };
  const parser = extract();
  const reading = pipeline(source, parser);
  // Rejections are seen at the await below; the loop ends by itself when the parser breaks.
  reading.catch(() => {});
  for await (const item of parser) {
    const { name, type, mode, mtime, linkname } = item.header;
    const segments = name.split('/').filter((part) => part !== '' && part !== '.');
    const at = {
      names: segments,
      mode: mode ?? 0o664,
      mtime: Math.floor((mtime ?? new Date()).getTime() / 1000),
    };
    if (segments.length === 0 || segments.includes('..')) item.resume();
    else if (type === 'directory') {
      directoryAt(spaces, top, segments);
      result.directories += 1;
      item.resume();
    } else if (type === 'symlink') {
      await place(spaces, top, at, 'SYMLNK', linkname ?? '');
      result.links += 1;
      item.resume();
    } else if (type === 'file') {
      const entry = await place(spaces, top, at, 'REG');
      await spaces.contents.empty(entry.inode);
      const content = await spaces.contents.write(entry.inode, 0);
      try {
        for await (const chunk of item) await content.write(chunk as Buffer);
      } finally {
        await content.end();
      }
      const size = await spaces.contents.size(entry.inode);
      spaces.setSize(entry, size);
      result.files += 1;
      result.bytes += size;
    } else item.resume();
  }
  await reading;
  return result;
}

/** A directory of the host as tar, for `readArchive` at the other end; `sent` is complete when the stream has ended. */
export function packDirectory(directory: string): { stream: Readable; sent: ImportResult } {
  const archive = pack();
  const sent = { files: 0, directories: 0, links: 0, bytes: 0 };
  const walk = async (relative: string): Promise<void> => {
    const names = (await readdir(join(directory, relative))).sort();
    for (const item of names) {
      const name = relative === '' ? item : `${relative}/${item}`;
      const file = join(directory, name);
      const stats = await lstat(file);
      const header = { name, mode: stats.mode & 0o7777, mtime: stats.mtime };
      if (stats.isDirectory()) {
        archive.entry({ ...header, type: 'directory' });
        sent.directories += 1;
        await walk(name);
      } else if (stats.isSymbolicLink()) {
        archive.entry({ ...header, type: 'symlink', linkname: await readlink(file) });
        sent.links += 1;
      } else if (stats.isFile()) {
        const sink = archive.entry({ ...header, size: stats.size });
        await pipeline(createReadStream(file), sink);
        sent.files += 1;
        sent.bytes += stats.size;
      }
    }
  };
  walk('').then(
    () => archive.finalize(),
    (error) => archive.destroy(error),
  );
  return { stream: Readable.from(archive), sent };
}

/** Copies a directory of the host into a space, with modes and mtimes. */
export async function copyIn(spaces: Spaces, top: Entry, directory: string): Promise<ImportResult> {
  const result = { files: 0, directories: 0, links: 0, bytes: 0 };
  const walk = async (source: string, parent: Entry): Promise<void> => {
    for (const name of (await readdir(source)).sort()) {
      const file = join(source, name);
      const stats = await lstat(file);
      const mtime = Math.floor(stats.mtimeMs / 1000);
      const at = { names: [name], mode: stats.mode & 0o777, mtime };
      if (stats.isDirectory()) {
        await walk(file, directoryAt(spaces, parent, [name]));
        result.directories += 1;
      } else if (stats.isSymbolicLink()) {
        await place(spaces, parent, at, 'SYMLNK', await readlink(file));
        result.links += 1;
      } else if (stats.isFile()) {
        const entry = await place(spaces, parent, at, 'REG');
        await spaces.contents.takeIn(file, entry.inode);
        spaces.setSize(entry, stats.size);
        result.files += 1;
        result.bytes += stats.size;
      }
    }
  };
  await walk(directory, top);
  return result;
}

function directoryAt(spaces: Spaces, top: Entry, names: readonly string[]): Entry {
  let directory = top;
  for (const name of names) {
    directory =
      spaces.tree.child(directory.uuid, name) ??
      spaces.tree.create(directory, name, { type: 'DIR', mode: 0o775 });
  }
  return directory;
}

async function place(
  spaces: Spaces,
  top: Entry,
  at: { names: readonly string[]; mode: number; mtime: number },
  type: 'REG' | 'SYMLNK',
  target?: string,
): Promise<Entry> {
  const parent = directoryAt(spaces, top, at.names.slice(0, -1));
  const name = at.names.at(-1) as string;
  const existing = spaces.tree.child(parent.uuid, name);
  if (existing) await spaces.unlink(existing);
  return spaces.tree.create(parent, name, {
    type,
    mode: at.mode,
    mtime: at.mtime,
    ...(target === undefined ? {} : { target }),
  });
}
