import type { InstanceSummary, LiveState } from '../../../automation/fleet/index.ts';
import type { RuleReason } from '../view-types.ts';

/**
 * When an instance is paused because nobody uses it, or because its time ends. Pure. Nothing is paused that was not
 * warned for so long before, in time that was counted and not read from a clock: neither a clock that jumps nor a
 * console that was away makes anything due at once.
 */

export interface RuleSettings {
  readonly idle?: { readonly pauseAfterMs: number; readonly warnMs: number };
  readonly expiry?: { readonly warnMs: number };
}

/** What is known of an instance that is warned. */
export interface Note {
  /** Time since the warning in which it was seen to be as it is. */
  readonly warnedMs: number;
  /** Whoever listens was told. */
  readonly isTold: boolean;
  /** After a pause that did not succeed, the time until the next try. */
  readonly waitMs: number;
}
export const NEW_NOTE: Note = { warnedMs: 0, isTold: false, waitMs: 0 };

export type Verdict =
  /** As it was: what is not known is not counted and never due. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'fine' }
  /** `at`: when it would be paused, in ms since 1970. */
  | { readonly kind: 'warned' | 'due'; readonly note: Note; readonly at: number };

export interface Judged {
  readonly summary: Pick<InstanceSummary, 'expiresAt' | 'isPaused' | 'lastUpdate' | 'operation'>;
  readonly live: LiveState | undefined;
  readonly note: Note | undefined;
  /** ms since 1970. */
  readonly now: number;
  /** Counted since the last look. */
  readonly elapsedMs: number;
}

/** Also of a time that was over when it was first seen. */
const LEAST_NOTICE_MS = 24 * 3_600_000;

const counted = (note: Note | undefined, elapsedMs: number): Note =>
  note === undefined
    ? NEW_NOTE
    : { ...note, warnedMs: note.warnedMs + elapsedMs, waitMs: Math.max(0, note.waitMs - elapsedMs) };

function verdict(note: Note, now: number, left: number): Verdict {
  const isDue = left <= 0 && note.waitMs === 0;
  return { kind: isDue ? 'due' : 'warned', note, at: now + Math.max(left, note.waitMs, 0) };
}

function idleVerdict(settings: NonNullable<RuleSettings['idle']>, judged: Judged): Verdict {
  const { live, now, elapsedMs } = judged;
  const idleSeconds = live?.sync?.activity?.idleSeconds;
  if (idleSeconds === undefined || idleSeconds === null) return { kind: 'unknown' };
  const idleMs = idleSeconds * 1000;
  const { pauseAfterMs, warnMs } = settings;
  if (idleMs < pauseAfterMs - warnMs) return { kind: 'fine' };
  const note = counted(judged.note, elapsedMs);
  return verdict(note, now, Math.max(pauseAfterMs - idleMs, warnMs - note.warnedMs));
}

function expiryVerdict({ warnMs }: NonNullable<RuleSettings['expiry']>, judged: Judged): Verdict {
  const { summary, live, now, elapsedMs } = judged;
  const end = Date.parse(summary.expiresAt ?? '');
  if (Number.isNaN(end) || now < end - warnMs) return { kind: 'fine' };
  const note = counted(judged.note, elapsedMs);
  const found = verdict(note, now, Math.max(end - now, Math.min(warnMs, LEAST_NOTICE_MS) - note.warnedMs));
  // What cannot be asked cannot be saved either.
  return found.kind === 'due' && live?.sync === undefined ? { ...found, kind: 'warned' } : found;
}

export function judgeRule(why: RuleReason, settings: RuleSettings, judged: Judged): Verdict {
  const rule = settings[why];
  const { summary, live } = judged;
  const isThere = summary.lastUpdate !== undefined && summary.isPaused !== true;
  if (rule === undefined || !isThere) return { kind: 'fine' };
  // Something is done to it, or was left undone: that comes first.
  if (summary.operation !== undefined || live === undefined || live.phase === 'unknown')
    return { kind: 'unknown' };
  if (live.phase !== 'running' && live.phase !== 'starting') return { kind: 'fine' };
  return why === 'idle'
    ? idleVerdict(rule as NonNullable<RuleSettings['idle']>, judged)
    : expiryVerdict(rule as NonNullable<RuleSettings['expiry']>, judged);
}
