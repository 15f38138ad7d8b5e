import { type BaseEntry, type LocalEntry, type RemoteEntry, VIRTUAL_ID } from '../model.ts';
import type { LocalState, RemoteState } from './table.ts';

/** Pure: what each side is compared with the base. */

/** As `LocalState`; `unsure` where only the content can tell `meta` and `changed` apart. */
export type LocalVerdict = LocalState | 'unsure';

export function localState(base: BaseEntry | null, local: LocalEntry | null): LocalVerdict {
  if (local === null) return 'absent';
  if (base === null) return 'present';
  if (base.kind !== local.kind) return 'changed';
  const sameMeta = base.mtimeNs === local.mtimeNs && base.mode === local.mode;
  switch (local.kind) {
    case 'directory':
      return sameMeta ? 'same' : 'meta';
    case 'symlink':
      return base.target !== local.target ? 'changed' : base.mtimeNs === local.mtimeNs ? 'same' : 'meta';
    case 'file': {
      if (base.size !== local.size) return 'changed';
      const sameFile = sameMeta && base.inode === local.inode && base.ctimeNs === local.ctimeNs;
      if (sameFile && !base.racy) return 'same';
      return base.hash === null ? 'changed' : 'unsure';
    }
  }
}

/** A remote entry with the target of a link, where it was asked for. */
export type RemoteStat = RemoteEntry & { readonly target?: string | null };

/** @param idsSurviveMove of the space: only then do equal ids belong to an unchanged entry */
export function remoteState(
  base: BaseEntry | null,
  remote: RemoteStat | null,
  idsSurviveMove: boolean,
): RemoteState {
  if (base === null) return remote === null ? 'absent' : 'present';
  if (remote === null) return 'absent';
  if (base.remote === null)
    return remote.id === VIRTUAL_ID && remote.target === base.target ? 'same' : 'changed';
  if (base.kind !== remote.kind) return 'changed';
  if (remote.kind === 'directory') return 'same';
  if (remote.target != null) return remote.target === base.target ? 'same' : 'changed';
  return sameVersion(base.remote, remote, remote.kind === 'symlink' || idsSurviveMove) ? 'same' : 'changed';
}

export interface RemoteFacts {
  readonly id: string;
  readonly size: number;
  readonly mtimeSeconds: number | null;
}

/** Whether an entry is still the version that these facts were taken from, as far as a space can tell. */
export function sameVersion(known: RemoteFacts, found: RemoteFacts, compareIds: boolean): boolean {
  if (known.size !== found.size) return false;
  if (compareIds && known.id !== found.id) return false;
  return (
    known.mtimeSeconds === found.mtimeSeconds || known.mtimeSeconds === null || found.mtimeSeconds === null
  );
}
