import * as z from 'zod';
import type { Space } from '../../spaces/space.ts';
import { refuseNewer } from '../sync-errors.ts';
import { readPatiently, seal, unseal, versionOf } from './sealed.ts';
import { LAYOUT } from './space-layout.ts';

const segmentSchema = z.object({
  /** File name in the manifest folder. */
  name: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/),
  lines: z.int().min(0),
  /** SHA-256 of the file. */
  hash: z.string(),
});
export type Segment = z.infer<typeof segmentSchema>;

/** What the space says of its last complete save. The manifest is its segments, one after the other. */
const headSchema = z.object({
  version: z.literal(1),
  generation: z.int().min(0),
  saveId: z.string().max(100),
  savedAt: z.iso.datetime(),
  savedBy: z.string().max(500),
  segments: z.array(segmentSchema),
  /** Ids of the last saves, newest last: a volume that was cut off during one learns that it was completed. */
  recent: z.array(z.string().max(100)).max(100),
  /** Beginnings of the ids of many more saves, newest last: whoever knows one of them has the same history. */
  history: z.array(z.string().min(8).max(100)).max(2_000).optional(),
});
export type Head = z.infer<typeof headSchema>;

export const HEAD_VERSION = 1;
const HEAD_MAX_BYTES = 16 << 20;
const RECENT = 50;
/** Of an id, as many characters as tell it from a million others. */
const ID_CHARACTERS = 13;
/** A volume that was away for longer is compared with the space file by file. */
const HISTORY = 1_000;

/** @returns null where there is none; `damaged` where something is there that is no head, each time it is read. */
export async function readHead(
  space: Pick<Space, 'read'>,
  path: string = LAYOUT.head,
): Promise<Head | 'damaged' | null> {
  const found = await readPatiently(space, path, HEAD_MAX_BYTES, (text) => parseHead(text, path));
  return found === null ? null : (found.value ?? 'damaged');
}

/** @returns undefined: damaged. @throws NewerFormatError */
export function parseHead(text: string, path: string): Head | undefined {
  const sentence = 'the project space was saved by a newer version of this program';
  refuseNewer(path, versionOf(text), HEAD_VERSION, sentence);
  const parsed = headSchema.safeParse(unseal(text));
  return parsed.success ? parsed.data : undefined;
}

export function headText(head: Head): string {
  return seal(head);
}

/** The ids of a new save behind those of the one before it. */
export function idsAfter(before: Head | null, saveId: string): Pick<Head, 'recent' | 'history'> {
  return {
    recent: [...(before?.recent ?? []), saveId].slice(-RECENT),
    history: [...historyOf(before), saveId].map((id) => id.slice(0, ID_CHARACTERS)).slice(-HISTORY),
  };
}

function historyOf(head: Head | null): readonly string[] {
  return head?.history ?? head?.recent ?? [];
}

/** Whether this save is the one of the head, or one that it was made on. */
export function descendsFrom(head: Head, saveId: string): boolean {
  // A version that knew no history may have added saves to the ids only.
  return (
    head.saveId === saveId ||
    head.recent.includes(saveId) ||
    historyOf(head).some((id) => saveId.startsWith(id))
  );
}
