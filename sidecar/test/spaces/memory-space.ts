import {
  type Content,
  contentOf,
  type EntryKind,
  joinPath,
  type Locator,
  type MadeDirectory,
  nameOf,
  parentOf,
  type ReadOptions,
  type Space,
  type SpaceCapabilities,
  type SpaceEntry,
  SpaceError,
} from '../../src/spaces/space.ts';

interface Node {
  readonly id: string;
  readonly kind: EntryKind;
  data: Buffer;
  target: string;
  mtimeSeconds: number;
}

const CHUNK_BYTES = 64 * 1024;

/** A space in memory, for tests: the reference of the interface, with the limits of a real one. */
export class MemorySpace implements Space {
  readonly identity: string;
  readonly capabilities: SpaceCapabilities;
  /** Path → node; the root is not in it. */
  readonly #nodes = new Map<string, Node>();
  readonly #nowSeconds: () => number;
  #nextId = 1;

  constructor(
    options: {
      identity?: string;
      nowSeconds?: () => number;
      capabilities?: Partial<SpaceCapabilities>;
    } = {},
  ) {
    this.identity = options.identity ?? 'memory://space';
    this.#nowSeconds = options.nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    this.capabilities = {
      symlinks: true,
      idsSurviveMove: true,
      movesById: true,
      maxNameBytes: 255,
      reservedNamePrefixes: ['.__onedata__'],
      reservedNameParts: ['####TO_DELETE'],
      copiesFrom: 0,
      concurrency: 8,
      ...options.capabilities,
    };
  }

  async check(): Promise<void> {}

  async *list(directory: Locator): AsyncIterable<SpaceEntry> {
    const path = this.#resolve(directory);
    if (path === undefined) throw missing(directory.path);
    if (this.#kindAt(path) !== 'directory') throw notADirectory(path);
    const children = [...this.#nodes.keys()].filter((each) => each !== '' && parentOf(each) === path).sort();
    for (const child of children) {
      const node = this.#nodes.get(child);
      if (node !== undefined) yield this.#entry(child, node);
    }
  }

  async stat(entry: Locator): Promise<SpaceEntry | null> {
    const path = this.#resolve(entry);
    if (path === undefined) return null;
    if (path === '')
      return { path: '', name: '', id: 'root', kind: 'directory', size: 0, mtimeSeconds: null };
    const node = this.#nodes.get(path);
    return node === undefined
      ? null
      : { ...this.#entry(path, node), path: entry.path, name: nameOf(entry.path) };
  }

  async *read(file: Locator, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    const data = this.#file(file).data;
    const offset = options.offset ?? 0;
    if (offset > data.length) {
      throw new SpaceError('bad-range', `${file.path}: offset ${offset} is beyond its ${data.length} bytes`, {
        path: file.path,
      });
    }
    const end = Math.min(data.length, offset + (options.length ?? data.length));
    for (let at = offset; at < end; at += CHUNK_BYTES) {
      options.signal?.throwIfAborted();
      yield data.subarray(at, Math.min(end, at + CHUNK_BYTES));
    }
  }

  async readSymlink(link: Locator): Promise<string> {
    const path = this.#resolve(link);
    const node = path === undefined ? undefined : this.#nodes.get(path);
    if (node === undefined) throw missing(link.path);
    if (node.kind !== 'symlink') {
      throw new SpaceError('bad-request', `${link.path} is a ${node.kind}, not a symbolic link`, {
        path: link.path,
      });
    }
    return node.target;
  }

  async write(path: string, content: Content, options: { signal?: AbortSignal } = {}): Promise<SpaceEntry> {
    this.#assertCreatable(path);
    const old = this.#nodes.get(path);
    if (old?.kind === 'directory' || path === '') throw isADirectory(path);
    const node: Node = old?.kind === 'file' ? old : this.#newNode('file');
    node.data = Buffer.alloc(0);
    this.#nodes.set(path, node);
    const chunks: Uint8Array[] = [];
    let written = 0;
    for await (const chunk of content.open()) {
      options.signal?.throwIfAborted();
      chunks.push(Buffer.from(chunk));
      written += chunk.byteLength;
    }
    node.data = Buffer.concat(chunks);
    node.mtimeSeconds = this.#nowSeconds();
    if (written !== content.size) {
      throw new SpaceError(
        'transfer-broken',
        `${path}: ${written} bytes came, ${content.size} were announced`,
        { path },
      );
    }
    return this.#entry(path, node);
  }

  async writePart(file: Locator, offset: number, content: Content): Promise<void> {
    const node = this.#file(file);
    const chunks: Uint8Array[] = [];
    for await (const chunk of content.open()) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    const data = Buffer.alloc(Math.max(node.data.length, offset + bytes.length));
    node.data.copy(data);
    bytes.copy(data, offset);
    node.data = data;
    node.mtimeSeconds = this.#nowSeconds();
    if (bytes.length === content.size) return;
    throw new SpaceError(
      'transfer-broken',
      `${file.path}: ${bytes.length} bytes came, ${content.size} were announced`,
      { path: file.path },
    );
  }

  async copy(from: Locator, to: string): Promise<void> {
    const { data } = this.#file(from);
    await this.write(to, contentOf(Buffer.from(data)));
  }

  async makeDirectory(path: string): Promise<MadeDirectory> {
    const isNew = path !== '' && !this.#nodes.has(path);
    if (path !== '') {
      const existing = this.#nodes.get(path);
      if (existing !== undefined && existing.kind !== 'directory') throw existsError(path);
      await this.makeDirectory(parentOf(path));
      this.#assertCreatable(path);
      if (existing === undefined) this.#nodes.set(path, this.#newNode('directory'));
    }
    const entry = await this.stat({ path });
    if (entry === null) throw missing(path);
    return { ...entry, ...(isNew ? { isNew } : {}) };
  }

  async makeSymlink(path: string, target: string): Promise<SpaceEntry> {
    if (!this.capabilities.symlinks)
      throw new SpaceError('unsupported', 'this space holds no symbolic links');
    this.#assertCreatable(path);
    if (path === '' || this.#nodes.has(path)) throw existsError(path);
    const node = this.#newNode('symlink');
    node.target = target;
    this.#nodes.set(path, node);
    return this.#entry(path, node);
  }

  async move(given: Locator & { kind: EntryKind }, to: string): Promise<void> {
    const from = { ...given, path: this.#resolve(given) ?? '' };
    const node = this.#nodes.get(from.path);
    if (node === undefined) throw missing(given.path);
    if (node.kind !== from.kind) {
      throw new SpaceError('bad-request', `${from.path} is a ${node.kind}, not a ${from.kind}`, {
        path: from.path,
      });
    }
    this.#assertCreatable(to);
    const target = to === '' ? 'directory' : this.#nodes.get(to)?.kind;
    if (from.path === to) return;
    if (node.kind === 'directory') {
      if (to.startsWith(`${from.path}/`)) {
        throw new SpaceError('bad-request', `${from.path} cannot move into itself`, { path: to });
      }
      if (target !== undefined) throw existsError(to);
      const inside = [...this.#nodes].filter(([path]) => path.startsWith(`${from.path}/`));
      for (const [path, child] of inside) {
        this.#nodes.delete(path);
        this.#nodes.set(to + path.slice(from.path.length), child);
      }
    } else if (target === 'directory') throw isADirectory(to);
    this.#nodes.delete(from.path);
    this.#nodes.set(to, node);
  }

  async removeFile(path: string): Promise<void> {
    if (this.#kindAt(path) === 'directory') throw isADirectory(path);
    this.#nodes.delete(path);
  }

  async removeEmptyDirectory(path: string): Promise<void> {
    const kind = this.#kindAt(path);
    if (kind === undefined) return;
    if (kind !== 'directory') throw notADirectory(path);
    for (const each of this.#nodes.keys()) {
      if (parentOf(each) === path) throw new SpaceError('not-empty', `${path} is not empty`, { path });
    }
    this.#nodes.delete(path);
  }

  async removeTree(path: string): Promise<void> {
    if (path === '') throw new SpaceError('bad-request', 'the root of a space is never removed', { path });
    for (const each of [...this.#nodes.keys()]) {
      if (each === path || each.startsWith(`${path}/`)) this.#nodes.delete(each);
    }
  }

  async close(): Promise<void> {}

  #newNode(kind: EntryKind): Node {
    const id = `id${this.#nextId++}`;
    return { id, kind, data: Buffer.alloc(0), target: '', mtimeSeconds: this.#nowSeconds() };
  }

  #kindAt(path: string): EntryKind | undefined {
    return path === '' ? 'directory' : this.#nodes.get(path)?.kind;
  }

  #resolve(entry: Locator): string | undefined {
    if (entry.id === undefined) return this.#kindAt(entry.path) === undefined ? undefined : entry.path;
    if (entry.id === 'root') return '';
    for (const [path, node] of this.#nodes) if (node.id === entry.id) return path;
    return undefined;
  }

  #file(entry: Locator): Node {
    const path = this.#resolve(entry);
    if (path === undefined) throw missing(entry.path);
    const node = this.#nodes.get(path);
    if (node === undefined || node.kind === 'directory') throw isADirectory(entry.path);
    return node;
  }

  #entry(path: string, node: Node): SpaceEntry {
    return {
      path,
      name: nameOf(path),
      id: node.id,
      kind: node.kind,
      size: node.kind === 'file' ? node.data.length : 0,
      mtimeSeconds: node.mtimeSeconds,
    };
  }

  #assertCreatable(path: string): void {
    const { maxNameBytes, reservedNamePrefixes, reservedNameParts } = this.capabilities;
    const name = nameOf(path);
    if (
      name === '.' ||
      name === '..' ||
      (name === '' && path !== '') ||
      name.includes('\0') ||
      Buffer.byteLength(name) > maxNameBytes ||
      reservedNamePrefixes.some((prefix) => name.startsWith(prefix)) ||
      reservedNameParts.some((part) => name.includes(part))
    ) {
      throw new SpaceError('invalid-name', `the space cannot hold the name ${JSON.stringify(name)}`, {
        path,
      });
    }
    const parent = this.#kindAt(parentOf(path));
    if (parent === undefined) throw missing(parentOf(path));
    if (parent !== 'directory') throw notADirectory(parentOf(path));
  }
}

function missing(path: string): SpaceError {
  return new SpaceError('not-found', `nothing is at ${path} in the space`, { path });
}
function existsError(path: string): SpaceError {
  return new SpaceError('exists', `something is at ${path} in the space already`, { path });
}
function isADirectory(path: string): SpaceError {
  return new SpaceError('is-a-directory', `${path} is a directory in the space`, { path });
}
function notADirectory(path: string): SpaceError {
  return new SpaceError('not-a-directory', `${path} is no directory in the space`, { path });
}

/** Every path of a space with what is there, for assertions. Directories end in `/`. */
export async function dumpSpace(space: Space, directory = ''): Promise<Map<string, string>> {
  const result = new Map<string, string>();
  for await (const entry of space.list({ path: directory })) {
    const path = joinPath(directory, entry.name);
    if (entry.kind === 'directory') {
      result.set(`${path}/`, '');
      for (const [key, value] of await dumpSpace(space, path)) result.set(key, value);
    } else if (entry.kind === 'symlink') result.set(path, `→ ${await space.readSymlink({ path })}`);
    else {
      const chunks: Uint8Array[] = [];
      for await (const chunk of space.read({ path })) chunks.push(chunk);
      result.set(path, Buffer.concat(chunks).toString('latin1'));
    }
  }
  return result;
}
