import {
  type CallOptions,
  type Content,
  type EntryKind,
  joinPath,
  type Locator,
  nameOf,
  parentOf,
  type ReadOptions,
  type Space,
  type SpaceCapabilities,
  type SpaceEntry,
  SpaceError,
} from '../sync/space.ts';
import { isSpaceError } from '../sync/space-error.ts';
import { headerOf, isSuccess, OnedataHttp } from './http-client.ts';
import { type FileAttributes, ProviderClient, type SpaceDetails } from './provider-client.ts';

export interface OnedataSpaceOptions {
  /** Host name of the Oneprovider, with a port where it is not 443. */
  readonly host: string;
  readonly spaceId: string;
  /** Asked before each request: a changed token is used from the next request on. */
  readonly token: () => Promise<string>;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string;
  /** Requests at one time. @default 8 */
  readonly concurrency?: number;
  /** Longest time without a byte, in milliseconds. @default 120000: data may come from another provider first */
  readonly stallTimeoutMs?: number;
}

const CAPABILITIES: SpaceCapabilities = {
  symlinks: true,
  idsSurviveMove: true,
  maxNameBytes: 255,
  // ⚠ Such files exist but are never listed: uploaded, they would seem deleted.
  reservedNamePrefixes: ['.__onedata__'],
  reservedNameParts: ['####TO_DELETE'],
  concurrency: 8,
};
const DEFAULT_STALL_TIMEOUT_MS = 120_000;
/** Up to this size a new file is made and filled by one request. */
const SMALL_FILE_BYTES = 1_048_576;
const KINDS = { REG: 'file', DIR: 'directory', SYMLNK: 'symlink' } as const satisfies Record<
  string,
  EntryKind
>;

/** A Onedata space over the REST API of one provider. Opens no connection before the first call. */
export function openOnedataSpace(options: OnedataSpaceOptions): Space {
  return new OnedataSpace(options);
}

class OnedataSpace implements Space {
  readonly identity: string;
  readonly capabilities: SpaceCapabilities;
  readonly #provider: ProviderClient;
  readonly #http: OnedataHttp;
  #details: SpaceDetails | undefined;

