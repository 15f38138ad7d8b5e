import * as z from 'zod';

/** Attributes of a file, whichever generation of names it came under. */
export interface FileAttributes {
  readonly id: string;
  /** Of a child in a listing. Everything else is known by the path that was asked for. */
  readonly name: string;
  readonly type: 'REG' | 'DIR' | 'SYMLNK';
  readonly size: number;
  /** Seconds since 1970; 0: not known (yet). */
  readonly mtime: number;
  /** Target text of a link; only from 21.02.5 on. */
  readonly symlinkValue?: string | undefined;
}

/** An answer about a single entry that cannot be right. It costs that entry; those beside it are as good as ever. */
export interface OddAttributes {
  /** null: not even its name can be one. */
  readonly name: string | null;
  /** A clause: what was found, and what was expected. */
  readonly why: string;
}

export type Attributes = FileAttributes | OddAttributes;

export const isOdd = (attributes: Attributes): attributes is OddAttributes => 'why' in attributes;

/** It goes into addresses of requests, so it has to be text. */
const MAX_ID = 4096;
export const idSchema = z
  .string()
  .min(1)
  .max(MAX_ID)
  .refine((text) => text.isWellFormed(), 'is no text');

/** Seconds that a date can have. */
const LATEST = 8_640_000_000_000;
const TYPES = ['REG', 'DIR', 'SYMLNK'] as const;

/** Pure. What is said of the child of a directory, if it can be. */
export function readChild(raw: unknown): Attributes {
  const fields = fieldsOf(raw);
  const name = nameOf(fields.name);
  if (name === null) return { name, why: `its name is ${shown(fields.name)}, which no file can have` };
  return readAttributes(raw);
}

/** Pure. As `readChild`, of an entry that was asked for by itself: its name says nothing new. */
export function readAttributes(raw: unknown): Attributes {
  const fields = fieldsOf(raw);
  const name = nameOf(fields.name);
  const odd = (why: string): OddAttributes => ({ name, why });
  const id = idSchema.safeParse(fields.fileId ?? fields.file_id).data;
  if (id === undefined) return odd(`its id is ${shown(fields.fileId ?? fields.file_id)}, expected a text`);
  const type = TYPES.find((each) => each === String(fields.type).toUpperCase());
  if (type === undefined) return odd(`its type is ${shown(fields.type)}, expected ${TYPES.join(', ')}`);
  const { size, mtime, symlinkValue: target } = fields;
  // ⚠ Directories and links have sizes that mean something else, and are not used.
  if (type === 'REG' && !(Number.isSafeInteger(size) && Number(size) >= 0))
    return odd(`its size is ${shown(size)}, expected a number of bytes`);
  const hasTarget = typeof target === 'string' && target !== '' && target.isWellFormed();
  return {
    id,
    name: name ?? '',
    type,
    size: type === 'REG' ? Number(size) : 0,
    mtime: secondsOf(mtime),
    // The target of a link can be asked for by itself.
    ...(hasTarget ? { symlinkValue: target } : {}),
  };
}

function fieldsOf(raw: unknown): Record<string, unknown> {
  return typeof raw === 'object' && raw !== null ? { ...raw } : {};
}

function nameOf(name: unknown): string | null {
  const isName =
    typeof name === 'string' && name.isWellFormed() && !/[/\0]/.test(name) && !['', '.', '..'].includes(name);
  return isName ? name : null;
}

/** A time that cannot be one is not known: content and name are as good without it. */
function secondsOf(mtime: unknown): number {
  return typeof mtime === 'number' && Math.abs(mtime) <= LATEST ? Math.floor(mtime) : 0;
}

const SHOWN = 60;

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
