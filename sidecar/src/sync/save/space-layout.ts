import { ENGINE_FOLDER } from '../../spaces/space.ts';
import { besides } from '../names.ts';

/** Where the engine's own files lie in the project space. */
export const LAYOUT = {
  lease: `${ENGINE_FOLDER}/lease.json`,
  /** One empty directory for every fencing number that was ever given out and not yet tidied away. */
  fences: `${ENGINE_FOLDER}/fences`,
  claims: `${ENGINE_FOLDER}/claims`,
  staging: `${ENGINE_FOLDER}/staging`,
  /** One record a fencing number: a save that is decided and being moved into place. */
  commits: `${ENGINE_FOLDER}/commits`,
  manifest: `${ENGINE_FOLDER}/manifest`,
  /** Generation and manifest segments of the last complete save. */
  head: `${ENGINE_FOLDER}/head.json`,
  /** A copy of the head of each of the last saves. */
  heads: `${ENGINE_FOLDER}/heads`,
  trash: `${ENGINE_FOLDER}/trash`,
  /** One file a save: what its changes took the place of. */
  history: `${ENGINE_FOLDER}/history`,
} as const;

export const ENGINE_FOLDERS: readonly string[] = [
  LAYOUT.fences,
  LAYOUT.claims,
  LAYOUT.staging,
  LAYOUT.commits,
  LAYOUT.manifest,
  LAYOUT.heads,
  LAYOUT.trash,
  LAYOUT.history,
];

export function fencePath(fence: number): string {
  return `${LAYOUT.fences}/${fence}`;
}

export function commitPath(fence: number): string {
  return `${LAYOUT.commits}/${fence}.jsonl`;
}

/** Names what is kept of a save, in the trash and in the history: sortable by time, told apart by its id. */
export function stemOf(decidedAt: number, saveId: string): string {
  return `${compactTime(decidedAt)}-${saveId}`;
}

/** The folder in the trash of one save. */
export function trashFolder(nowMs: number, saveId: string): string {
  return `${LAYOUT.trash}/${stemOf(nowMs, saveId)}`;
}

/** `20261122T130501Z` */
export function compactTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** When a trash folder was made; null for what is none. */
export function trashTime(name: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(name);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** A free name for somebody else's version, beside ours: `notes (changed elsewhere 20261122T130501Z).txt`. */
export function conflictName(path: string, nowMs: number, attempt: number): string {
  return besides(path, `changed elsewhere ${compactTime(nowMs)}${attempt === 0 ? '' : `-${attempt}`}`);
}
