import { join } from 'node:path';
import type { Place } from '../access.ts';
import type { SpaceConfiguration } from '../configuration.ts';
import { posix } from '../http/api-error.ts';
import { ContentStore } from './content-store.ts';
import type { Entry } from './entry.ts';
import { FileTree, nowSeconds, rootUuid, trashUuid } from './file-tree.ts';

export interface SpaceRecord {
  readonly id: string;
  readonly name: string;
  /** Bytes; null: no limit. */
  readonly quota: number | null;
  readonly supported: boolean;
}

/** Ids as Onedata makes them: hex of `guid#<uuid>#<space id>`, the same for ever. */
export const fileId = (entry: Pick<Entry, 'uuid' | 'space'>) => guid(entry.uuid, entry.space);
export const guid = (uuid: string, spaceId: string) => Buffer.from(`guid#${uuid}#${spaceId}`).toString('hex');

export function decodeFileId(id: string): { uuid: string; spaceId: string } | undefined {
  if (!/^([0-9a-f]{2})+$/.test(id)) return undefined;
  const match = /^guid#([^#]+)#([^#]+)$/.exec(Buffer.from(id, 'hex').toString('utf8'));
  return match ? { uuid: match[1] as string, spaceId: match[2] as string } : undefined;
}

type SpaceRow = Omit<SpaceRecord, 'supported'> & { readonly supported: number };

const PURGE_BATCH = 500;

/** Spaces with what they hold, on disk. Everything that spans names and contents is here. */
export class Spaces {
  readonly tree: FileTree;
  readonly contents: ContentStore;
  readonly #used = new Map<string, number>();
  /** As in the database, where only this class writes them. */
  #records: ReadonlyMap<string, SpaceRecord>;
  #purge: Promise<void> | undefined;
  #isClosed = false;

  constructor(dataDirectory: string) {
    this.tree = new FileTree(join(dataDirectory, 'onedata.sqlite'));
    this.contents = new ContentStore(join(dataDirectory, 'contents'), this.tree);
    this.#records = this.#readRecords();
  }

