import * as fs from 'node:fs/promises';
import * as z from 'zod';
import { replaceFile } from '../replace-file.ts';
import { DirectorySpace } from './directory-space.ts';
import type { Side } from './space.ts';
import {
  type Content,
  ENGINE_FOLDER,
  type EntryKind,
  type ListOptions,
  type Locator,
  type SpaceEntry,
  SpaceError,
} from './space.ts';

export interface MountedSpaceOptions {
  readonly directory: string;
  readonly spaceId: string;
  /** Only a mount of a FUSE client counts, e.g. of oneclient, not whatever directory a driver left there. */
  readonly fileSystem?: 'fuse' | undefined;
  readonly side: Side;
  /** Where it is kept how the root looked, outside of the space. */
  readonly identityFile: string;
  /** Text of Linux' list of mounts. @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
  readonly mounts?: () => Promise<string>;
}

/** How the root of the space looked when it was last recognised. */
const identitySchema = z.object({
  /** Some names at the root. */
  names: z.array(z.string()),
  /** The engine's own folder was there. */
  hasEngineFolder: z.boolean(),
});
export type RootIdentity = z.infer<typeof identitySchema>;

const MAX_NAMES = 200;

/**
 * A space that a volume of the cluster shows: by csi-onedata, or any claim. A mount can go stale or go away under a
 * running container; then the directory is an error or another, mostly empty one. Nothing is ever taken for absent, and
 * nothing is written, unless the root was recognised and is still the same.
 */
export class MountedSpace extends DirectorySpace {
  override readonly identity: string;
  readonly #options: MountedSpaceOptions;
  /** Device and inode of the root that was recognised. */
  #root: string | null = null;
  /** The engine's own folder was seen there. */
  #isMarked = false;

  constructor(options: MountedSpaceOptions) {
    super(options.directory);
    this.#options = options;
    // The same space as over REST: the project can change from one way to the other.
    this.identity = `onedata://mounted/${options.spaceId}`;
  }

  override async check(): Promise<void> {
    await super.check();
    await this.#recognise();
  }

  override async *list(directory: Locator, options: ListOptions = {}): AsyncIterable<SpaceEntry> {
    await this.#assertSameRoot();
    yield* super.list(directory, options);
    await this.#assertSameRoot();
  }

  override async stat(entry: Locator): Promise<SpaceEntry | null> {
    const found = await super.stat(entry);
    if (found === null) await this.#assertSameRoot();
    return found;
  }

  override async write(path: string, content: Content, options: { signal?: AbortSignal } = {}) {
    await this.#assertSameRoot();
    return super.write(path, content, options);
  }
  override async writePart(...part: Parameters<DirectorySpace['writePart']>) {
    await this.#assertSameRoot();
    return super.writePart(...part);
  }
  override async copy(from: Locator, to: string) {
    await this.#assertSameRoot();
    return super.copy(from, to);
  }
  override async makeDirectory(path: string) {
    await this.#assertSameRoot();
    const made = await super.makeDirectory(path);
    const isOwn = path === ENGINE_FOLDER || path.startsWith(`${ENGINE_FOLDER}/`);
    // From now on the space is known by it.
    if (isOwn && !this.#isMarked) await this.#recognise();
    return made;
  }
  override async makeSymlink(path: string, target: string) {
    await this.#assertSameRoot();
    return super.makeSymlink(path, target);
  }
  override async move(from: { path: string; kind: EntryKind }, to: string) {
    await this.#assertSameRoot();
    return super.move(from, to);
  }
  override async removeFile(path: string) {
    await this.#assertSameRoot();
    return super.removeFile(path);
  }
  override async removeEmptyDirectory(path: string) {
    await this.#assertSameRoot();
    return super.removeEmptyDirectory(path);
  }
  override async removeTree(path: string) {
    await this.#assertSameRoot();
    return super.removeTree(path);
  }

  /** @throws SpaceError `not-mounted`; `unavailable` where the space was mounted again meanwhile: ask again */
  async #assertSameRoot(): Promise<void> {
    if (this.#root === null) return this.#recognise();
    if ((await this.#rootNow()) === this.#root) return;
    await this.#recognise();
    throw new SpaceError('unavailable', `the ${this.#options.side} space was mounted again`);
  }

  async #recognise(): Promise<void> {
    const { directory, fileSystem, mounts = readMounts, identityFile, side } = this.#options;
    const mountReason = judgeMount(await mounts(), directory, fileSystem);
    if (mountReason !== null) throw this.#missing(mountReason);
    const root = await this.#rootNow();
    const names: string[] = [];
    // A file in its place is none that this program keeps there: whoever moves it away takes nothing of ours.
    for await (const { name, kind } of super.list({ path: '' }))
      if (name !== ENGINE_FOLDER || kind === 'directory') names.push(name);
    const known = await readIdentity(identityFile);
    const reason = judgeRoot(side, known, names);
    if (reason !== null) throw this.#missing(reason);
    const hasEngineFolder = known?.hasEngineFolder === true || names.includes(ENGINE_FOLDER);
    await rememberIdentity(identityFile, known, { names: names.slice(0, MAX_NAMES), hasEngineFolder });
    this.#isMarked = hasEngineFolder;
    this.#root = root;
  }

  async #rootNow(): Promise<string> {
    const root = await super.stat({ path: '' });
    if (root === null) throw this.#missing('the directory is not there');
    return root.id;
  }

  #missing(reason: string): SpaceError {
    const { side, directory } = this.#options;
    return new SpaceError('not-mounted', `the ${side} space is not mounted at ${directory}: ${reason}`);
  }
}

/** Pure. @returns null where the space may be there, else why it is not. */
export function judgeMount(mountinfo: string, directory: string, fileSystem?: 'fuse'): string | null {
  const unescaped = (text: string) =>
    text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
  const types = mountinfo.split('\n').flatMap((line) => {
    const [place, source] = line.split(' - ');
    return unescaped(place?.split(' ')[4] ?? '') === directory ? [source?.split(' ')[0] ?? ''] : [];
  });
  const type = types.at(-1);
  if (type === undefined) return 'nothing is mounted there';
  if (fileSystem === 'fuse' && !type.startsWith('fuse'))
    return `a file system of type ${type} is there, and not the one of a Onedata client`;
  return null;
}

/** Pure. @returns null where this looks like the space, else why not. */
export function judgeRoot(side: Side, known: RootIdentity | null, names: readonly string[]): string | null {
  if (side === 'project') {
    const isLost = known?.hasEngineFolder === true && !names.includes(ENGINE_FOLDER);
    return isLost ? `${ENGINE_FOLDER}, which this program keeps in the space, is not there` : null;
  }
  if (names.length === 0) return 'the directory is empty, and a source space has data';
  const now = new Set(names);
  const isOther = known !== null && known.names.length > 0 && !known.names.some((name) => now.has(name));
  return isOther ? `none of the ${known.names.length} files and folders known from last time is there` : null;
}

const readMounts = () => fs.readFile('/proc/self/mountinfo', 'utf8');

async function readIdentity(file: string): Promise<RootIdentity | null> {
  try {
    return identitySchema.parse(JSON.parse(await fs.readFile(file, 'utf8')));
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    // What is damaged tells nothing; the mount itself was looked at.
    if (isAbsent || error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

async function rememberIdentity(file: string, known: RootIdentity | null, now: RootIdentity): Promise<void> {
  if (JSON.stringify(known) === JSON.stringify(now)) return;
  await replaceFile(file, JSON.stringify(now));
}
