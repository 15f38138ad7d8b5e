import * as z from 'zod';
import { parseJson } from '../../../contract/parse-json.ts';
import type { ManifestEntry } from '../model.ts';
import { packTime, unpackTime } from '../time-range.ts';

const KINDS = { f: 'file', d: 'directory', l: 'symlink' } as const;
const LETTERS = { file: 'f', directory: 'd', symlink: 'l' } as const;

/** Short keys: a manifest has one line for every entry of a project. */
const lineSchema = z.object({
  /** Path in the space. */
  p: z.string().min(1).refine(isSafePath),
  /** 1: removed by this save. */
  x: z.literal(1).optional(),
  k: z.enum(['f', 'd', 'l']).optional(),
  s: z.int().min(0).optional(),
  /** mtime in ns since 1970, of 64 bits (see `packTime`). */
  m: z
    .string()
    .refine((text) => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text))
    .optional(),
  o: z.int().min(0).max(0o777).optional(),
  /** Link target. */
  t: z
    .string()
    .refine((text) => text !== '' && !text.includes('\0'))
    .optional(),
  /** SHA-256. */
  h: z.string().optional(),
  /** Hard link group. */
  g: z.string().optional(),
  /** Entry in the space; absent where only the manifest holds this entry. */
  i: z.string().optional(),
  r: z.int().optional(),
  /** Base64 of the bytes behind an encoded name. */
  n: z.string().optional(),
});

export interface ManifestLine {
  readonly path: string;
  /** null: the entry was removed. */
  readonly entry: ManifestEntry | null;
  /** Bytes behind the last component, where it is encoded. */
  readonly rawName: Buffer | null;
}

export function formatManifestLine(entry: ManifestEntry, rawName: Uint8Array | null): string {
  return JSON.stringify({
    p: entry.path,
    k: LETTERS[entry.kind],
    ...(entry.kind === 'file' ? { s: entry.size } : {}),
    m: String(packTime(entry.mtimeNs)),
    o: entry.mode,
    ...(entry.target === null ? {} : { t: entry.target }),
    ...(entry.hash === null ? {} : { h: entry.hash }),
    ...(entry.linkGroup === null ? {} : { g: entry.linkGroup }),
    ...(entry.remote === null ? {} : { i: entry.remote.id }),
    ...(entry.remote?.mtimeSeconds == null ? {} : { r: entry.remote.mtimeSeconds }),
    ...(rawName === null ? {} : { n: Buffer.from(rawName).toString('base64') }),
  });
}

export function formatRemovedLine(path: string): string {
  return JSON.stringify({ p: path, x: 1 });
}

/** null for a line that this version cannot read; the caller decides what that means. */
export function parseManifestLine(line: string): ManifestLine | null {
  // Junk has many lines, and each one that is no JSON costs a stack.
  if (!line.startsWith('{')) return null;
  const parsed = lineSchema.safeParse(parseJson(line));
  if (!parsed.success) return null;
  const { data } = parsed;
  if (data.x === 1) return { path: data.p, entry: null, rawName: null };
  if (data.k === undefined || data.m === undefined || data.o === undefined) return null;
  return {
    path: data.p,
    rawName: data.n === undefined ? null : Buffer.from(data.n, 'base64'),
    entry: {
      path: data.p,
      kind: KINDS[data.k],
      size: data.s ?? 0,
      mtimeNs: unpackTime(BigInt(data.m)),
      mode: data.o,
      target: data.t ?? null,
      hash: data.h ?? null,
      linkGroup: data.g ?? null,
      remote: data.i === undefined ? null : { id: data.i, mtimeSeconds: data.r ?? null },
    },
  };
}

function isSafePath(path: string): boolean {
  return path
    .split('/')
    .every((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0'));
}
