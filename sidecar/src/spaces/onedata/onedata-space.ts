import { createHash } from 'node:crypto';
import {
  type CallOptions,
  type Content,
  type EntryKind,
  joinPath,
  type ListOptions,
  type Locator,
  type MadeDirectory,
  nameOf,
  type ReadOptions,
  type RemoveDirectoryOptions,
  type Space,
  type SpaceCapabilities,
  type SpaceEntry,
  SpaceError,
  type WriteOptions,
} from '../space.ts';
import { isSpaceError } from '../space-error.ts';
import { type Attributes, type FileAttributes, isOdd } from './attributes.ts';
import { ofPage } from './children.ts';
import { download } from './download.ts';
import { OnedataHttp } from './http-client.ts';
import { LoadMeter } from './load-meter.ts';
import { ProviderClient, type SpaceDetails } from './provider-client.ts';
import type { ProxySettings } from './proxy.ts';
import {
  assertAddressable,
  assertName,
  CAPABILITIES,
  entryOf,
  exactly,
  existsAlready,
  invalidName,
  isADirectory,
  KINDS,
  missing,
  notADirectory,
} from './space-rules.ts';

export interface OnedataSpaceOptions {
  /** Host name of the Oneprovider, with a port where it is not 443. */
  readonly host: string;
  readonly spaceId: string;
  /** Asked before each request: a changed token is used from the next request on. */
  readonly token: () => Promise<string>;
  /** PEM bundle, trusted besides the well-known authorities. */
  readonly certificateAuthorities?: string;
  /** Requests at one time, always. @default as many as serve best, beginning with 8 */
  readonly concurrency?: number;
  /** Longest time without a byte, in milliseconds. @default 120000: data may come from another provider first */
  readonly stallTimeoutMs?: number;
  /** Default: what HTTPS_PROXY and NO_PROXY say. */
  readonly proxy?: ProxySettings;
}

