import { SpaceError } from './space-error.ts';

export {
  isNoFile,
  isSpaceError,
  isWithoutFile,
  type RetryClass,
  SpaceError,
  type SpaceErrorCode,
} from './space-error.ts';

/**
 * A tree of files somewhere else: a Onedata space over REST, a mounted directory, memory in tests. The interface is
 * cut to what the Onedata REST API can do; `test/sync/space-contract.ts` holds every implementation to these words.
 *
 * Paths are relative to the root of the space, components joined by `/`, no leading or trailing slash, never `.` or
 * `..`; the root is the empty string. Names are Unicode text, compared code point by code point, without
 * normalisation. Names that are not UTF-8 on a disk are encoded by the engine before they come here.
 *
 * Every call rejects with `SpaceError` (see space-error.ts); with the signal's reason when its signal aborts. No call
 * retries: `withRetry` does. Calls may run at the same time.
 */

export type EntryKind = 'file' | 'directory' | 'symlink';

/**
 * Says which entry is meant. Where `id` is given and the space says `idsSurviveMove`, the entry with this id is
 * addressed, whatever its path is now, and `path` serves messages; otherwise the path is looked up.
 */
export interface Locator {
  readonly path: string;
  readonly id?: string | undefined;
}

export interface SpaceEntry extends Locator {
  /** The last component; empty for the root. */
  readonly name: string;
  /** Opaque; not used for anything else while the entry exists. Survives moves where `idsSurviveMove` says so. */
  readonly id: string;
  readonly kind: EntryKind;
  /** Bytes of a file; 0 for everything else. */
  readonly size: number;
  /** Whole seconds since 1970 by the clock of the space; null where it does not know (yet). Nobody can set it. */
  readonly mtimeSeconds: number | null;
}

/** What a space can do and hold, as data: the engine asks this, never which implementation it talks to. */
export interface SpaceCapabilities {
  /** `makeSymlink` and `readSymlink` work, with any target text. */
  readonly symlinks: boolean;
  /** A moved entry keeps its id, and the id finds it at its new place. */
  readonly idsSurviveMove: boolean;
  /** `move` takes the entry with a given id, so that it can never take another one that has come to its path. */
  readonly movesById?: boolean;
  /** Longest name in bytes of UTF-8. */
  readonly maxNameBytes: number;
  /** Names that begin with, or hold, one of these are refused or never listed. */
  readonly reservedNamePrefixes: readonly string[];
  readonly reservedNameParts: readonly string[];
  /** From so many bytes on, `copy` costs less than sending the same bytes. Absent: there is no `copy`. */
  readonly copiesFrom?: number;
  /** Calls at one time that this space serves well. */
  readonly concurrency: number;
  /** So many short calls more may be made: they wait where they cost no time, until one of those is over. @default 0 */
  readonly waiting?: number;
}

