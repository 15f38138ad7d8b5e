import type { FileProblemCode } from '../../contract/status.ts';
import { ENGINE_FOLDER } from '../spaces/space.ts';
import { SpaceError, type SpaceErrorCode } from '../spaces/space-error.ts';

/**
 * The one place that says what an error is about. Only what concerns everything stops anything: a file or folder of its
 * own is left out and named, and all others go on.
 */

/** `unsure`: one file or everything, which only the volume or the space can tell when it is asked for something else. */
export type Scope = 'file' | 'folder' | 'everything' | 'unsure';
/** When another attempt makes sense: at once, when somebody has changed something about the file, or not at all. */
export type Duration = 'now' | 'until-change' | 'never';

export interface Verdict {
  readonly scope: Scope;
  readonly duration: Duration;
  readonly code: FileProblemCode;
}

/** What was being done, to a file or folder of the user. */
export interface Operation {
  /** `list` and `look` mean a folder and what is in it; all others one file, link or folder entry. */
  readonly does: 'list' | 'look' | 'read' | 'place' | 'fetch' | 'send' | 'apply';
  /** Path of the file or folder in the space; empty: the root. */
  readonly path: string;
  /** Size of the file, where it is to get room. @default 0 */
  readonly bytes?: number;
}

/** The local file kept changing while it was being read, is gone, or was replaced. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';
}

/** The copy could not be taken now: the database is busy, or went away. Another round will find it. */
export class DatabaseBusyError extends Error {
  override readonly name = 'DatabaseBusyError';
}

/** A single file that the engine itself found something wrong with. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileProblemCode;
  readonly duration: Duration;
  /** Not the file itself: the one beside it with this ending, without which the file is not whole. */
  readonly beside: string | null;

  constructor(
    code: FileProblemCode,
    message: string,
    duration: Duration = 'until-change',
    cause?: unknown,
    beside: string | null = null,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.duration = duration;
    this.beside = beside;
  }
}

/** The rights on a file or directory of the volume keep this program out. */
export function isPermissionDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}

type Row = readonly [Scope, Duration, FileProblemCode];

/** Of calls to the volume. What is not listed concerns everything. */
const ERRNOS: Readonly<Record<string, Row>> = {
  EACCES: ['file', 'until-change', 'no-access'],
  EPERM: ['file', 'until-change', 'no-access'],
  EIO: ['file', 'until-change', 'disk-fault'],
  EUCLEAN: ['file', 'until-change', 'disk-fault'],
  EBADMSG: ['file', 'until-change', 'disk-fault'],
  ENODATA: ['file', 'until-change', 'disk-fault'],
  EREMOTEIO: ['file', 'until-change', 'disk-fault'],
  ENOENT: ['file', 'now', 'changing'],
  ENOTDIR: ['file', 'now', 'changing'],
  ELOOP: ['file', 'now', 'changing'],
  ESTALE: ['file', 'now', 'changing'],
  ETXTBSY: ['file', 'now', 'changing'],
  EBUSY: ['file', 'now', 'changing'],
  EAGAIN: ['file', 'now', 'changing'],
  EDEADLK: ['file', 'now', 'changing'],
  ETIMEDOUT: ['file', 'now', 'disk-fault'],
  ENAMETOOLONG: ['file', 'never', 'name-too-long'],
  EISDIR: ['file', 'until-change', 'in-the-way'],
  EEXIST: ['file', 'until-change', 'in-the-way'],
  ENOTEMPTY: ['file', 'until-change', 'in-the-way'],
  ENXIO: ['file', 'until-change', 'in-the-way'],
  ENODEV: ['file', 'until-change', 'in-the-way'],
  EXDEV: ['file', 'until-change', 'in-the-way'],
  EFBIG: ['file', 'never', 'not-possible'],
  EOVERFLOW: ['file', 'never', 'not-possible'],
  EINVAL: ['file', 'never', 'not-possible'],
  EILSEQ: ['file', 'never', 'not-possible'],
  EMLINK: ['file', 'never', 'not-possible'],
  ENOTSUP: ['file', 'never', 'not-possible'],
  EOPNOTSUPP: ['file', 'never', 'not-possible'],
  // Of Node and SQLite: a number that does not fit, a text that is none.
  ERR_OUT_OF_RANGE: ['file', 'never', 'not-possible'],
  ERR_INVALID_ARG_VALUE: ['file', 'never', 'not-possible'],
};

/** Where a file is only looked at, one that fails otherwise fails alone: others fail by themselves where it is all. */
const OTHER_ERRNO: Row = ['file', 'until-change', 'disk-fault'];
const isReading = ({ does }: Operation) => ['look', 'list', 'read', 'send'].includes(does);
/** The copy of a database needs room, and so does the engine's own state. */
const isNoRoom = (errno: string) => errno === 'ENOSPC' || errno === 'EDQUOT';

