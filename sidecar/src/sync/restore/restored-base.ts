import { type BaseEntry, type LocalEntry, lookOf, VIRTUAL_ID } from '../model.ts';
import type { RemoteStat } from '../plan/compare.ts';

/** What both sides have in common once an entry of the space is on the volume. */
export function asBase(
  local: LocalEntry,
  remote: RemoteStat,
  hash: string | null,
  group: string | null,
): BaseEntry {
  return {
    ...lookOf(local),
    hash,
    linkGroup: group,
    remote:
      remote.id === VIRTUAL_ID
        ? null
        : { id: remote.id, size: remote.size, mtimeSeconds: remote.mtimeSeconds },
    // Written a moment ago, but by this program alone.
    racy: false,
  };
}

export function secondsToNs(seconds: number | null): bigint | null {
  return seconds === null ? null : BigInt(seconds) * 1_000_000_000n;
}
