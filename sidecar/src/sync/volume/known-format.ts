import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../../contract/parse-json.ts';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { MIGRATIONS } from '../state/state-schema.ts';
import { refuseNewer, VOLUME_IS_NEWER } from '../sync-errors.ts';

/** Of `volume.json`. */
export const MARKER = 'volume.json';
export const MARKER_VERSION = 1;
/** In the folder of the state. */
export const STATE_FILE = 'sync.sqlite';

/**
 * Whether this program knows what is on a volume, found out without changing anything: a newer version may keep things in
 * the folder of the state that would here be taken for damaged or left over.
 * @throws NewerFormatError
 */
export async function assertKnownFormat(root: string): Promise<void> {
  const folder = join(root, VOLUME_FOLDERS.state);
  refuseNewer(MARKER, await markerVersion(join(folder, MARKER)), MARKER_VERSION, VOLUME_IS_NEWER);
  const state = await stateVersion(join(folder, STATE_FILE));
  refuseNewer('its state', state, MIGRATIONS.length, VOLUME_IS_NEWER);
}

async function markerVersion(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const version = (parseJson(text) as { version?: unknown } | null | undefined)?.version;
  return typeof version === 'number' ? version : undefined;
}

/** @see https://www.sqlite.org/fileformat.html#user_version_number */
const USER_VERSION_AT = 60;
const MAGIC = 'SQLite format 3\0';
/** @see https://www.sqlite.org/fileformat.html#the_write_ahead_log */
const WAL_MAGIC: readonly number[] = [0x377f0682, 0x377f0683];
const WAL_HEADER = 32;
const PAGE_SIZE_AT = 8;
const WAL_SALT_AT = 16;
const FRAME_HEADER = 24;
const FRAME_SALT_AT = 8;
const SALT_BYTES = 8;
/** A log is emptied long before; what is longer is somebody else's. */
const MAX_FRAMES = 100_000;

/**
 * The highest one that file or log say, which SQLite itself would write to for. 0: there is none, or nothing that can be
 * read: what it is then is for its opening to find out.
 */
async function stateVersion(path: string): Promise<number> {
  const own = await reading(path, async (file) => {
    const isDatabase = (await bytesAt(file, 0, MAGIC.length))?.toString('latin1') === MAGIC;
    return isDatabase ? ((await bytesAt(file, USER_VERSION_AT, 4))?.readUInt32BE(0) ?? 0) : 0;
  });
  const logged = await reading(`${path}-wal`, loggedVersion);
  return Math.max(own, logged);
}

/** Of the frames that hold the first page. */
async function loggedVersion(file: FileHandle): Promise<number> {
  const header = await bytesAt(file, 0, WAL_HEADER);
  const pageSize = header?.readUInt32BE(PAGE_SIZE_AT) ?? 0;
  const isLog = header !== undefined && WAL_MAGIC.includes(header.readUInt32BE(0));
  if (!isLog || pageSize < 512 || pageSize > 65_536) return 0;
  const salt = header.subarray(WAL_SALT_AT, WAL_SALT_AT + SALT_BYTES);
  let highest = 0;
  for (let frame = 0; frame < MAX_FRAMES; frame += 1) {
    const at = WAL_HEADER + frame * (FRAME_HEADER + pageSize);
    const frameHeader = await bytesAt(file, at, FRAME_HEADER);
    // Frames of an earlier use of the log, or damaged ones, follow the last one.
    if (frameHeader?.subarray(FRAME_SALT_AT, FRAME_SALT_AT + SALT_BYTES).equals(salt) !== true) break;
    if (frameHeader.readUInt32BE(0) !== 1) continue;
    const version = await bytesAt(file, at + FRAME_HEADER + USER_VERSION_AT, 4);
    highest = Math.max(highest, version?.readUInt32BE(0) ?? 0);
  }
  return highest;
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return bytesRead === length ? buffer : undefined;
}

/** Of a file alone: never through a link, and a pipe in its place is not waited for. */
async function reading(path: string, read: (file: FileHandle) => Promise<number>): Promise<number> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => null);
  if (file === null) return 0;
  try {
    return (await file.stat()).isFile() ? await read(file) : 0;
  } catch {
    return 0;
  } finally {
    await file.close();
  }
}
