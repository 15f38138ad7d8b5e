import { constants, existsSync, statfsSync, statSync } from 'node:fs';
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { lockMaking } from '../tools/folder-lock.ts';
import type { Report } from '../tools/progress.ts';
import { ask, versionIn } from './ask.ts';
import { commandEnvironment } from './environment.ts';

/** Folders of the cache with programs in them: whole, or made again. */
export interface ProgramFolder {
  readonly folder: string;
  /** What must be in it and start; `pulumi` must tell its version. */
  readonly programs: readonly string[];
  /** PULUMI_HOME for the trial. */
  readonly home: string;
  /** A folder that is locked by who makes this one. */
  readonly lock: string;
}

/** What was tried and starts: as long as nothing of it changes, it is not tried again. */
const triedFile = ({ folder }: ProgramFolder) => join(folder, '.tried');

/**
 * Undefined where everything in the place starts; else what is wrong with it. Looks at each file, and starts what it has
 * not seen as it is now.
 *
 * @throws Error where nothing can be started from that disk
 */
export async function whatIsWrong(place: ProgramFolder): Promise<string | undefined> {
  const seen: string[] = [];
  for (const name of place.programs) {
    const file = join(place.folder, name);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) return `${name} is missing`;
    if (found.size === 0 || (found.mode & 0o111) === 0)
      return `${name} has ${found.size} bytes and mode ${(found.mode & 0o777).toString(8)}`;
    await access(file, constants.X_OK).catch(() => {
      throw new Error(
        `${file} cannot be started, though its mode allows it: its disk is mounted noexec. ` +
          'Name a folder on another one: export XDG_CACHE_HOME=FOLDER',
      );
    });
    seen.push([name, found.size, found.mtimeMs, found.mode].join(' '));
  }
  const signature = seen.join('\n');
  if ((await readFile(triedFile(place), 'utf8').catch(() => '')) === signature) return undefined;
  for (const name of place.programs) {
    const isCommand = name === 'pulumi';
    const file = join(place.folder, name);
    const answer = await ask(file, isCommand ? ['version'] : [], commandEnvironment(place.home));
    const isRight = isCommand ? versionIn(answer.stdout) !== undefined : answer.isProgram;
    if (!isRight) return `${name} ${answer.failure ?? 'does not tell its version'}`;
  }
  // A cache that cannot be written is tried each time.
  await writeFile(triedFile(place), signature).catch(() => {});
  return undefined;
}

/**
 * Makes a folder as a whole or not at all, in the place of what is damaged there. What another process is making is waited
 * for, and taken as it is.
 */
export async function intoPlace(
  place: ProgramFolder,
  report: Report,
  make: (draft: string) => Promise<void>,
): Promise<void> {
  const { folder } = place;
  await makeFolder(dirname(folder));
  const unlock = await lockMaking(place.lock, () =>
    report(`another process makes ${folder}; waiting for it`),
  );
  try {
    if ((await whatIsWrong(place)) !== undefined) await makePlace(place, make);
  } finally {
    await unlock?.();
  }
}

async function makePlace(place: ProgramFolder, make: (draft: string) => Promise<void>): Promise<void> {
  const { folder } = place;
  await removeOldDrafts(folder);
  const draft = await mkdtemp(`${folder}-draft-`).catch(refuseDisk(folder));
  try {
    await make(draft);
    await chmod(draft, 0o755);
    await rename(draft, folder).catch(async () => {
      // Without a lock another process may have been faster, and what it made comes from the same inputs; or what is
      // there is not whole.
      if ((await whatIsWrong(place)) === undefined) return;
      await rm(folder, { recursive: true, force: true });
      await rename(draft, folder);
    });
  } catch (error) {
    refuseDisk(folder)(error as NodeJS.ErrnoException);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  const wrong = await whatIsWrong(place);
  if (wrong !== undefined) throw new Error(`What was just made in ${folder} does not start: ${wrong}.`);
}

const HALF_A_DAY_MS = 12 * 3600_000;

/** Of runs that were killed; the longest build takes minutes. */
async function removeOldDrafts(folder: string): Promise<void> {
  const names = await readdir(dirname(folder));
  for (const name of names.filter((found) => found.startsWith(`${basename(folder)}-draft-`))) {
    const draft = join(dirname(folder), name);
    const age = Date.now() - (statSync(draft, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > HALF_A_DAY_MS) await rm(draft, { recursive: true, force: true });
  }
}

/** @throws Error with what to do */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch(refuseDisk(folder));
}

export class FullDiskError extends Error {}

/** Below this a disk is full, whatever the program says that failed on it (tar: "wrote only 512 bytes"). */
const FULL_BYTES = 2 ** 20;

/** A folder that cannot be made: its disk or its rights forbid it, or something that is no folder is in its way. */
const IN_THE_WAY = ['EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EEXIST', 'ELOOP'];

/** @throws the error; what a disk does not allow in words */
function refuseDisk(folder: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.syscall?.startsWith('mk') && IN_THE_WAY.includes(error.code ?? ''))
      throw new Error(
        `The cache cannot have a folder ${folder} (${error.code}): its disk or its rights forbid it, or something that is no folder is in the way. ` +
          `See what is there (ls -ld ${dirname(folder)} ${folder}), or name another place: export XDG_CACHE_HOME=FOLDER`,
      );
    const isTold = error.code === 'ENOSPC' || /no space left on device/i.test(error.message);
    if (!isTold && freeBytes(folder) > FULL_BYTES) throw error;
    throw new FullDiskError(
      `The disk of ${folder} is full; the engine needs 2 GB there. Make room (df -h ${dirname(folder)}), then run it again.`,
    );
  };
}

/** On the disk of this folder, or of the one that it would be made in. */
function freeBytes(folder: string): number {
  if (!existsSync(folder)) return freeBytes(dirname(folder));
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