/** Where something is put on the volume: a fault of all of it shows at any other file too. */
const PLACING_ERRNOS: typeof ERRNOS = {
  ENOSPC: ['unsure', 'until-change', 'no-room'],
  EDQUOT: ['unsure', 'until-change', 'no-room'],
};
const OTHER_PLACING: Row = ['unsure', 'until-change', 'disk-fault'];

/** Of calls to a space about a file of the user. What is not listed concerns everything. */
const SPACE_CODES: Partial<Record<SpaceErrorCode, Row>> = {
  'not-found': ['file', 'now', 'not-in-space'],
  exists: ['file', 'until-change', 'in-the-way'],
  'not-a-directory': ['file', 'until-change', 'in-the-way'],
  'is-a-directory': ['file', 'until-change', 'in-the-way'],
  'not-empty': ['file', 'until-change', 'in-the-way'],
  'invalid-name': ['file', 'never', 'name-too-long'],
  unsupported: ['file', 'never', 'not-possible'],
  'bad-range': ['file', 'now', 'changing'],
  'bad-request': ['file', 'until-change', 'space-fault'],
  'odd-entry': ['file', 'until-change', 'space-fault'],
  'listing-incomplete': ['unsure', 'now', 'space-fault'],
  'transfer-broken': ['unsure', 'now', 'space-fault'],
  stalled: ['unsure', 'now', 'space-fault'],
  unavailable: ['unsure', 'now', 'space-fault'],
  unreachable: ['unsure', 'now', 'space-fault'],
  'space-not-supported': ['unsure', 'until-change', 'space-fault'],
  // A server refuses a file with the words for a whole space, or for a token that it has just taken.
  'token-not-permitted': ['unsure', 'until-change', 'no-access'],
  'token-invalid': ['unsure', 'until-change', 'no-access'],
  'token-expired': ['unsure', 'until-change', 'no-access'],
  'space-unknown': ['unsure', 'until-change', 'no-access'],
};

/** As `SPACE_CODES`, of what only reads: no room, or no right to write, is nothing that it could lack. */
const FETCH_CODES: typeof SPACE_CODES = {
  'space-full': ['unsure', 'until-change', 'space-fault'],
  'read-only': ['unsure', 'until-change', 'space-fault'],
};

/** As `SPACE_CODES`, of uploads. They wait in one folder under names of the engine: the words may speak of all of them. */
const SEND_CODES: typeof SPACE_CODES = {
  ...FETCH_CODES,
  ...Object.fromEntries(
    (['not-found', 'exists', 'not-a-directory', 'is-a-directory', 'invalid-name'] as const).map((code) => [
      code,
      ['unsure', 'until-change', 'space-fault'],
    ]),
  ),
};

const EVERYTHING: Verdict = { scope: 'everything', duration: 'until-change', code: 'not-possible' };

/** Pure. What an error is about, and when another attempt makes sense. */
export function classify(error: unknown, operation: Operation): Verdict {
  if (error instanceof FileChangedError) return verdict(['file', 'now', 'changing'], operation);
  if (error instanceof DatabaseBusyError) return verdict(['file', 'now', 'database-locked'], operation);
  if (error instanceof FileError) return verdict(['file', error.duration, error.code], operation);
  if (error instanceof SpaceError) return ofSpace(error, operation);
  const row = ofVolume((error as NodeJS.ErrnoException | null)?.code ?? '', operation);
  // Without the root there is no volume.
  if (row === undefined || operation.path === '') return EVERYTHING;
  return verdict(row, operation);
}

function ofVolume(errno: string, operation: Operation): Row | undefined {
  const known = ERRNOS[errno];
  if (known !== undefined || !/^E[A-Z0-9]+$/.test(errno)) return known;
  if (!isReading(operation)) return PLACING_ERRNOS[errno] ?? OTHER_PLACING;
  return isNoRoom(errno) ? undefined : OTHER_ERRNO;
}

function ofSpace(error: SpaceError, operation: Operation): Verdict {
  const special = { send: SEND_CODES, fetch: FETCH_CODES }[operation.does as string]?.[error.code];
  const row = special ?? SPACE_CODES[error.code];
  if (row === undefined || operation.path === '') return EVERYTHING;
  if (operation.does !== 'send' && isOfEngine(error.path)) return EVERYTHING;
  return verdict(row, operation);
}

/** Whether an error of an upload may speak of the folder of all uploads, or of the room for them. */
export function isOfUploads(error: unknown): boolean {
  return error instanceof SpaceError && SEND_CODES[error.code] !== undefined;
}

function isOfEngine(path: string | undefined): boolean {
  return path === ENGINE_FOLDER || path?.startsWith(`${ENGINE_FOLDER}/`) === true;
}

function verdict([scope, duration, code]: Row, { does }: Operation): Verdict {
  return { scope: scope === 'file' && does === 'list' ? 'folder' : scope, duration, code };
}