  /** In the order of their ids. */
  #readRecords(): ReadonlyMap<string, SpaceRecord> {
    const rows = this.tree.all<SpaceRow>('SELECT * FROM spaces ORDER BY id');
    return new Map(rows.map((row) => [row.id, { ...row, supported: Boolean(row.supported) }]));
  }

  /** Settles what a crash left: sizes of files that were being written, trees that were being removed. */
  async recover(): Promise<void> {
    for (const { inode } of this.tree.all<{ inode: number }>('SELECT inode FROM inodes WHERE writing > 0')) {
      this.tree.set(inode, { size: await this.contents.size(inode), writing: 0 });
    }
    const sums = this.tree.all<{ space: string; bytes: number }>(
      `SELECT space, SUM(size) AS bytes FROM inodes WHERE type = 'REG' GROUP BY space`,
    );
    for (const { space, bytes } of sums) this.#used.set(space, bytes);
    this.startPurge();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#purge;
    this.tree.close();
  }

  /** Makes the space or changes its name, quota and support. Answers whether it is new. */
  upsert(space: Omit<SpaceConfiguration, 'seedFrom'>): boolean {
    const isNew = this.space(space.id) === undefined;
    this.tree.run(
      `INSERT INTO spaces VALUES (?,?,?,?) ON CONFLICT(id) DO UPDATE SET name = excluded.name, quota = excluded.quota,
       supported = excluded.supported`,
      space.id,
      space.name,
      space.quotaBytes ?? null,
      space.supported ? 1 : 0,
    );
    this.tree.makeRoots(space.id, space.name);
    this.#records = this.#readRecords();
    return isNew;
  }

  setQuota(spaceId: string, quotaBytes: number | null): void {
    this.tree.run('UPDATE spaces SET quota = ? WHERE id = ?', quotaBytes, spaceId);
    this.#records = this.#readRecords();
  }

  list(): SpaceRecord[] {
    return [...this.#records.values()];
  }

  space(id: string): SpaceRecord | undefined {
    return this.#records.get(id);
  }

  usedBytes(spaceId: string): number {
    return this.#used.get(spaceId) ?? 0;
  }

  /** ⚠ Soft: refuses a block only when the limit is already reached before it is written. */
  assertRoom(spaceId: string): void {
    const quota = this.space(spaceId)?.quota ?? null;
    if (quota !== null && this.usedBytes(spaceId) >= quota) throw posix('enospc');
  }

  /** Records a new size; the space's account follows. */
  setSize(
    entry: Pick<Entry, 'inode' | 'space'>,
    size: number,
    more: Partial<Pick<Entry, 'mtime' | 'ctime'>> = {},
  ): void {
    const before = this.tree.one<{ size: number }>('SELECT size FROM inodes WHERE inode = ?', entry.inode);
    if (!before) return;
    this.tree.set(entry.inode, { size, ...more });
    this.account(entry.space, size - before.size);
  }

  /** Records that a content reaches at least this far, with all that the same turn brings. */
  growTo(entry: Pick<Entry, 'inode' | 'space'>, size: number): void {
    this.tree.atomically(() => {
      const before = this.tree.one<{ size: number }>('SELECT size FROM inodes WHERE inode = ?', entry.inode);
      if (before === undefined || before.size >= size) return;
      this.tree.run('UPDATE inodes SET size = ? WHERE inode = ?', size, entry.inode);
      this.account(entry.space, size - before.size);
    });
  }

  /** As `FileTree.createConflict`, with content. */
  makeConflict(parent: Entry, name: string, provider: string, text: string): Entry {
    const made = this.tree.createConflict(parent, name, provider, 0o664);
    this.contents.keepSmall(made.inode, Buffer.from(text));
    this.setSize(made, Buffer.byteLength(text));
    return made;
  }

  account(spaceId: string, bytes: number): void {
    this.#used.set(spaceId, this.usedBytes(spaceId) + bytes);
  }

  root(spaceId: string): Entry {
    return this.tree.byUuid(rootUuid(spaceId)) as Entry;
  }

  /** Not in the trash, and not gone. */
  isInTree(entry: Entry): boolean {
    return (this.tree.ancestors(entry)[0] ?? entry).uuid === rootUuid(entry.space);
  }

  /** undefined for what is in the trash or gone. */
  placeOf(entry: Entry): Place | undefined {
    if (!this.isInTree(entry)) return undefined;
    const line = [...this.tree.ancestors(entry), entry];
    return {
      spaceId: entry.space,
      names: line.slice(1).map(({ name }) => name),
      fileIds: line.map((item) => fileId(item)),
    };
  }

  placeOfId(id: string): Place | undefined {
    const decoded = decodeFileId(id);
    const entry = decoded && this.tree.byUuid(decoded.uuid);
    return entry && this.placeOf(entry);
  }

  /**
   * File or symlink: gone at once. Directory: leaves the tree at once with all that is in it, waits in the trash as
   * `<name>@@<uuid>` and is removed in the background.
   * @throws ApiError `eperm` for the root of a space and its trash
   */
  async remove(entry: Entry): Promise<void> {
    if (entry.parent === null || entry.parent === trashUuid(entry.space)) throw posix('eperm');
    if (entry.type === 'DIR') {
      const trash = this.tree.byUuid(trashUuid(entry.space)) as Entry;
      this.tree.move(entry, trash, `${entry.name}@@${entry.uuid}`);
      this.startPurge();
    } else await this.unlink(entry);
    await this.tree.settled();
  }

  async unlink(entry: Entry): Promise<void> {
    const freed = this.tree.unlink(entry);
    if (freed === undefined) return;
    if (entry.type === 'REG') this.account(entry.space, -entry.size);
    await this.contents.empty(freed);
  }

  /** One purge at a time; resolves when the trash of every space is empty. */
  startPurge(): Promise<void> {
    this.#purge ??= this.#purgeAll().finally(() => {
      this.#purge = undefined;
    });
    return this.#purge;
  }

  async #purgeAll(): Promise<void> {
    // Not in the same turn as the request that asked for it: its answer goes first.
    await new Promise((resolve) => setImmediate(resolve));
    for (const { id } of this.list()) {
      for (let next = this.#oneInTrash(id); next && !this.#isClosed; next = this.#oneInTrash(id)) {
        await this.#purgeTree(next);
      }
    }
  }

  #oneInTrash(spaceId: string): Entry | undefined {
    return this.tree.children(trashUuid(spaceId), '', 1)[0];
  }

  async #purgeTree(top: Entry): Promise<void> {
    const stack = [top];
    while (stack.length > 0 && !this.#isClosed) {
      const entry = stack.at(-1) as Entry;
      const children = entry.type === 'DIR' ? this.tree.children(entry.uuid, '', PURGE_BATCH) : [];
      if (children.length === 0) {
        await this.unlink(entry);
        stack.pop();
        continue;
      }
      for (const child of children) {
        if (child.type === 'DIR') stack.push(child);
        else await this.unlink(child);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Same content under another name, as `"copy"` does. */
  async copyTree(source: Entry, parent: Entry, name: string): Promise<Entry> {
    const made = this.tree.create(parent, name, {
      type: source.type,
      mode: source.mode,
      ...(source.target === null ? {} : { target: source.target }),
    });
    this.tree.set(made.inode, { xattrs: source.xattrs, json: source.json, rdf: source.rdf });
    if (source.type === 'REG') {
      await this.contents.copy(source.inode, made.inode);
      this.setSize(made, source.size);
      this.tree.set(made.inode, { mtime: nowSeconds() });
    }
    if (source.type === 'DIR') {
      for (const child of this.tree.children(source.uuid, '', Number.MAX_SAFE_INTEGER)) {
        await this.copyTree(child, made, child.name);
      }
    }
    return made;
  }
}