/** Calls at one time where each is over soon. A long one that waits would look stalled. */
export function shortCalls({ concurrency, waiting = 0 }: SpaceCapabilities): number {
  return concurrency + waiting;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface CheckOptions extends CallOptions {
  /** Whoever repeats failed calls does not repeat this one: it is asked because another one has failed after all repeats. */
  readonly once?: boolean;
}

/** What a listing says of an entry, and cannot be right. */
export interface OddChild {
  readonly directory: string;
  /** null: the name itself is none. */
  readonly name: string | null;
  /** A clause for people. */
  readonly why: string;
}

export interface ListOptions extends CallOptions {
  /** Told of each entry that cannot be yielded as it was told. Without it such entries are missed. */
  readonly onOdd?: (child: OddChild) => void;
  /**
   * Runs each request of the listing. Whoever repeats failed calls gives one that repeats the page that failed, so that
   * the listing goes on where it stood; absent: each request runs once.
   */
  readonly repeat?: <T>(request: (options: CallOptions) => Promise<T>) => Promise<T>;
}

export interface RemoveDirectoryOptions extends CallOptions {
  /**
   * A directory that is made if need be, on a server that removes directories with all that is in them: there goes what
   * looks empty, so that nothing is lost that no listing showed.
   */
  readonly aside?: string;
}

export interface WriteOptions extends CallOptions {
  /**
   * The caller asks for what it needs to know later. Where the answer to the write does not say it, `size` is then what
   * was sent and `mtimeSeconds` null.
   */
  readonly unconfirmed?: boolean;
}

/** A directory that was asked for. */
export interface MadeDirectory extends SpaceEntry {
  /** It was not there before this call, so nothing of anybody else's is in it. Absent: not known. */
  readonly isNew?: boolean;
}

export interface ReadOptions extends CallOptions {
  /** First byte, default 0. */
  readonly offset?: number;
  /** Number of bytes at most, default up to the end. */
  readonly length?: number;
}

/** Bytes that can be given again, so that a failed write can be repeated. */
export interface Content {
  /** Exact number of bytes that `open` yields. */
  readonly size: number;
  /** A new pass over the same bytes, in chunks of any size. */
  open(): AsyncIterable<Uint8Array>;
}

/** The half of a space that changes nothing; all that the engine ever gets of the source space. */
export interface ReadOnlySpace {
  /** For messages and for the state: which space this is. No secret, e.g. `onedata://host/space-id`. */
  readonly identity: string;
  readonly capabilities: SpaceCapabilities;

  /**
   * Asks whether the space can be used with this token, in as few requests as possible.
   * @throws the reason why not: unreachable, token-…, space-unknown, space-not-supported.
   */
  check(options?: CheckOptions): Promise<void>;

  /**
   * The children of a directory, each name once, in no promised order, page by page as the consumer asks.
   * Entries that come or go meanwhile may be missed, and a page may silently miss others: absence from a listing
   * proves nothing, `stat` does. Ending without an error means that the listing came to its end.
   * @throws not-found, not-a-directory; listing-incomplete where the rest is cut off or not visible.
   */
  list(directory: Locator, options?: ListOptions): AsyncIterable<SpaceEntry>;

  /**
   * One entry, links not followed; null where nothing has this path or id. Null is an answer of the space itself:
   * an outage is an error, never null. By id, the returned `path` is the one that was asked with.
   */
  stat(entry: Locator, options?: CallOptions): Promise<SpaceEntry | null>;

  /**
   * The bytes of a file from `offset`, streamed. Yields exactly min(length, size − offset) bytes or throws; an offset
   * equal to the size yields nothing. The file may change while it is read: compare `stat` before and after.
   * Leaving the loop early ends the transfer.
   * @throws not-found, is-a-directory, bad-range, transfer-broken, stalled; at the first step of the iteration or later.
   */
  read(file: Locator, options?: ReadOptions): AsyncIterable<Uint8Array>;

  /**
   * The target text of a symbolic link, as it was given to `makeSymlink`.
   * @throws not-found; bad-request for what is no link; unsupported.
   */
  readSymlink(link: Locator, options?: CallOptions): Promise<string>;

  /** Ends connections. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** A space that may be written. */
export interface Space extends ReadOnlySpace {
  /**
   * Makes or overwrites a file in an existing directory and returns it as it is then. NOT atomic: a reader may see a
   * part, and a failed call may leave a part (or nothing) under the name. The engine writes temporary names and moves.
   * Repeating a failed write is allowed and gives the same result.
   * @throws not-found (no such parent), not-a-directory (parent), is-a-directory (path), invalid-name, space-full;
   *   transfer-broken where `content` gave another number of bytes than its size.
   */
  write(path: string, content: Content, options?: WriteOptions): Promise<SpaceEntry>;

  /**
   * Writes bytes into an existing file from `offset` on. What lies around them stays; a gap before them reads as
   * zeros. Several calls may write to one file at the same time. Repeating a failed call is allowed. Absent where the
   * space cannot do it.
   * @throws not-found, is-a-directory, space-full; transfer-broken as `write` does.
   */
  writePart?(file: Locator, offset: number, content: Content, options?: CallOptions): Promise<void>;

  /**
   * Makes a new file at `to` with the content of another file, without its bytes coming here. Not atomic, as `write`. A
   * large file takes as long as the space needs for it. Nobody repeats a failed call: it may still be under way.
   * @throws not-found (source or the parent of `to`), is-a-directory, space-full; unsupported: as if there were no such call
   */
  copy?(from: Locator, to: string, options?: CallOptions): Promise<void>;

  /**
   * Makes a directory and its missing parents; an existing directory is fine and is returned. Of a new one
   * `mtimeSeconds` may be null.
   * @throws exists or not-a-directory where a file is in the way; invalid-name.
   */
  makeDirectory(path: string, options?: CallOptions): Promise<MadeDirectory>;

  /**
   * Makes a symbolic link with this target text, unread and unchanged.
   * @throws exists, also for an equal link; not-found (parent); unsupported.
   */
  makeSymlink(path: string, target: string, options?: CallOptions): Promise<SpaceEntry>;

  /**
   * Renames, in one step for every reader. The parent of `to` exists. A file replaces an existing file (or link);
   * a directory, with all below it, replaces nothing. `kind` is the kind of what is moved. Where `id` is given and the
   * space says `movesById`, the entry with this id is moved from wherever it is by then, never another one that has
   * come to its path; already at `to`, nothing happens.
   * @throws not-found (source or the parent of `to`); exists (directory onto anything); is-a-directory (file onto a
   *   directory); not-a-directory; bad-request (into itself). After an error whose outcome is unknown, source gone and
   *   destination present means that it was done.
   */
  move(from: Locator & { readonly kind: EntryKind }, to: string, options?: CallOptions): Promise<void>;

  /**
   * Removes a file or link; what is absent is fine.
   * @throws is-a-directory: a directory is never removed by this call, also where the server would do so.
   */
  removeFile(path: string, options?: CallOptions): Promise<void>;

  /**
   * Removes a directory that has no children; what is absent is fine. Looks first where the server has no such call,
   * so a child that comes in that moment, or that the listing leaves out, goes with it: see `aside`.
   * @throws not-empty, not-a-directory.
   */
  removeEmptyDirectory(path: string, options?: RemoveDirectoryOptions): Promise<void>;

  /** Removes an entry and all below it; what is absent is fine. The root is refused with bad-request. */
  removeTree(path: string, options?: CallOptions): Promise<void>;
}

/** Text or bytes in memory as content of a file. */
export function contentOf(data: string | Uint8Array): Content {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  return {
    size: bytes.byteLength,
    async *open() {
      if (bytes.byteLength > 0) yield bytes;
    },
  };
}

/** The same content, with each number of bytes told as it goes. */
export function counted(content: Content, onBytes: (count: number) => void): Content {
  return {
    size: content.size,
    async *open() {
      for await (const bytes of content.open()) {
        onBytes(bytes.byteLength);
        yield bytes;
      }
    },
  };
}

/** The whole content of a small file. @throws transfer-broken above `maxBytes`. */
export async function readAll(
  space: ReadOnlySpace,
  file: Locator,
  maxBytes: number,
  options: CallOptions = {},
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of space.read(file, options)) {
    total += chunk.byteLength;
    if (total > maxBytes) {
      throw new SpaceError(
        'transfer-broken',
        `${file.path} is larger than the ${maxBytes} bytes expected of it`,
        {
          path: file.path,
        },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `a/b` of `a/b/c`; the root's own parent is the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** `c` of `a/b/c`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Which of the two spaces of an instance, and which volume. */
export type Side = 'source' | 'project';

/** The folder of the engine at the root of the project space: staging, commit record, manifest, lease, trash. */
export const ENGINE_FOLDER = '.scipion-sync';
