import type { BaseEntry, LocalEntry } from '../model.ts';
import type { RemoteFacts, RemoteStat } from './compare.ts';
import type { Action } from './table.ts';

/** One path of a plan, from what was found to what will be remembered. */
export interface PlanItem {
  readonly path: string;
  readonly action: Action | 'undecided';
  readonly local: LocalEntry | null;
  readonly base: BaseEntry | null;
  readonly remote: RemoteStat | null;
  /** The local version does not replace what is in the space now, that gets a conflict name. */
  readonly keepBoth?: boolean;
  /** Upload in the staging folder of the space. */
  readonly staged?: { readonly path: string; readonly facts: RemoteFacts };
  /** Base entry once the save is complete; absent for removals. */
  readonly next?: BaseEntry;
}

/** Counts of a plan by action, for guards, status and people. */
export interface PlanSummary {
  readonly actions: Partial<Record<PlanItem['action'], { count: number; bytes: number }>>;
}

export function summarise(items: Iterable<PlanItem>): PlanSummary {
  const actions: PlanSummary['actions'] = {};
  for (const item of items) {
    const entry = actions[item.action] ?? { count: 0, bytes: 0 };
    actions[item.action] = entry;
    entry.count += 1;
    entry.bytes += item.action === 'download' ? (item.remote?.size ?? 0) : (item.local?.size ?? 0);
  }
  return { actions };
}

/** One line a person or a script can read; no metadata beyond what the decision was made from. */
export function printableItem(item: PlanItem): Record<string, unknown> {
  return {
    path: item.path,
    action: item.action,
    kind: (item.local ?? item.remote ?? item.base)?.kind,
    bytes: (item.action === 'download' ? item.remote?.size : item.local?.size) ?? 0,
    ...(item.keepBoth === true ? { keepBoth: true } : {}),
  };
}

/** Where 64-bit numbers are. A function of JSON's that looked at every value would cost ten times as much. */
const EXACT_PARTS = ['local', 'base', 'next'] as const;
const EXACT_KEYS = ['mtimeNs', 'ctimeNs', 'inode'] as const;

/** JSON with exact 64-bit numbers. */
export function encodeItem(item: PlanItem): string {
  const encoded: Record<string, unknown> = { ...item };
  for (const part of EXACT_PARTS) {
    const entry = item[part];
    if (entry == null) continue;
    const exact = EXACT_KEYS.map((key) => [key, { $ns: String(entry[key]) }]);
    encoded[part] = { ...entry, ...Object.fromEntries(exact) };
  }
  return JSON.stringify(encoded);
}

export function decodeItem(text: string): PlanItem {
  const item = JSON.parse(text) as Record<string, Record<string, unknown> | null | undefined>;
  for (const part of EXACT_PARTS) {
    const entry = item[part];
    if (entry == null) continue;
    for (const key of EXACT_KEYS) {
      const exact = entry[key] as { readonly $ns: string } | undefined;
      if (exact !== undefined) entry[key] = BigInt(exact.$ns);
    }
  }
  return item as unknown as PlanItem;
}
