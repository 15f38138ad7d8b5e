import { createHash } from 'node:crypto';
import * as z from 'zod';
import { ENGINE_FOLDER } from '../../spaces/space.ts';
import { LAYOUT, stemOf } from './space-layout.ts';

/** The version of an entry that a step means to act on; null: nothing is expected there. */
const expectSchema = z
  .object({ id: z.string(), size: z.number(), mtimeSeconds: z.number().nullable() })
  .nullable();

const path = z
  .string()
  .min(1)
  .refine((value) => value.split('/').every((name) => name !== '' && name !== '.' && name !== '..'))
  .refine((value) => value.split('/')[0] !== ENGINE_FOLDER);
const enginePath = z.string().startsWith(`${ENGINE_FOLDER}/`);

/** Each step can be done again at any time with the same outcome. */
export const stepSchema = z.discriminatedUnion('do', [
  /** File to the trash, link away; left alone where somebody else changed it meanwhile. */
  z.object({ do: z.literal('remove'), path, kind: z.enum(['file', 'symlink']), expect: expectSchema }),
  /** A directory goes if it is empty. */
  z.object({ do: z.literal('rmdir'), path }),
  z.object({ do: z.literal('mkdir'), path }),
  /** A staged upload to its name; the expected version there goes to the trash, any other gets a conflict name. */
  z.object({ do: z.literal('place'), path, staged: enginePath, expect: expectSchema }),
  z.object({ do: z.literal('symlink'), path, target: z.string(), expect: expectSchema }),
  /** A copy of the new head to its place, where nothing is ever replaced. */
  z.object({ do: z.literal('keep'), staged: enginePath, to: enginePath }),
  /** The new head: from here on the save is what the space holds. */
  z.object({ do: z.literal('head'), staged: enginePath }),
]);
export type Step = z.infer<typeof stepSchema>;
export type Expected = z.infer<typeof expectSchema>;

/** That is written. */
export const COMMIT_VERSION = 2;

export const commitHeaderSchema = z.object({
  /** 1 has no checksum; a save that an older version of this program decided is finished all the same. */
  version: z.union([z.literal(1), z.literal(COMMIT_VERSION)]),
  saveId: z.string().regex(/^[A-Za-z0-9-]{1,100}$/),
  fence: z.int(),
  generation: z.int(),
  /** When the save was decided, in ms since 1970; names conflicts and the trash folder the same way in every run. */
  decidedAt: z.number(),
  /** Folder of the trash that was used before the save was decided anew. Absent: its own. */
  trash: z
    .string()
    .regex(/^[\w-]{1,150}$/)
    .optional(),
  /** Number of steps that follow; fewer means a record that was cut. */
  steps: z.int(),
});
export type CommitHeader = z.infer<typeof commitHeaderSchema>;

/** Names the folder of the trash that the save uses. */
export function trashStem({ trash, decidedAt, saveId }: CommitHeader): string {
  return trash ?? stemOf(decidedAt, saveId);
}

export function trashOfSave(header: CommitHeader): string {
  return `${LAYOUT.trash}/${trashStem(header)}`;
}

const CHECKSUM = /^\{"sha256":"([0-9a-f]{64})"\}$/;

/** The lines of a record: header, steps, and the SHA-256 of the lines before, each with its line break. */
export async function* recordLines(
  header: object,
  steps: AsyncIterable<string> | Iterable<string>,
): AsyncIterable<string> {
  const sum = createHash('sha256');
  const summed = (line: string): string => {
    sum.update(`${line}\n`);
    return line;
  };
  yield summed(JSON.stringify(header));
  for await (const step of steps) yield summed(step);
  yield JSON.stringify({ sha256: sum.digest('hex') });
}

/** Sees the lines of a record go by, and says in the end whether they are those that were written. */
export class RecordSum {
  readonly #sum = createHash('sha256');
  #found: string | null = null;

  /** @returns whether the line is the checksum, so none of the record's own */
  add(line: string): boolean {
    this.#found = CHECKSUM.exec(line)?.[1] ?? null;
    if (this.#found === null) this.#sum.update(`${line}\n`);
    return this.#found !== null;
  }

  /** Once, after the last line. @returns whether that was the checksum of all others */
  isRight(): boolean {
    return this.#found === this.#sum.digest('hex');
  }
}