  constructor(options: OnedataSpaceOptions) {
    const concurrency = options.concurrency ?? CAPABILITIES.concurrency;
    this.identity = `onedata://${options.host}/${options.spaceId}`;
    this.capabilities = { ...CAPABILITIES, concurrency };
    this.#http = new OnedataHttp({
      host: options.host,
      spaceId: options.spaceId,
      token: options.token,
      certificateAuthorities: options.certificateAuthorities,
      concurrency,
      stallTimeoutMs: options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
    });
    this.#provider = new ProviderClient(this.#http, options.spaceId);
  }

  async check(options: CallOptions = {}): Promise<void> {
    this.#details = await this.#provider.space(options);
    assertAddressable(this.#details);
  }

  async *list(directory: Locator, options: CallOptions = {}): AsyncIterable<SpaceEntry> {
    const context = { path: directory.path, signal: options.signal };
    const id = await this.#idOf(directory, options);
    const seen = new Set<string>();
    for await (const page of this.#provider.children(id, context)) {
      for (const child of page) {
        // ⚠ A listing of a file is that file alone.
        if (child.id === id) throw notADirectory(directory.path);
        if (seen.has(child.id)) continue;
        seen.add(child.id);
        yield entryOf(child, joinPath(directory.path, child.name));
      }
    }
  }

  async stat(entry: Locator, options: CallOptions = {}): Promise<SpaceEntry | null> {
    const found = await this.#find(entry, options);
    return found === null ? null : entryOf(found, entry.path);
  }

  async *read(file: Locator, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    options.signal?.throwIfAborted();
    const offset = options.offset ?? 0;
    if (options.length === 0) {
      await this.#assertOffset(file, offset, options);
      return;
    }
    const last = options.length === undefined ? '' : String(offset + options.length - 1);
    const range = offset === 0 && last === '' ? undefined : `bytes=${offset}-${last}`;
    const { request, answer: pending } = this.#provider.content(file, range, options.signal);
    const answer = await pending;
    if (answer.status === 416) {
      await this.#http.text(request, answer);
      // ⚠ Any range of an empty file is 416 too, so the offset decides.
      await this.#assertOffset(file, offset, options, headerOf(answer, 'content-range'));
      return;
    }
    if (answer.status === 302) {
      await this.#http.text(request, answer);
      throw new SpaceError('is-a-directory', `${file.path} is a directory in the space`, { path: file.path });
    }
    if (!isSuccess(answer)) throw await this.#http.failure(request, answer);
    const start = /^bytes (\d+)-/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
    if (range !== undefined && Number(start) !== offset) {
      await answer.body.dump({ limit: 0 }).catch(() => {});
      throw new SpaceError(
        'transfer-broken',
        `${file.path}: asked from byte ${offset}, got from ${start ?? 0}`,
        { path: file.path },
      );
    }
    const length = Number(headerOf(answer, 'content-length') ?? Number.NaN);
    let received = 0;
    for await (const chunk of this.#http.bytes(request, answer)) {
      received += chunk.byteLength;
      yield chunk;
    }
    // ⚠ After its headers the server cannot report an error any more: the body comes short.
    if (!Number.isNaN(length) && received !== length) {
      throw new SpaceError('transfer-broken', `${file.path}: ${received} of ${length} bytes came`, {
        path: file.path,
      });
    }
  }

  async readSymlink(link: Locator, options: CallOptions = {}): Promise<string> {
    const found = await this.#find(link, options);
    if (found === null) throw missing(link.path);
    if (found.type !== 'SYMLNK') {
      throw new SpaceError('bad-request', `${link.path} is a ${KINDS[found.type]}, not a symbolic link`, {
        path: link.path,
      });
    }
    return (
      found.symlinkValue ?? this.#provider.linkTarget(found.id, { path: link.path, signal: options.signal })
    );
  }

  async write(path: string, content: Content, options: CallOptions = {}): Promise<SpaceEntry> {
    this.#assertName(path);
    const context = { path, signal: options.signal };
    const isSmall = content.size <= SMALL_FILE_BYTES;
    const body = () => ({ size: content.size, bytes: exactly(content, path) });
    if (content.size === 0) await drain(exactly(content, path));
    let id: string;
    try {
      id = await this.#provider.create(path, {
        type: 'REG',
        ...context,
        ...(isSmall ? { body: body() } : {}),
      });
      if (!isSmall) await this.#provider.putContent(id, body(), context);
    } catch (error) {
      if (!isSpaceError(error, 'exists')) throw error;
      const existing = await this.#find({ path }, options);
      if (existing === null) throw missing(path);
      if (existing.type === 'DIR') throw isADirectory(path);
      // Written through, the bytes would land in the file that the link leads to.
      if (existing.type === 'SYMLNK') {
        await this.#remove(existing.id, path, options);
        id = await this.#provider.create(path, { type: 'REG', ...context });
      } else id = existing.id;
      await this.#provider.putContent(id, body(), context);
    }
    const written = entryOf(await this.#provider.attributes(id, context), path);
    if (written.size !== content.size) {
      throw new SpaceError(
        'transfer-broken',
        `${path}: ${content.size} bytes were sent, the space holds ${written.size}`,
        { path },
      );
    }
    return written;
  }

  async makeDirectory(path: string, options: CallOptions = {}): Promise<SpaceEntry> {
    const context = { path, signal: options.signal };
    if (path !== '') for (const name of path.split('/')) this.#assertName(name, path);
    let id: string | undefined;
    try {
      if (path !== '')
        id = await this.#provider.create(path, { type: 'DIR', createParents: true, ...context });
    } catch (error) {
      if (!isSpaceError(error, 'exists')) throw error;
    }
    const found =
      id === undefined ? await this.#find({ path }, options) : await this.#provider.attributes(id, context);
    if (found === null) throw missing(path);
    if (found.type !== 'DIR') throw existsAlready(path);
    return entryOf(found, path);
  }

  async makeSymlink(path: string, target: string, options: CallOptions = {}): Promise<SpaceEntry> {
    this.#assertName(path);
    const context = { path, signal: options.signal };
    const id = await this.#provider.create(path, { type: 'SYMLNK', target, ...context });
    return entryOf(await this.#provider.attributes(id, context), path);
  }

  async move(
    from: { readonly path: string; readonly kind: EntryKind },
    to: string,
    options: CallOptions = {},
  ): Promise<void> {
    this.#assertName(to);
    const isDirectory = from.kind === 'directory';
    if (isDirectory && to.startsWith(`${from.path}/`)) {
      throw new SpaceError('bad-request', `${from.path} cannot move into itself`, { path: to });
    }
    if (from.path === to) {
      if ((await this.#find({ path: to }, options)) === null) throw missing(to);
      return;
    }
    // ⚠ A directory onto a directory is an internal error of the provider, so it is looked for first.
    if (isDirectory && (await this.#find({ path: to }, options)) !== null) throw existsAlready(to);
    const { name } = await this.#space(options);
    await this.#provider.move(name, from.path, to, isDirectory, { path: from.path, signal: options.signal });
  }

  async removeFile(path: string, options: CallOptions = {}): Promise<void> {
    const found = await this.#find({ path }, options);
    // ⚠ The provider would remove a directory with all that is in it.
    if (found?.type === 'DIR') throw isADirectory(path);
    if (found) await this.#remove(found.id, path, options);
  }

  async removeEmptyDirectory(path: string, options: CallOptions = {}): Promise<void> {
    const found = await this.#find({ path }, options);
    if (found === null) return;
    if (found.type !== 'DIR') throw notADirectory(path);
    const context = { path, signal: options.signal };
    for await (const page of this.#provider.children(found.id, { ...context, limit: 2 })) {
      if (page.length > 0) throw new SpaceError('not-empty', `${path} is not empty`, { path });
    }
    await this.#remove(found.id, path, options);
  }

  async removeTree(path: string, options: CallOptions = {}): Promise<void> {
    if (path === '') throw new SpaceError('bad-request', 'the root of a space is never removed', { path });
    const id = await this.#lookUp(path, options);
    if (id !== null) await this.#remove(id, path, options);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #remove(id: string, path: string, { signal }: CallOptions): Promise<void> {
    try {
      await this.#provider.remove(id, { path, signal });
    } catch (error) {
      if (!isSpaceError(error, 'not-found')) throw error;
    }
  }

  async #space({ signal }: CallOptions): Promise<SpaceDetails> {
    this.#details ??= await this.#provider.space({ signal });
    assertAddressable(this.#details);
    return this.#details;
  }

  /** null: nothing has this path. */
  async #lookUp(path: string, options: CallOptions): Promise<string | null> {
    const { name, rootId } = await this.#space(options);
    if (path === '') return rootId;
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) throw invalidName(path);
    try {
      return await this.#provider.lookUp(name, path, { path, signal: options.signal });
    } catch (error) {
      if (isSpaceError(error, 'not-found', 'not-a-directory')) return null;
      throw error;
    }
  }

  async #idOf(entry: Locator, options: CallOptions): Promise<string> {
    const id = entry.id ?? (await this.#lookUp(entry.path, options));
    if (id === null) throw missing(entry.path);
    return id;
  }

  async #find(entry: Locator, options: CallOptions): Promise<FileAttributes | null> {
    const id = entry.id ?? (await this.#lookUp(entry.path, options));
    if (id === null) return null;
    try {
      return await this.#provider.attributes(id, { path: entry.path, signal: options.signal });
    } catch (error) {
      if (isSpaceError(error, 'not-found')) return null;
      throw error;
    }
  }

  /** @throws bad-range where the file is shorter than the offset. */
  async #assertOffset(
    file: Locator,
    offset: number,
    options: CallOptions,
    contentRange?: string,
  ): Promise<void> {
    const told = /^bytes \*\/(\d+)$/.exec(contentRange ?? '')?.[1];
    const size = told === undefined ? (await this.#find(file, options))?.size : Number(told);
    if (size === undefined) throw missing(file.path);
    if (offset > size) {
      throw new SpaceError('bad-range', `${file.path}: offset ${offset} is beyond its ${size} bytes`, {
        path: file.path,
      });
    }
  }

  #assertName(path: string, whole = path): void {
    const name = nameOf(path);
    const { maxNameBytes, reservedNameParts, reservedNamePrefixes } = this.capabilities;
    const isRefused =
      name === '' ||
      name === '.' ||
      name === '..' ||
      name.includes('\0') ||
      !name.isWellFormed() ||
      Buffer.byteLength(name) > maxNameBytes ||
      reservedNamePrefixes.some((prefix) => name.startsWith(prefix)) ||
      reservedNameParts.some((part) => name.includes(part)) ||
      (name === '.trash' && parentOf(whole) === '');
    if (isRefused) throw invalidName(whole);
  }
}

/** Looking up and moving address the space by its name, which ends at the first `@`. */
function assertAddressable({ name, spaceId }: SpaceDetails): void {
  if (!/[@/]/.test(name)) return;
  throw new SpaceError(
    'unsupported',
    `The space ${spaceId} is called ${JSON.stringify(name)}: Onedata cannot address names with "@" or "/". Rename the space in the web page of your zone.`,
  );
}

function entryOf(attributes: FileAttributes, path: string): SpaceEntry {
  return {
    path,
    name: nameOf(path),
    id: attributes.id,
    kind: KINDS[attributes.type],
    // ⚠ Directories carry the size of all that is in them, links the length of their target.
    size: attributes.type === 'REG' ? attributes.size : 0,
    // ⚠ 0 while the times have not come over from another provider.
    mtimeSeconds: attributes.mtime === 0 ? null : attributes.mtime,
  };
}

/** The bytes of `content`, or an error where their number is not the announced one. */
async function* exactly(content: Content, path: string): AsyncGenerator<Uint8Array> {
  let total = 0;
  const wrong = () =>
    new SpaceError('transfer-broken', `${path}: ${total} bytes came, ${content.size} were announced`, {
      path,
    });
  for await (const chunk of content.open()) {
    total += chunk.byteLength;
    if (total > content.size) throw wrong();
    yield chunk;
  }
  if (total !== content.size) throw wrong();
}

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

const missing = (path: string) => new SpaceError('not-found', `nothing is at ${path} in the space`, { path });
const existsAlready = (path: string) =>
  new SpaceError('exists', `something is at ${path} in the space already`, { path });
const isADirectory = (path: string) =>
  new SpaceError('is-a-directory', `${path} is a directory in the space`, { path });
const notADirectory = (path: string) =>
  new SpaceError('not-a-directory', `${path} is no directory in the space`, { path });
const invalidName = (path: string) =>
  new SpaceError('invalid-name', `a Onedata space cannot hold the name ${JSON.stringify(nameOf(path))}`, {
    path,
  });