/** Short requests that wait for each connection: what a busy engine takes to come back with the next one. */
const WAITING_EACH = 4;
/** Requests at one time. */
const LIMITS = { floor: 2, start: CAPABILITIES.concurrency, ceiling: 32 };
const DEFAULT_STALL_TIMEOUT_MS = 120_000;
/** The name of the space is asked again at most this often, where a path is absent. */
const NAME_TRUSTED_MS = 1_000;
/** Up to this size a new file is made and filled by one request. */
const SMALL_FILE_BYTES = 1_048_576;

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
  #detailsAt = 0;
  /** The question that is under way: calls that wait for the same answer do not each ask. */
  #asking: Promise<SpaceDetails> | undefined;

  constructor(options: OnedataSpaceOptions) {
    const { concurrency } = options;
    const meter = new LoadMeter(
      concurrency === undefined ? LIMITS : { floor: concurrency, start: concurrency, ceiling: concurrency },
    );
    this.identity = `onedata://${options.host}/${options.spaceId}`;
    this.capabilities = {
      ...CAPABILITIES,
      get concurrency() {
        return meter.limit;
      },
      get waiting() {
        return WAITING_EACH * meter.limit;
      },
    };
    this.#http = new OnedataHttp({
      host: options.host,
      spaceId: options.spaceId,
      token: options.token,
      certificateAuthorities: options.certificateAuthorities,
      concurrency: meter.ceiling,
      meter,
      stallTimeoutMs: options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
      proxy: options.proxy,
    });
    this.#provider = new ProviderClient(this.#http, options.spaceId);
  }

  async check(options: CallOptions = {}): Promise<void> {
    await this.#provider.assertVersion(options);
    this.#details = await this.#provider.space(options);
    this.#detailsAt = performance.now();
    assertAddressable(this.#details);
  }

  async *list(directory: Locator, options: ListOptions = {}): AsyncIterable<SpaceEntry> {
    const repeat: NonNullable<ListOptions['repeat']> = options.repeat ?? ((request) => request(options));
    const id = await repeat((inner) => this.#idOf(directory, inner));
    const around = new Set([id, ...(this.#details === undefined ? [] : [this.#details.rootId])]);
    // ⚠ Pages are no snapshot: an entry that was renamed meanwhile can come again at the start of the next one.
    let before: ReadonlySet<string> = new Set();
    for await (const page of this.#provider.children(id, { path: directory.path, repeat })) {
      if (before.size === 0 && isItself(page, id)) throw notADirectory(directory.path);
      const { entries, odd, names } = ofPage(page, { around, before });
      for (const { name, why } of odd) options.onOdd?.({ directory: directory.path, name, why });
      for (const child of entries) yield entryOf(child, joinPath(directory.path, child.name));
      before = names;
    }
  }

  async stat(entry: Locator, options: CallOptions = {}): Promise<SpaceEntry | null> {
    const found = await this.#find(entry, options);
    return found === null ? null : entryOf(found, entry.path);
  }

  read(file: Locator, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    return download(
      this.#provider,
      file,
      options,
      async () => (await this.#find(file, options))?.size ?? null,
    );
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

  async write(path: string, content: Content, options: WriteOptions = {}): Promise<SpaceEntry> {
    assertName(path);
    const context = { path, signal: options.signal };
    const isSmall = content.size <= SMALL_FILE_BYTES;
    const body = () => ({ size: content.size, bytes: exactly(content, path) });
    if (content.size === 0) for await (const _ of exactly(content, path));
    let id: string;
    try {
      id = await this.#provider.create(path, {
        type: 'REG',
        ...context,
        ...(isSmall ? { body: body() } : {}),
      });
      if (!isSmall) await this.#provider.putContent(id, body(), context);
      else if (options.unconfirmed === true)
        return { path, name: nameOf(path), id, kind: 'file', size: content.size, mtimeSeconds: null };
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

  async writePart(file: Locator, offset: number, content: Content, options: CallOptions = {}): Promise<void> {
    const id = await this.#idOf(file, options);
    const body = { size: content.size, bytes: exactly(content, file.path) };
    // ⚠ Without an offset the file would be emptied first.
    await this.#provider.putContent(id, body, { path: file.path, signal: options.signal, offset });
  }

  async copy(from: Locator, to: string, options: CallOptions = {}): Promise<void> {
    assertName(to);
    const id = await this.#idOf(from, options);
    const { name } = await this.#space(options);
    await this.#provider.copy(name, id, to, { path: to, signal: options.signal });
  }

  async makeDirectory(path: string, options: CallOptions = {}): Promise<MadeDirectory> {
    const context = { path, signal: options.signal };
    if (path !== '') for (const name of path.split('/')) assertName(name, path);
    try {
      if (path !== '') {
        const id = await this.#provider.create(path, { type: 'DIR', createParents: true, ...context });
        return { path, name: nameOf(path), id, kind: 'directory', size: 0, mtimeSeconds: null, isNew: true };
      }
    } catch (error) {
      if (!isSpaceError(error, 'exists')) throw error;
    }
    const found = await this.#find({ path }, options);
    if (found === null) throw missing(path);
    if (found.type !== 'DIR') throw existsAlready(path);
    return entryOf(found, path);
  }

  async makeSymlink(path: string, target: string, options: CallOptions = {}): Promise<SpaceEntry> {
    assertName(path);
    const context = { path, signal: options.signal };
    const id = await this.#provider.create(path, { type: 'SYMLNK', target, ...context });
    return entryOf(await this.#provider.attributes(id, context), path);
  }

  async move(
    from: Locator & { readonly kind: EntryKind },
    to: string,
    options: CallOptions = {},
  ): Promise<void> {
    assertName(to);
    const isDirectory = from.kind === 'directory';
    if (isDirectory && to.startsWith(`${from.path}/`)) {
      throw new SpaceError('bad-request', `${from.path} cannot move into itself`, { path: to });
    }
    if (from.path === to && from.id === undefined) {
      if ((await this.#find({ path: to }, options)) === null) throw missing(to);
      return;
    }
    if (isDirectory) {
      // ⚠ A directory onto a directory is an internal error of the provider, so it is looked for first.
      const there = await this.#find({ path: to }, options);
      if (there !== null && there.id === from.id) return;
      if (there !== null) throw existsAlready(to);
    }
    const { name } = await this.#space(options);
    await this.#provider.move(name, from, to, isDirectory, { path: from.path, signal: options.signal });
  }

  async removeFile(path: string, options: CallOptions = {}): Promise<void> {
    const found = await this.#find({ path }, options);
    // ⚠ The provider would remove a directory with all that is in it.
    if (found?.type === 'DIR') throw isADirectory(path);
    if (found) await this.#remove(found.id, path, options);
  }

  async removeEmptyDirectory(path: string, options: RemoveDirectoryOptions = {}): Promise<void> {
    const found = await this.#find({ path }, options);
    if (found === null) return;
    if (found.type !== 'DIR') throw notADirectory(path);
    const context = { path, signal: options.signal };
    for await (const page of this.#provider.children(found.id, { ...context, limit: 2 })) {
      if (page.length > 0) throw new SpaceError('not-empty', `${path} is not empty`, { path });
    }
    if (options.aside === undefined) await this.#remove(found.id, path, options);
    else await this.#putAside({ path, id: found.id }, options.aside, options);
  }

  /** ⚠ The provider removes a directory with all that is in it, and a listing may leave out some of that. */
  async #putAside(
    directory: Locator & { readonly id: string },
    aside: string,
    options: CallOptions,
  ): Promise<void> {
    const { name } = await this.#space(options);
    const context = { path: directory.path, signal: options.signal };
    // By its id, so that no two have the same name there, and done again it is the same.
    const to = `${aside}/${createHash('sha256').update(directory.id).digest('hex').slice(0, 32)}`;
    const move = () => this.#provider.move(name, directory, to, true, context);
    try {
      await move();
    } catch (error) {
      if (!isSpaceError(error, 'not-found')) throw error;
      await this.makeDirectory(aside, options);
      await move().catch((again: unknown) => {
        // Gone by now.
        if (!isSpaceError(again, 'not-found')) throw again;
      });
    }
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

  async #space(options: CallOptions): Promise<SpaceDetails> {
    const details = this.#details ?? (await this.#ask(options));
    assertAddressable(details);
    return details;
  }

  async #ask(options: CallOptions): Promise<SpaceDetails> {
    // Whoever asked may have given its call up: then this one asks for itself.
    const shared = await this.#asking?.catch(() => undefined);
    if (shared !== undefined) return shared;
    const asked = this.#provider.space(options);
    this.#asking = asked;
    try {
      this.#details = await asked;
      this.#detailsAt = performance.now();
      return this.#details;
    } finally {
      if (this.#asking === asked) this.#asking = undefined;
    }
  }

  /**
   * Paths go by the space's name, so in a space that was renamed meanwhile every path looks absent. Says whether it was:
   * then the look-up is worth another try.
   */
  async #isRenamed(name: string, options: CallOptions): Promise<boolean> {
    if (performance.now() - this.#detailsAt > NAME_TRUSTED_MS) this.#details = undefined;
    return (await this.#space(options)).name !== name;
  }

  /** null: nothing has this path. */
  async #lookUp(path: string, options: CallOptions): Promise<string | null> {
    const { name, rootId } = await this.#space(options);
    if (path === '') return rootId;
    if (!isPath(path)) throw invalidName(path);
    try {
      return await this.#provider.lookUp(name, path, { path, signal: options.signal });
    } catch (error) {
      if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
      return (await this.#isRenamed(name, options)) ? this.#lookUp(path, options) : null;
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
}

/** ⚠ A listing of a file is that file alone. */
function isItself([only, ...others]: readonly Attributes[], id: string): boolean {
  return others.length === 0 && only !== undefined && !isOdd(only) && only.id === id && only.type !== 'DIR';
}

function isPath(path: string): boolean {
  return path.isWellFormed() && !path.split('/').some((part) => part === '' || part === '.' || part === '..');
}
