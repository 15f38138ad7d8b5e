import type { EntryKind } from '../spaces/space.ts';
import { ENGINE_FOLDER } from '../spaces/space.ts';

/** What one look at the local disk says about an entry. Times are nanoseconds since 1970. */
export interface LocalEntry {
  readonly path: string;
  readonly kind: EntryKind;
  /** Bytes of a file; 0 for everything else. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Permission bits, without setuid, setgid and sticky. */
  readonly mode: number;
  readonly inode: bigint;
  /** Hard links to this inode; 1 for directories. */
  readonly links: number;
  /** Target of a symbolic link (see `targetText`). */
  readonly target: string | null;
}

/** What a listing of the space says about an entry. */
export interface RemoteEntry {
  readonly path: string;
  readonly kind: EntryKind;
  readonly id: string;
  readonly size: number;
  readonly mtimeSeconds: number | null;
}

/** What both sides had when they were last equal at this path. */
export interface BaseEntry {
  readonly path: string;
  readonly kind: EntryKind;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: number;
  readonly inode: bigint;
  readonly target: string | null;
  /** SHA-256 in hex of the content as the space holds it; null where it was never computed. */
  readonly hash: string | null;
  /** Names with the same group were one file with several names. */
  readonly linkGroup: string | null;
  /** The entry in the space; null where the space cannot hold it and only the manifest does. */
  readonly remote: {
    readonly id: string;
    readonly size: number;
    readonly mtimeSeconds: number | null;
  } | null;
  /** The file was written so shortly before it was read that equal times prove nothing. */
  readonly racy: boolean;
}

/** Id of an entry that only the manifest holds, because the space cannot. */
export const VIRTUAL_ID = 'manifest-only';

/** Id of an entry of which the space has said what cannot be: it is not known what it is, or whether it is there. */
export const UNKNOWN_ID = 'unknown';

/** One line of the manifest: what the space itself cannot hold about an entry. */
export interface ManifestEntry {
  readonly path: string;
  readonly kind: EntryKind;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  readonly target: string | null;
  readonly hash: string | null;
  readonly linkGroup: string | null;
  readonly remote: { readonly id: string; readonly mtimeSeconds: number | null } | null;
}

/** What the manifest says about an entry that both sides have. */
export function toManifest(base: BaseEntry): ManifestEntry {
  const { path, kind, mtimeNs, mode, target, hash, linkGroup, remote } = base;
  const size = remote === null || kind !== 'file' ? base.size : remote.size;
  return { path, kind, size, mtimeNs, mode, target, hash, linkGroup, remote };
}

/** Whether the manifest still speaks of what lies in the space, or somebody else has changed it since. */
export function manifestMatches(manifest: ManifestEntry, remote: RemoteEntry): boolean {
  if (manifest.kind !== remote.kind || manifest.remote === null) return false;
  if (manifest.kind === 'directory') return true;
  if (manifest.kind === 'file' && manifest.size !== remote.size) return false;
  const known = manifest.remote.mtimeSeconds;
  if (known === null || remote.mtimeSeconds === null) return manifest.remote.id === remote.id;
  return known === remote.mtimeSeconds;
}
/** At the root of a space only: made by file systems and by the predecessor, neither restored nor touched. */
export const IGNORED_ROOT_NAMES: readonly string[] = ['lost+found', 'symlink-dump', 'scipion-docker'];

export function isIgnoredAtRoot(path: string): boolean {
  return path === ENGINE_FOLDER || IGNORED_ROOT_NAMES.includes(path);
}

/** What the base keeps of an entry as the volume shows it. */
export function lookOf(local: LocalEntry) {
  const { path, kind, size, mtimeNs, ctimeNs, mode, inode, target } = local;
  return { path, kind, size, mtimeNs, ctimeNs, mode, inode, target };
}
